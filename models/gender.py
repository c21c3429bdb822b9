"""Gender for photos that lack one: learned from people whose gender is given, with a confidence and an abstention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS, GENDERS
from datasets.manifest import validate_manifest, with_labels
from models.errors import TooFewLabelsError
from models.face_views import SIZE, FaceViews
from models.gender_blend import GenderBlend, Heard, NetworkAnswers
from models.gender_fit import GenderFit, learn_gender
from models.gender_model import GenderModel
from models.gender_people import Speaking, joining, seen_masked_only, speaking, teaching, told
from models.joining import Pool
from models.self_training import Progress

__all__ = ["GenderModel", "PseudoLabelled", "learn_gender", "pseudo_label"]

GIVEN_COLUMNS = ["photo_id", "person_id", "gender", "said", "confidence", "decided"]
DECIDED_COLUMNS = ["person_id", "photo_id", "said", "confidence", "reason", "age_group"]

YOUNGEST = 10.0
"""Years. Under ten the embedding tells gender little better than a coin does, whatever confidence it claims."""

_AT_ONCE = 4096
"""Photos that are scored at a time."""

_NOT_LOOKED_FOR: Final = ("given", "earlier")
"""Why people have a gender of whom another row has one."""

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


@dataclass(frozen=True)
class _Decision:
    gender: str | None
    confidence: float
    reason: str
    said: str = ""
    photo_id: str = ""


@dataclass(frozen=True)
class _Judge:
    """A model, and the blend of it and what a network says of photos, in log-odds by id, where there is one.

    `joined` are scores by the id of photos that the model has learned from, as their people joined in self-training, by
    models that have not.
    """

    model: GenderModel
    blend: GenderBlend | None = None
    logits: Mapping[str, float] = field(default_factory=dict)
    joined: Mapping[str, float] = field(default_factory=dict)


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
    decisions = _decide(frame, people, embeddings, judged, (model, of_masked), youngest)
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
) -> tuple[_Judge | None, pd.DataFrame]:
    """What judges, its figures noted in the report, and what is said of those it learned from.

    None, with the reason in the report, when there is too little to learn.
    """
    names = rows["person_id"]
    report["labelled_people"] = int(names.nunique())
    vectors = _stack(rows["photo_id"], embeddings)
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
    return _Judge(model, learned.blend, logits, _joined(joiners, learned)), _given_table(rows, learned)


def _pool(joiners: pd.DataFrame, embeddings: Mapping[str, Any], length: int) -> Pool:
    vectors = _stack(joiners["photo_id"], embeddings).astype(np.float64)
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


def _decided_table(decisions: Mapping[str, _Decision], frame: pd.DataFrame) -> pd.DataFrame:
    """`PseudoLabelled.decided`; who has a gender on another row was not looked for."""
    order = {name: place for place, name in enumerate(AGE_GROUPS)}
    oldest = frame["age_group"].map(order).groupby(frame["person_id"]).max()
    groups = {str(person): AGE_GROUPS[int(place)] for person, place in oldest.dropna().items()}
    rows = [
        (person, each.photo_id, each.said, each.confidence if each.said else None, each.reason, groups.get(person, ""))
        for person, each in decisions.items()
        if each.reason not in _NOT_LOOKED_FOR
    ]
    told = pd.DataFrame(rows, columns=DECIDED_COLUMNS).astype({"confidence": "float64"})
    return told.sort_values(["confidence", "person_id"], ignore_index=True)


def _stack(photo_ids: pd.Series[Any], embeddings: Mapping[str, Any]) -> NDArray[np.float32]:
    vectors = [np.asarray(embeddings[each], dtype=np.float32) for each in photo_ids]
    return np.stack(vectors) if vectors else np.zeros((0, SIZE), dtype=np.float32)


def _scores(judge: _Judge | None, photo_ids: pd.Series[Any], embeddings: Mapping[str, Any]) -> NDArray[np.float64]:
    """Of photos, a few thousand at a time: a set's descriptions all in one array may not fit beside the embeddings."""
    if judge is None:
        return np.zeros(len(photo_ids))
    starts = range(0, len(photo_ids), _AT_ONCE)
    told = [judge.model.score(_stack(photo_ids.iloc[at : at + _AT_ONCE], embeddings)) for at in starts]
    apart = np.array([judge.joined.get(str(each), np.nan) for each in photo_ids], dtype=np.float64)
    return np.where(np.isnan(apart), np.concatenate([np.zeros(0), *told]), apart)


