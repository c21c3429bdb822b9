"""Gender for photos that lack one: learned from people whose gender is given, with a confidence and an abstention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS, GENDERS
from datasets.manifest import validate_manifest, with_labels
from models.errors import TooFewLabelsError
from models.face_views import FaceViews
from models.gender_blend import Heard, NetworkAnswers
from models.gender_deciding import NOT_LOOKED_FOR, Judge, PersonDecision, decide_people, stack
from models.gender_fit import GenderFit, learn_gender
from models.gender_model import GenderModel
from models.gender_people import joining, seen_masked_only, speaking, teaching
from models.joining import Pool
from models.self_training import Progress

__all__ = ["GenderModel", "PseudoLabelled", "learn_gender", "pseudo_label"]

GIVEN_COLUMNS = ["photo_id", "person_id", "gender", "said", "confidence", "decided"]
DECIDED_COLUMNS = ["person_id", "photo_id", "said", "confidence", "reason", "age_group"]

YOUNGEST = 10.0
"""Years. Under ten the embedding tells gender little better than a coin does, whatever confidence it claims."""

_EMPTY_REPORT: Final[dict[str, Any]] = {
    "status": "nothing_missing",
    "reason": None,
    "labelled_people": 0,
    "held_out": None,
    "threshold": None,
    "threshold_by_age": {},
    "people_missing": 0,
    "people_filled": 0,
    "rows_filled": 0,
    "abstained": {},
    "masked_only": None,
    "network": None,
    "self_training": None,
}
"""`PseudoLabelled.report` of a manifest that lacks nothing."""


def gender_embedder() -> FaceViews:
    """What turns a face into the numbers that gender is best learned from."""
    return FaceViews()


@dataclass(frozen=True)
class PseudoLabelled:
    """A manifest with genders filled in, and an account of how.

    Attributes:
        manifest: valid; the rows that were filled have `gender_from` = `pseudo` and a `gender_confidence`.
        report: `status` (`labelled`, `nothing_missing` or `abstained`), `reason` (why it abstained altogether, else
            None), `labelled_people` learned from, `held_out` (see `learn_gender`), `threshold` and `threshold_by_age`
            (None where nothing is decided), `people_missing`, `people_filled`, `rows_filled`, and `abstained`: people
            by reason (`unsure`, `too_young`, `no_embedding`, `given_genders_differ`, `no_model`, and `masked_only`: no
            photo without a mask, and no model for those). `masked_only` is None, or of the model for them what stands
            here of the other: `labelled_people`, `held_out`, `threshold`, `threshold_by_age`, `reason`. `network` is
            None, or what `models.gender_blend.judge_network` tells of a network; where its blend is kept, the
            thresholds are the blend's. `self_training` is None, or what `models.self_training.Round` tells of it.
        given: the photos that were learned from, `photo_id, person_id, gender, said, confidence, decided`: the gender
            given, the one a model says that has not seen the person, its confidence in that, and whether that reaches
            the threshold for somebody of this age; the most surely contradicted first, the most surely confirmed last.
        decided: people whose gender was looked for, `person_id, photo_id, said, confidence, reason, age_group`: of one
            photo each the likelier gender, the confidence in it, why it was filled in (`pseudo`) or not, and their age
            group, the oldest where photos differ; the least sure first, and last those of whom nothing was said.
    """

    manifest: pd.DataFrame
    report: dict[str, Any]
    given: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=GIVEN_COLUMNS))
    decided: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=DECIDED_COLUMNS))


def pseudo_label(
    manifest: pd.DataFrame,
    embeddings: Mapping[str, NDArray[np.floating[Any]]],
    *,
    precision: float = 0.97,
    seed: int = 0,
    youngest: float = YOUNGEST,
    masked: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    network: NetworkAnswers | None = None,
    self_train: bool = False,
    progress: Progress | None = None,
) -> PseudoLabelled:
    """Fills in the gender of rows without one, by one decision a person.

    It learns from the people of this manifest whose gender is given (or corrected), from their photos without a mask. A
    person whose gender is given on some rows keeps it on the others. One that was filled in earlier stays as it is, and
    a person of whom nothing else is known has it on the other rows too, with its own confidence (the least where rows
    differ in that); where two were filled in, the other rows are decided anew.

    People of whom there are photos with a mask only are decided by a model of their own, learned from the same people
    with masks drawn on their faces, or by none.

    Args:
        manifest: valid; not changed.
        embeddings: (D,) by `photo_id`, of `gender_embedder` or of `FaceEmbedder`; photos may be missing from it.
        precision: share of right decisions to reach on held-out people; below it the model abstains.
        seed: of the fit.
        youngest: no decision for people known to be younger, in years.
        masked: (D,) by `photo_id` of photos without a mask, read after a mask was drawn on the face.
        network: what networks say of photos without a mask; it counts where the blend of it and the embedding is
            better on held-out people, and for whom it says something.
        self_train: people who are decided on join those that are learned from, once, where that is better on people of
            sources held out (`models.self_training`). It is judged before a network is, which then has to better what
            came of it. Who joined is decided on by a model that has not learned from them, as everybody else is, and
            is no less a pseudo-label; models of masked faces learn from nobody who joined.
        progress: of self-training, called as progress(steps done, steps to do).

    Returns:
        The filled manifest and the report. With too few labelled people nothing is filled and the report says why.
    """
    frame = validate_manifest(manifest)
    people = frame["person_id"]
    missing = frame["gender"].isna()
    report = _EMPTY_REPORT | {"people_missing": int(people[missing].nunique())}
    if not missing.any():
        return PseudoLabelled(frame, report)
    judged, teachers = speaking(frame, embeddings), frame[teaching(frame)]
    joiners = frame[joining(frame, embeddings, youngest)] if self_train else None
    model, given = _learn(_among(teachers, embeddings), embeddings, precision, seed, report, network, joiners, progress)
    of_masked = None
    if masked and seen_masked_only(frame, embeddings).any():
        report["masked_only"] = {"reason": None}
        of_masked, _ = _learn(_among(teachers, masked), masked, precision, seed, report["masked_only"])
    decisions = decide_people(frame, people, embeddings, judged, (model, of_masked), youngest)
    filled = _fill(frame, people, decisions)
    abstained = Counter(each.reason for each in decisions.values() if each.gender is None)
    report["abstained"] = dict(sorted(abstained.items()))
    report["people_filled"] = sum(each.gender is not None for each in decisions.values())
    report["rows_filled"] = int((missing & filled["gender"].notna()).sum())
    report["status"] = "labelled" if report["people_filled"] else "abstained"
    return PseudoLabelled(filled, report, given, _decided_table(decisions, frame))


def _among(rows: pd.DataFrame, embeddings: Mapping[str, Any]) -> pd.DataFrame:
    return rows[rows["photo_id"].isin(list(embeddings))]


def _learn(
    rows: pd.DataFrame,
    embeddings: Mapping[str, Any],
    precision: float,
    seed: int,
    report: dict[str, Any],
    network: NetworkAnswers | None = None,
    joiners: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> tuple[Judge | None, pd.DataFrame]:
    """What judges, its figures noted in the report, and what is said of those it learned from.

    None, with the reason in the report, when there is too little to learn.
    """
    names = rows["person_id"]
    report["labelled_people"] = int(names.nunique())
    vectors = stack(rows["photo_id"], embeddings)
    try:
        genders, origins = rows["gender"].to_numpy(), rows["source"].to_numpy()
        years = rows["age"].to_numpy(dtype=np.float64, na_value=np.nan)
        learned = learn_gender(
            vectors,
            genders,
            names.to_numpy(),
            seed,
            precision=precision,
            ages=years,
            sources=origins,
            network=None if network is None else _heard(rows, network),
            pool=None if joiners is None else _pool(joiners, embeddings, vectors.shape[1]),
            progress=progress,
        )
    except TooFewLabelsError as error:
        report["reason"] = str(error)
        if joiners is not None:
            report["self_training"] = {"kept": False, "reason": str(error)}
        return None, pd.DataFrame(columns=GIVEN_COLUMNS)
    model = learned.model
    report["held_out"] = model.held_out
    calibration = model.calibration if learned.blend is None else learned.blend.calibration
    by_age = {name: rule.threshold for name, rule in calibration.by_age.items()}
    report["threshold"] = calibration.whole.threshold if calibration.whole.threshold <= 1 else None
    report["threshold_by_age"] = {name: each if each <= 1 else None for name, each in by_age.items()}
    if learned.network is not None:
        report["network"] = learned.network
    if learned.self_training is not None:
        report["self_training"] = learned.self_training
    if min([calibration.whole.threshold, *by_age.values()]) > 1:
        report["reason"] = (
            f"on {model.held_out['people']} held-out people no confidence reached a precision of {precision:g}: "
            "ask for a lower precision or add people with a gender"
        )
    logits = {} if network is None else network.asked
    return Judge(model, learned.blend, logits, _joined(joiners, learned)), _given_table(rows, learned)


def _pool(joiners: pd.DataFrame, embeddings: Mapping[str, Any], length: int) -> Pool:
    vectors = stack(joiners["photo_id"], embeddings).astype(np.float64)
    people = joiners["person_id"]
    ages = joiners["age"].groupby(people).transform("max").to_numpy(dtype=np.float64, na_value=np.nan)
    sources = joiners["source"].to_numpy(dtype=str)
    return Pool(vectors if len(vectors) else np.zeros((0, length)), people.to_numpy(dtype=str), ages, sources)


def _joined(joiners: pd.DataFrame | None, learned: GenderFit) -> dict[str, float]:
    """Scores of the photos that joined, by id."""
    if joiners is None or learned.joined is None:
        return {}
    scores = zip(joiners["photo_id"], learned.joined, strict=True)
    return {str(photo_id): float(score) for photo_id, score in scores if np.isfinite(score)}


def _heard(rows: pd.DataFrame, network: NetworkAnswers) -> Heard:
    said = [network.held_out.get(str(photo_id), np.nan) for photo_id in rows["photo_id"]]
    return Heard(np.array(said, dtype=np.float64), rows["source"].isin(network.foreign).to_numpy(dtype=bool))


def _given_table(rows: pd.DataFrame, learned: GenderFit) -> pd.DataFrame:
    """`PseudoLabelled.given`, of the rows that were learned from."""
    female = learned.female
    said, confidence = np.where(female >= 0.5, GENDERS[1], GENDERS[0]), np.maximum(female, 1 - female)
    told = rows[["photo_id", "person_id", "gender"]].assign(said=said, confidence=confidence)
    told["decided"] = learned.decided
    told = told[np.isfinite(female)]
    doubt = told["confidence"].where(told["gender"].eq(told["said"]), -told["confidence"])
    order = pd.DataFrame({"doubt": doubt, "photo_id": told["photo_id"]}).sort_values(["doubt", "photo_id"]).index
    return told.loc[order, GIVEN_COLUMNS].reset_index(drop=True)


def _decided_table(decisions: Mapping[str, PersonDecision], frame: pd.DataFrame) -> pd.DataFrame:
    """`PseudoLabelled.decided`; who has a gender on another row was not looked for."""
    order = {name: place for place, name in enumerate(AGE_GROUPS)}
    oldest = frame["age_group"].map(order).groupby(frame["person_id"]).max()
    groups = {str(person): AGE_GROUPS[int(place)] for person, place in oldest.dropna().items()}
    rows = [
        (person, each.photo_id, each.said, each.confidence if each.said else None, each.reason, groups.get(person, ""))
        for person, each in decisions.items()
        if each.reason not in NOT_LOOKED_FOR
    ]
    told = pd.DataFrame(rows, columns=DECIDED_COLUMNS).astype({"confidence": "float64"})
    return told.sort_values(["confidence", "person_id"], ignore_index=True)


def _fill(frame: pd.DataFrame, people: pd.Series[Any], decisions: Mapping[str, PersonDecision]) -> pd.DataFrame:
    made = {person: each for person, each in decisions.items() if each.gender is not None}
    rows = frame["gender"].isna() & people.isin(list(made))
    names = people[rows].tolist()
    filled = frame.copy()
    filled.loc[rows, "gender"] = [made[person].gender for person in names]
    filled.loc[rows, "gender_from"] = "pseudo"
    filled.loc[rows, "gender_confidence"] = np.array([made[person].confidence for person in names], dtype=np.float64)
    return validate_manifest(with_labels(filled))
