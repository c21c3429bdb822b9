"""Gender for photos that lack one: learned from people whose gender is given, with a confidence and an abstention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.manifest import validate_manifest, with_labels
from models.embedding import EMBEDDING_SIZE
from models.errors import TooFewLabelsError
from models.gender_fit import fit_gender
from models.gender_model import GenderModel

__all__ = ["GenderModel", "PseudoLabelled", "fit_gender", "pseudo_label"]

YOUNGEST = 10.0
"""Years. Under ten the embedding tells gender little better than a coin does, whatever confidence it claims."""


@dataclass(frozen=True)
class PseudoLabelled:
    """A manifest with genders filled in, and an account of how.

    Attributes:
        manifest: valid; the rows that were filled have `gender_from` = `pseudo` and a `gender_confidence`.
        report: `status` (`labelled`, `nothing_missing` or `abstained`), `reason` (why it abstained altogether, else
            None), `labelled_people` learned from, `held_out` (see `fit_gender`), `threshold`, `people_missing`,
            `people_filled`, `rows_filled`, and `abstained`: people by reason (`unsure`, `too_young`, `no_embedding`,
            `given_genders_differ`, `no_model`).
    """

    manifest: pd.DataFrame
    report: dict[str, Any]


@dataclass(frozen=True)
class _Decision:
    gender: str | None
    confidence: float
    reason: str


def pseudo_label(
    manifest: pd.DataFrame,
    embeddings: Mapping[str, NDArray[np.float32]],
    *,
    precision: float = 0.97,
    seed: int = 0,
    youngest: float = YOUNGEST,
) -> PseudoLabelled:
    """Fills in the gender of rows without one, by one decision a person.

    It learns from the people of this manifest whose gender is given (or corrected), from their photos without a mask
    where they have any. A person whose gender is given on some rows keeps it on the others.

    Args:
        manifest: valid; not changed.
        embeddings: (128,) by `photo_id`; photos may be missing from it.
        precision: share of right decisions to reach on held-out people; below it the model abstains.
        seed: of the fit.
        youngest: no decision for people known to be younger, in years.

    Returns:
        The filled manifest and the report. With too few labelled people nothing is filled and the report says why.
    """
    frame = validate_manifest(manifest)
    people = frame["person_id"]
    missing = frame["gender"].isna()
    report: dict[str, Any] = {
        "status": "nothing_missing",
        "reason": None,
        "labelled_people": 0,
        "held_out": None,
        "threshold": None,
        "people_missing": int(people[missing].nunique()),
        "people_filled": 0,
        "rows_filled": 0,
        "abstained": {},
    }
    if not missing.any():
        return PseudoLabelled(frame, report)
    usable = _usable(frame, people, embeddings)
    model = _learn(frame, people, embeddings, usable, precision, seed, report)
    decisions = _decide(frame, people, embeddings, usable, model, youngest)
    filled = _fill(frame, people, decisions)
    abstained = Counter(each.reason for each in decisions.values() if each.gender is None)
    report["abstained"] = dict(sorted(abstained.items()))
    report["people_filled"] = sum(each.gender is not None for each in decisions.values())
    report["rows_filled"] = int((missing & filled["gender"].notna()).sum())
    report["status"] = "labelled" if report["people_filled"] else "abstained"
    return PseudoLabelled(filled, report)


def _usable(frame: pd.DataFrame, people: pd.Series[Any], embeddings: Mapping[str, Any]) -> pd.Series[Any]:
    """Rows that speak for their person: embedded, and without a mask where the person has such a photo."""
    embedded = frame["photo_id"].isin(list(embeddings))
    bare = embedded & frame["mask"].fillna("not_wear").eq("not_wear")
    has_bare = bare.groupby(people).transform("any")
    return bare | (embedded & ~has_bare)


def _learn(
    frame: pd.DataFrame,
    people: pd.Series[Any],
    embeddings: Mapping[str, Any],
    usable: pd.Series[Any],
    precision: float,
    seed: int,
    report: dict[str, Any],
) -> GenderModel | None:
    """The model, its figures noted in the report; None, with the reason there, when there is too little to learn."""
    given = frame["gender"].notna() & frame["gender_from"].fillna("given").isin(["given", "corrected"])
    agreed = frame["gender"].where(given).groupby(people).transform("nunique").eq(1)
    rows = frame[given & agreed & usable]
    names = people[rows.index]
    report["labelled_people"] = int(names.nunique())
    vectors = _stack(rows["photo_id"], embeddings)
    try:
        model = fit_gender(vectors, rows["gender"].to_numpy(), names.to_numpy(), seed, precision=precision)
    except TooFewLabelsError as error:
        report["reason"] = str(error)
        return None
    report["held_out"] = model.held_out
    report["threshold"] = model.threshold if model.threshold <= 1 else None
    if model.threshold > 1:
        report["reason"] = (
            f"on {model.held_out['people']} held-out people no confidence reached a precision of {precision:g}: "
            "ask for a lower precision or add people with a gender"
        )
    return model


def _stack(photo_ids: pd.Series[Any], embeddings: Mapping[str, Any]) -> NDArray[np.float64]:
    vectors = [np.asarray(embeddings[each], dtype=np.float64) for each in photo_ids]
    return np.stack(vectors) if vectors else np.zeros((0, EMBEDDING_SIZE))


def _decide(
    frame: pd.DataFrame,
    people: pd.Series[Any],
    embeddings: Mapping[str, Any],
    usable: pd.Series[Any],
    model: GenderModel | None,
    youngest: float,
) -> dict[str, _Decision]:
    """A decision for every person with a row that lacks a gender."""
    wanted = people.isin(people[frame["gender"].isna()])
    given: dict[str, set[str]] = {}
    ages: dict[str, list[float]] = {}
    for person, gender, age in zip(people[wanted], frame["gender"][wanted], frame["age"][wanted], strict=True):
        given.setdefault(person, set()).update([] if pd.isna(gender) else [gender])
        ages.setdefault(person, []).extend([] if pd.isna(age) else [age])
    rows = frame[wanted & usable]
    names = [str(person) for person in rows["person_id"]]
    scores: dict[str, list[float]] = {person: [] for person in names}
    if model is not None:
        for person, score in zip(names, model.score(_stack(rows["photo_id"], embeddings)), strict=True):
            scores[person].append(float(score))
    return {
        person: _decide_one(sorted(genders), ages[person], scores.get(person), model, youngest)
        for person, genders in given.items()
    }


def _decide_one(
    given: list[str],
    ages: list[float],
    scores: list[float] | None,
    model: GenderModel | None,
    youngest: float,
) -> _Decision:
    if len(given) == 1:
        return _Decision(given[0], 1.0, "given")
    if given:
        return _Decision(None, 0.0, "given_genders_differ")
    if ages and max(ages) < youngest:
        return _Decision(None, 0.0, "too_young")
    if scores is None:
        return _Decision(None, 0.0, "no_embedding")
    if model is None:
        return _Decision(None, 0.0, "no_model")
    gender, confidence = model.decide(np.array(scores))
    return _Decision(gender, confidence, "unsure" if gender is None else "pseudo")


def _fill(frame: pd.DataFrame, people: pd.Series[Any], decisions: Mapping[str, _Decision]) -> pd.DataFrame:
    made = {person: each for person, each in decisions.items() if each.gender is not None}
    rows = frame["gender"].isna() & people.isin(list(made))
    names = people[rows].tolist()
    filled = frame.copy()
    filled.loc[rows, "gender"] = [made[person].gender for person in names]
    filled.loc[rows, "gender_from"] = "pseudo"
    filled.loc[rows, "gender_confidence"] = np.array([made[person].confidence for person in names], dtype=np.float64)
    return validate_manifest(with_labels(filled))
