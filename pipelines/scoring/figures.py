"""The figures of a score: over all, by class, by head, and by everything the manifest knows of the photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.scoring.inputs import Scored

if TYPE_CHECKING:
    from models.breakdowns import Part
    from models.scoring import Scores

DIMENSIONS = {
    "kind": "Real photos and variants",
    "fold": "Fold",
    "source": "Source",
    "decade": "Age in decades",
    "mask_type": "Mask type of variants",
    "wear_style": "Wear style of variants",
}
UNKNOWN, UNMASKED = "unknown", "no mask"


@dataclass(frozen=True, eq=False)
class Figures:
    """What a score came to.

    Attributes:
        headline: `real` or `synthetic`: the rows that the figures are of, where nothing else is said.
        chosen: (N,) bool, those rows.
        scores: of them.
        whole: of them, with intervals.
        calibration: by head, `rows`, `error` (the expected calibration error), `confidence` and `accuracy` of
            the chances before cut-offs; empty for a submission.
        parts: by dimension of `DIMENSIONS`, those that are known.
    """

    headline: str
    chosen: NDArray[np.bool_]
    scores: Scores
    whole: Part
    calibration: dict[str, dict[str, float]]
    parts: dict[str, list[Part]]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return {
            "headline": self.headline,
            "whole": self.whole.to_dict(),
            "scores": self.scores.to_dict(),
            "calibration": self.calibration,
            "calibration_of": "chances before cut-offs",
            "parts": {name: [each.to_dict() for each in parts] for name, parts in self.parts.items()},
        }


def work_out(scored: Scored) -> Figures:
    """The figures of answers: of real photos or of variants, as `models.headline.headline_of` chooses.

    Raises:
        TrainingDataError: No row has a truth to compare its answer with.
    """
    from models.breakdowns import score_part
    from models.errors import TrainingDataError
    from models.headline import headline_of
    from models.scoring import score

    compared = np.asarray(((scored.truth >= 0) & (scored.answers >= 0)).any(axis=1), dtype=bool)
    if not compared.any():
        raise TrainingDataError("no photo has a label to compare its answer with: there is nothing to score")
    answered = np.flatnonzero((scored.answers >= 0).any(axis=0)).tolist()
    real, made = (scored.truth[compared & (scored.synthetic == kind)] for kind in (False, True))
    headline = headline_of(real, made, answered)
    chosen: NDArray[np.bool_] = compared & (scored.synthetic == (headline == "synthetic"))
    people = np.array(scored.people, dtype=object)
    truth, answers = scored.truth[chosen], scored.answers[chosen]
    return Figures(
        headline=headline,
        chosen=chosen,
        scores=score(truth, answers),
        whole=score_part("all", truth, answers, people[chosen].tolist()),
        calibration=_calibration(scored, chosen),
        parts=_parts(scored, compared, chosen, people),
    )


def confidences(scored: Scored, head: str, chosen: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """(M,) chance of a head's likeliest answer and whether it is right, of rows with its truth; None for none."""
    from models.heads import HEADS

    if scored.chances is None or head not in scored.chances.heads:
        return None
    rows = np.flatnonzero(chosen & (scored.truth[:, HEADS.index(head)] >= 0))
    if not len(rows):
        return None
    chances = scored.chances.heads[head][rows]
    return chances.max(axis=1), chances.argmax(axis=1) == scored.truth[rows, HEADS.index(head)]


def _calibration(scored: Scored, chosen: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    from models.confidence import calibration_error
    from models.heads import HEADS, SIZES

    found = {}
    for head in HEADS:
        told = confidences(scored, head, chosen)
        if told is not None:
            confidence, right = told
            found[head] = {
                "rows": len(confidence),
                "error": calibration_error(confidence, right, 1 / SIZES[HEADS.index(head)]),
                "confidence": float(confidence.mean()),
                "accuracy": float(right.mean()),
            }
    return found


def _parts(
    scored: Scored, compared: NDArray[np.bool_], chosen: NDArray[np.bool_], people: NDArray[Any]
) -> dict[str, list[Part]]:
    from models.breakdowns import score_parts

    found = {}
    for dimension, (names, rows) in _groups(scored, compared, chosen).items():
        parts = score_parts(names[rows].tolist(), scored.truth[rows], scored.answers[rows], people[rows].tolist())
        if parts and (len(parts) > 1 or dimension not in ("kind", "fold")):
            found[dimension] = parts
    return found


def _groups(
    scored: Scored, compared: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> dict[str, tuple[NDArray[Any], NDArray[np.bool_]]]:
    """By dimension, what each row belongs to and which rows it is about."""
    rows, variants = scored.rows, compared & scored.synthetic
    groups: dict[str, tuple[NDArray[Any], NDArray[np.bool_]]] = {
        "kind": (np.where(scored.synthetic, "variants", "real photos").astype(object), compared)
    }
    if scored.folds is not None:
        groups["fold"] = (np.array([f"fold {fold}" for fold in scored.folds], dtype=object), chosen)
    if rows is None:
        sources = [each.partition(":")[0] if ":" in each else "" for each in scored.photo_ids]
        if any(sources):
            groups["source"] = (np.array(sources, dtype=object), chosen)
        return groups
    groups["source"] = (rows["source"].astype(str).to_numpy(dtype=object), chosen)
    groups["decade"] = (_decades(rows), chosen)
    for name in ("mask_type", "wear_style"):
        groups[name] = (rows[name].astype(object).where(rows[name].notna(), UNMASKED).to_numpy(dtype=object), variants)
    return groups


def _decades(rows: pd.DataFrame) -> NDArray[Any]:
    ages = rows["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    told = [UNKNOWN if np.isnan(age) else f"{int(age) // 10 * 10:02d} to {int(age) // 10 * 10 + 9:02d}" for age in ages]
    return np.array(told, dtype=object)
