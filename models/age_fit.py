"""Learning age groups from faces, as gender is learned: past 30? past 60? With a confidence, and an abstention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS
from models.calibration import (
    KINDS,
    Codes,
    Curve,
    FloatArray,
    fit_curve,
    folds_by_person,
    log_losses,
    parted,
)
from models.confidence import NEVER, calibration_error, threshold_for
from models.errors import SettingsError
from models.face_machine import FaceMachine, check_labelled
from models.machine_fit import MachineFit, check_enough, draw_photos, fit_machine, one_each

BORDERS: Final = len(AGE_GROUPS) - 1
"""Questions whose answers say the group: is somebody past the first border, and past the second?"""


@dataclass(frozen=True, eq=False)
class AgeModel:
    """Machines for the borders between age groups, what their scores are worth, and thresholds to abstain below.

    Attributes:
        machines: one a border; positive scores are beyond it.
        curves: from each one's score to the chance of being beyond it.
        thresholds: confidence by the group said, at and above which it is; above 1 it never is.
        held_out: what was measured on people left out of the fit; see `learn_ages`.
    """

    machines: tuple[FaceMachine, ...]
    curves: tuple[Curve, ...]
    thresholds: tuple[float, ...]
    held_out: dict[str, Any]

    def score(self, faces: NDArray[Any]) -> FloatArray:
        """(N, `BORDERS`) scores of (N, D) faces."""
        return np.stack([each.score(faces) for each in self.machines], axis=1)

    def probability_of_score(self, scores: FloatArray) -> FloatArray:
        """(N, 3) chances of `AGE_GROUPS`, of (N, `BORDERS`) scores."""
        return _groups(np.stack([curve(scores[:, at]) for at, curve in enumerate(self.curves)], axis=1))

    def made(self, probability: FloatArray) -> NDArray[np.bool_]:
        """Which of (N, 3) chances are decided on."""
        said = probability.argmax(axis=1)
        return np.asarray(probability.max(axis=1) >= np.array(self.thresholds)[said])


def learn_ages(
    faces: NDArray[Any],
    groups: NDArray[Any],
    persons: NDArray[Any],
    seed: int = 0,
    *,
    precision: float = 0.97,
    sources: NDArray[Any] | None = None,
) -> AgeModel:
    """Learns age groups from faces; calibrates them, and chooses when to abstain, on people it has not seen.

    Groups are ordered, so that a machine is fitted to each border between them (`models.machine_fit.fit_machine`), and
    a group's chance is the difference of those of being past its two borders (Frank and Hall 2001). Each border has
    Platt's curve or an isotonic one, by the log loss on people it was not fitted to. The precision is to be reached
    within each group said: one that is rare is not carried by those that are easy. Nor is a group said with a
    confidence below the precision asked for, even where the surer ones make up for it: that would rely on ages being
    as common among those asked about as among those learned from. On other sources it is met but nearly: learned from
    the FairFace sample with 0.97 asked for, 0.93 of what is said of All-Age-Faces is right and 0.94 of fairface540, of
    a sixth of the people each; estimating anew how common the groups are there made it no better.

    Args:
        faces: (N, D), of `FaceViews` or of `FaceEmbedder`.
        groups: (N,) of `AGE_GROUPS`.
        persons: (N,) who is in each photo.
        seed: of the folds, the photo drawn per person, and those drawn when there are too many.
        precision: share of right decisions to reach among those made, 0.5 to below 1.
        sources: (N,) where each photo is from; one source without.

    Returns:
        The model. Its `held_out` has `people`, `accuracy`, `calibration_error`, `coverage`, `precision` (of the
        decisions made, None without any), `precision_wanted`, `calibration` (the kind of curve by border), and
        `by_group`: of each group, `people`, `said` and `precision` of what is decided to be it, by its name.

    Raises:
        TooFewLabelsError: fewer than ten people of a group.
        EmbeddingError: the faces have another shape, or are not finite.
        SettingsError: the precision is out of its range, a group is unknown, or the arrays' lengths differ.
    """
    if not 0.5 <= precision < 1:
        raise SettingsError(f"precision must be from 0.5 to below 1, not {precision}")
    vectors, codes, people = check_labelled(faces, groups, persons, AGE_GROUPS, "age groups")
    check_enough(codes, people, AGE_GROUPS, "age groups")
    origins = np.full(len(people), "") if sources is None else np.asarray(sources, dtype=str)
    rng = np.random.default_rng(seed)
    kept = draw_photos(people, codes, rng)
    vectors, codes, people, origins = vectors[kept], codes[kept], people[kept], origins[kept]
    chosen = np.zeros(len(kept), dtype=bool)
    chosen[one_each(people, rng)] = True
    fold = folds_by_person(people, codes, seed)
    borders = [_border(vectors, codes > at, people, origins, seed, fold, chosen) for at in range(BORDERS)]
    told = _groups(np.stack([each.told for each in borders], axis=1))
    said, sure = told.argmax(axis=1), told.max(axis=1)
    thresholds = []
    for group in range(len(AGE_GROUPS)):
        rows = chosen & (said == group)
        found = threshold_for(sure[rows], codes[rows] == group, precision) if rows.any() else None
        thresholds.append(NEVER if found is None else max(found, precision))
    model = AgeModel(
        tuple(each.fit.machine for each in borders), tuple(each.curve for each in borders), tuple(thresholds), {}
    )
    model.held_out.update(_measured(told[chosen], codes[chosen], model.made(told[chosen])))
    model.held_out.update(precision_wanted=precision, calibration=[each.kind for each in borders])
    return model


@dataclass(frozen=True, eq=False)
class _Border:
    """Of one border: `told` is (N,) the chance of being beyond it, by machines and curves that know nobody of it."""

    fit: MachineFit
    curve: Curve
    kind: str
    told: FloatArray


def _border(
    vectors: FloatArray,
    beyond: NDArray[np.bool_],
    people: NDArray[np.str_],
    sources: NDArray[np.str_],
    seed: int,
    fold: Codes,
    chosen: NDArray[np.bool_],
) -> _Border:
    yes = beyond.astype(np.int64)
    fit = fit_machine(vectors, yes, people, sources, seed)
    told = {}
    for kind in KINDS:
        told[kind] = np.empty(len(yes))
        for learn, held_out in parted(fold, chosen):
            told[kind][held_out] = fit_curve(kind, fit.scores[learn], yes[learn])(fit.scores[held_out])
    kind = min(KINDS, key=lambda name: float(log_losses(told[name][chosen], yes[chosen]).mean()))
    return _Border(fit, fit_curve(kind, fit.scores[chosen], yes[chosen]), kind, told[kind])


def _groups(beyond: FloatArray) -> FloatArray:
    """(N, 3) chances of groups, of (N, 2) chances of being past borders; nobody is past the second only."""
    falling = np.minimum.accumulate(beyond, axis=1)
    ends = np.ones((len(beyond), 1)), np.zeros((len(beyond), 1))
    return np.asarray(-np.diff(np.concatenate([ends[0], falling, ends[1]], axis=1), axis=1), dtype=np.float64)


def _measured(told: FloatArray, codes: Codes, made: NDArray[np.bool_]) -> dict[str, Any]:
    said, sure = told.argmax(axis=1), told.max(axis=1)
    right = said == codes
    by_group = {}
    for group, name in enumerate(AGE_GROUPS):
        rows = made & (said == group)
        share = float(right[rows].mean()) if rows.any() else None
        by_group[name] = {"people": int((codes == group).sum()), "said": int(rows.sum()), "precision": share}
    return {
        "people": len(codes),
        "accuracy": float(right.mean()),
        "calibration_error": calibration_error(sure, right, 1 / len(AGE_GROUPS)),
        "coverage": float(made.mean()),
        "precision": float(right[made].mean()) if made.any() else None,
        "by_group": by_group,
    }
