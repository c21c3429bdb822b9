"""Whether somebody who lacks a gender is given one, and why not: by the scores of their photos."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.face_views import SIZE
from models.gender_blend import GenderBlend
from models.gender_model import GenderModel
from models.gender_people import Speaking, told

_AT_ONCE = 4096
"""Photos that are scored at a time."""

NOT_LOOKED_FOR: Final = ("given", "earlier")
"""Why people have a gender of whom another row has one."""


@dataclass(frozen=True)
class PersonDecision:
    """Of one person.

    Attributes:
        gender: None where there is none.
        confidence: in the likelier one, 0.5 to 1; 0 where nothing was said, 1 where it is given.
        reason: why there is one, or none; see `models.gender.PseudoLabelled`.
        said: the likelier gender; empty where nothing was said.
        photo_id: one of the photos that tell it; likewise.
    """

    gender: str | None
    confidence: float
    reason: str
    said: str = ""
    photo_id: str = ""


@dataclass(frozen=True)
class Judge:
    """A model, and the blend of it and what a network says of photos, in log-odds by id, where there is one.

    `joined` are scores by the id of photos that the model has learned from, as their people joined in self-training, by
    models that have not.
    """

    model: GenderModel
    blend: GenderBlend | None = None
    logits: Mapping[str, float] = field(default_factory=dict)
    joined: Mapping[str, float] = field(default_factory=dict)


def stack(photo_ids: pd.Series[Any], embeddings: Mapping[str, Any]) -> NDArray[np.float32]:
    """(N, D) descriptions of photos, of (D,) by id."""
    vectors = [np.asarray(embeddings[each], dtype=np.float32) for each in photo_ids]
    return np.stack(vectors) if vectors else np.zeros((0, SIZE), dtype=np.float32)


def _scores(judge: Judge | None, photo_ids: pd.Series[Any], embeddings: Mapping[str, Any]) -> NDArray[np.float64]:
    """Of photos, a few thousand at a time: a set's descriptions all in one array may not fit beside the embeddings."""
    if judge is None:
        return np.zeros(len(photo_ids))
    starts = range(0, len(photo_ids), _AT_ONCE)
    told = [judge.model.score(stack(photo_ids.iloc[at : at + _AT_ONCE], embeddings)) for at in starts]
    apart = np.array([judge.joined.get(str(each), np.nan) for each in photo_ids], dtype=np.float64)
    return np.where(np.isnan(apart), np.concatenate([np.zeros(0), *told]), apart)


def _speaking_of(rows: pd.DataFrame, judge: Judge | None) -> pd.DataFrame:
    """Without photos of people who joined by others: what the model says of those, their own label may have taught."""
    if judge is None or not judge.joined or rows.empty:
        return rows
    joined = rows["photo_id"].isin(list(judge.joined))
    return rows[joined | ~joined.groupby(rows["person_id"]).transform("any")]


def decide_people(
    frame: pd.DataFrame,
    people: pd.Series[Any],
    embeddings: Mapping[str, Any],
    judged: Speaking,
    models: tuple[Judge | None, Judge | None],
    youngest: float,
) -> dict[str, PersonDecision]:
    """A decision for every person with a row that lacks a gender.

    Args:
        frame: a manifest.
        people: (rows) who is in each photo.
        embeddings: (D,) by photo id.
        judged: the rows by which people are judged, bare and masked.
        models: of bare faces and of masked ones.
        youngest: no decision for people known to be younger, in years.
    """
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
            decisions[person] = PersonDecision(None, 0.0, "given_genders_differ")
        elif decisions[person].reason not in NOT_LOOKED_FOR and ages[person] and max(ages[person]) < youngest:
            decisions[person] = PersonDecision(None, 0.0, "too_young")
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


def _known(given: Collection[str], earlier: Mapping[str, float]) -> PersonDecision:
    """What the rows of one person tell that have a gender already."""
    if len(given) == 1:
        return PersonDecision(min(given), 1.0, "given")
    if not given and len(earlier) == 1:
        ((gender, confidence),) = earlier.items()
        return PersonDecision(gender, confidence, "earlier")
    return PersonDecision(None, 0.0, "no_embedding")


def _decide_one(photos: pd.DataFrame, ages: list[float], judge: Judge | None, without: str) -> PersonDecision:
    """Of one person's photos; `without` is why there is no decision where there is no model."""
    if judge is None:
        return PersonDecision(None, 0.0, without)
    scores, age = photos["score"].to_numpy(), max(ages) if ages else None
    logits = np.array([judge.logits.get(str(each), np.nan) for each in photos["photo_id"]])
    if judge.blend is not None and np.isfinite(logits).any():
        gender, confidence, said = judge.blend.decide(scores, logits, age)
    else:
        gender, confidence, said = judge.model.decide(scores, age)
    reason = "unsure" if gender is None else "pseudo"
    return PersonDecision(gender, confidence, reason, said, str(photos["photo_id"].iloc[0]))