def _speaking_of(rows: pd.DataFrame, judge: _Judge | None) -> pd.DataFrame:
    """Without photos of people who joined by others: what the model says of those, their own label may have taught."""
    if judge is None or not judge.joined:
        return rows
    joined = rows["photo_id"].isin(list(judge.joined))
    return rows[joined | ~joined.groupby(rows["person_id"]).transform("any")]


def _decide(
    frame: pd.DataFrame,
    people: pd.Series[Any],
    embeddings: Mapping[str, Any],
    judged: Speaking,
    models: tuple[_Judge | None, _Judge | None],
    youngest: float,
) -> dict[str, _Decision]:
    """A decision for every person with a row that lacks a gender; the models are of bare faces and of masked ones."""
    wanted = people.isin(people[frame["gender"].isna()])
    given: dict[str, set[str]] = {}
    ages: dict[str, list[float]] = {}
    for person, gender, known, age in zip(
        people[wanted], frame["gender"][wanted], told(frame)[wanted], frame["age"][wanted], strict=True
    ):
        given.setdefault(person, set()).update([gender] if known else [])
        ages.setdefault(person, []).extend([] if pd.isna(age) else [age])
    earlier = _earlier(frame[wanted], people[wanted])
    decisions = {person: _known(genders, earlier.get(person, {})) for person, genders in given.items()}
    for chosen, model, reason in zip(judged, models, ("no_model", "masked_only"), strict=True):
        rows = _speaking_of(frame[wanted & chosen].sort_values("photo_id"), model)
        scores = _scores(model, rows["photo_id"], embeddings)
        for person, group in rows[["person_id", "photo_id"]].assign(score=scores).groupby("person_id"):
            if decisions[str(person)].gender is None:
                decisions[str(person)] = _decide_one(group, ages[str(person)], model, reason)
    for person, genders in given.items():
        if len(genders) > 1:
            decisions[person] = _Decision(None, 0.0, "given_genders_differ")
        elif decisions[person].reason not in _NOT_LOOKED_FOR and ages[person] and max(ages[person]) < youngest:
            decisions[person] = _Decision(None, 0.0, "too_young")
    return decisions


def _earlier(frame: pd.DataFrame, people: pd.Series[Any]) -> dict[str, dict[str, float]]:
    """Of each person the genders that were guessed earlier, with the least of their confidences."""
    guessed = frame["gender"].notna() & ~told(frame)
    found: dict[str, dict[str, float]] = {}
    confidences = frame["gender_confidence"].fillna(0.0)
    for person, gender, sure in zip(people[guessed], frame["gender"][guessed], confidences[guessed], strict=True):
        genders = found.setdefault(person, {})
        genders[gender] = min(float(sure), genders.get(gender, 1.0))
    return found


def _known(given: Collection[str], earlier: Mapping[str, float]) -> _Decision:
    """What the rows of one person tell that have a gender already."""
    if len(given) == 1:
        return _Decision(min(given), 1.0, "given")
    if not given and len(earlier) == 1:
        ((gender, confidence),) = earlier.items()
        return _Decision(gender, confidence, "earlier")
    return _Decision(None, 0.0, "no_embedding")


def _decide_one(photos: pd.DataFrame, ages: list[float], judge: _Judge | None, without: str) -> _Decision:
    """Of one person's photos; `without` is why there is no decision where there is no model."""
    if judge is None:
        return _Decision(None, 0.0, without)
    scores, age = photos["score"].to_numpy(), max(ages) if ages else None
    logits = np.array([judge.logits.get(str(each), np.nan) for each in photos["photo_id"]])
    if judge.blend is not None and np.isfinite(logits).any():
        gender, confidence, said = judge.blend.decide(scores, logits, age)
    else:
        gender, confidence, said = judge.model.decide(scores, age)
    reason = "unsure" if gender is None else "pseudo"
    return _Decision(gender, confidence, reason, said, str(photos["photo_id"].iloc[0]))


def _fill(frame: pd.DataFrame, people: pd.Series[Any], decisions: Mapping[str, _Decision]) -> pd.DataFrame:
    made = {person: each for person, each in decisions.items() if each.gender is not None}
    rows = frame["gender"].isna() & people.isin(list(made))
    names = people[rows].tolist()
    filled = frame.copy()
    filled.loc[rows, "gender"] = [made[person].gender for person in names]
    filled.loc[rows, "gender_from"] = "pseudo"
    filled.loc[rows, "gender_confidence"] = np.array([made[person].confidence for person in names], dtype=np.float64)
    return validate_manifest(with_labels(filled))
