"""Learning gender from faces: the fit, its calibration and its thresholds, on people and on sources held out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.labels import GENDERS
from models.confidence import calibration_error, threshold_for
from models.errors import SettingsError, TooFewLabelsError
from models.face_views import blocks_of
from models.gender_model import (
    AGE_BANDS,
    NEVER,
    FloatArray,
    GenderModel,
    age_band,
    check_faces,
    kernel,
    parts,
    sigmoid,
)

MIN_PEOPLE_PER_GENDER = 10
"""Below this many people of a gender the held-out figures mean nothing."""

MIN_PEOPLE_PER_BAND = 100
"""An age band of fewer held-out people has no calibration and no threshold of its own."""

MAX_PHOTOS = 6_000
"""A kernel machine's fit grows with the square of the photos; of more some of each person are drawn."""

_FOLDS = 10
_LEAST_LEFT = 0.5
# Chosen by the log loss on held-out people of the FairFace sample, 0.272 by a machine for each part of `FaceViews`: it
# is 0.277 by one for all of them, and without a kernel some 0.025 more. A round of self-training, confident answers on
# another source joining, changed no accuracy on held-out people of it or of a third, so that there is none.
_REGULARISATION, _WIDTH = 3.0, 1.0

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GenderFit:
    """A model, and what is said of those it learned from by models that have not seen them.

    Attributes:
        model: learned from all of them.
        female: (N,) P(female) by a model that has not seen the photo's person; nan for photos not learned from.
    """

    model: GenderModel
    female: FloatArray


@dataclass(frozen=True, eq=False)
class _Known:
    """N photos of people whose gender is known: (N, D) numbers, and the rest (N,)."""

    vectors: FloatArray
    female: Codes
    people: NDArray[np.str_]
    ages: FloatArray
    sources: NDArray[np.str_]

    def of(self, rows: Codes) -> _Known:
        return _Known(*(getattr(self, each.name)[rows] for each in fields(self)))


def learn_gender(
    faces: NDArray[Any],
    genders: NDArray[Any],
    persons: NDArray[Any],
    seed: int = 0,
    *,
    precision: float = 0.97,
    ages: NDArray[Any] | None = None,
    sources: NDArray[Any] | None = None,
) -> GenderFit:
    """Learns gender from faces; calibrates it, and chooses when to abstain, on people it has not seen.

    Every photo is scored by a machine fitted without its person (`GroupKFold`); where its source has people enough and
    the other sources at least half of all, by one fitted without that whole source, since those who lack a gender are
    mostly of another source too. One score a person, of a photo drawn by the seed, then fits Platt's sigmoid (with his
    smoothed targets, Platt 1999) and the threshold: the lowest confidence at which the lower Wilson bound (one-sided
    80 %) of the share of right decisions among the people above it reaches `precision`. Age bands with people enough
    have both of their own: on held-out people of the FairFace sample that takes the log loss from 0.285 to 0.280. Where
    no threshold does, the model abstains always. A face unlike all that were learned from has a confidence near a
    coin's, as the kernel fades.

    Args:
        faces: (N, D), of `FaceViews` or of `FaceEmbedder`.
        genders: (N,) `male` or `female`.
        persons: (N,) who is in each photo.
        seed: of the folds, the photo drawn per person, and those drawn when there are more than `MAX_PHOTOS`.
        precision: share of right decisions to reach among those made, 0.5 to below 1.
        ages: (N,) in years, nan where unknown; no age is known without.
        sources: (N,) where each photo is from; one source without.

    Returns:
        The model, and what is said of the photos. The model's `held_out` has `people`, `accuracy`, `calibration_error`
        (expected, ten bins of confidence), `brier`, `coverage` and `precision` (of the decisions made, None without
        any), `precision_wanted`, and `other_sources`: the same of each source held out whole,
        by its name.

    Raises:
        TooFewLabelsError: fewer than `MIN_PEOPLE_PER_GENDER` people of one gender.
        EmbeddingError: the faces have another shape, or are not finite.
        SettingsError: the precision is out of its range, or the arrays' lengths differ.
    """
    if not 0.5 <= precision < 1:
        raise SettingsError(f"precision must be from 0.5 to below 1, not {precision}")
    whole = _checked(faces, genders, persons, ages, sources)
    rng = np.random.default_rng(seed)
    kept = _draw_photos(whole.people, whole.female, rng)
    known = whole.of(kept)
    mean, scale = _scaling(known.vectors)
    x, blocks = (known.vectors - mean) / scale, blocks_of(len(mean))
    # The parts' scores are brought to one spread before they are added up.
    machines = [_machine(x[:, part], known, seed, len(blocks)) for part in parts(blocks)]
    foreign = np.sum([each.foreign for each in machines], axis=0)
    scores = np.where(np.isnan(foreign), np.sum([each.scores for each in machines], axis=0), foreign)
    chosen = _one_each(known.people, rng)
    calibration = _calibrated(scores[chosen], known.of(chosen), precision)
    model = _model(mean, scale, x, machines, calibration)
    probability = model.probability_of_score(scores, known.ages)
    model.held_out.update(_told(model, known.of(chosen), probability[chosen], foreign[chosen]))
    model.held_out["precision_wanted"] = precision
    held_out = np.full(len(whole.people), np.nan)
    held_out[kept] = probability
    return GenderFit(model, held_out)


_Calibration = tuple[float, float, float, dict[str, tuple[float, float, float]]]
"""Slope, offset and threshold for people of unknown age, and those of bands of age."""


def _model(
    mean: FloatArray, scale: FloatArray, x: FloatArray, machines: list[_Machine], calibration: _Calibration
) -> GenderModel:
    """The machines as one model, of the photos that at least one of them leans on."""
    slope, offset, threshold, by_age = calibration
    dual = np.stack([each.dual for each in machines])
    support = np.flatnonzero(dual.any(axis=0))
    return GenderModel(
        mean=mean,
        scale=scale,
        support=x[support],
        dual=dual[:, support],
        blocks=blocks_of(len(mean)),
        width=_WIDTH,
        intercept=float(sum(each.intercept for each in machines)),
        platt_slope=slope,
        platt_offset=offset,
        threshold=threshold,
        by_age=by_age,
    )


def _told(model: GenderModel, known: _Known, probability: FloatArray, foreign: FloatArray) -> dict[str, Any]:
    """`GenderModel.held_out`, of one photo a person."""
    made = np.maximum(probability, 1 - probability) >= model.thresholds_for(known.ages)
    told = _measure(probability, known.female, made)
    others: dict[str, Any] = {}
    for name in np.unique(known.sources[~np.isnan(foreign)]):
        rows = known.sources == name
        others[str(name)] = _measure(probability[rows], known.female[rows], made[rows])
    return {**told, "other_sources": others}


def _checked(
    faces: NDArray[Any],
    genders: NDArray[Any],
    persons: NDArray[Any],
    ages: NDArray[Any] | None,
    sources: NDArray[Any] | None,
) -> _Known:
    vectors = check_faces(faces)
    names, people = np.asarray(genders, dtype=str), np.asarray(persons, dtype=str)
    if not len(vectors) == len(names) == len(people):
        raise SettingsError(f"{len(vectors)} embeddings, {len(names)} genders and {len(people)} persons: give one each")
    unknown = sorted(set(names.tolist()) - set(GENDERS))
    if unknown:
        raise SettingsError(f"genders must be {' or '.join(GENDERS)}, not {', '.join(unknown)}")
    for gender in GENDERS:
        count = len(set(people[names == gender].tolist()))
        if count < MIN_PEOPLE_PER_GENDER:
            raise TooFewLabelsError(
                f"learning gender takes {MIN_PEOPLE_PER_GENDER} labelled people of each; there are {count} {gender}: "
                "add a source that has genders"
            )
    years = np.full(len(people), np.nan) if ages is None else np.asarray(ages, dtype=np.float64)
    origins = np.full(len(people), "") if sources is None else np.asarray(sources, dtype=str)
    if not len(years) == len(origins) == len(people):
        raise SettingsError(f"{len(people)} embeddings, {len(years)} ages and {len(origins)} sources: give one each")
    return _Known(vectors, (names == GENDERS[1]).astype(np.int64), people, years, origins)


def _scaling(vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What to subtract and to divide by."""
    spread = vectors.std(axis=0)
    # A value that hardly ever differs would count as much as any other, and rounding in it with it.
    return vectors.mean(axis=0), np.maximum(spread, max(1e-3 * float(vectors.std()), 1e-12))


@dataclass(frozen=True, eq=False)
class _Machine:
    """Of one part: its coefficients of the N photos, and (N,) scores by machines that have not seen the photo's person.

    `foreign` are those by machines that have not seen its source, nan where there is none.
    """

    dual: FloatArray
    intercept: float
    scores: FloatArray
    foreign: FloatArray


def _machine(x: FloatArray, known: _Known, seed: int, count: int) -> _Machine:
    """One of so many machines; all it tells is divided by its held-out scores' spread and by their number."""
    values = kernel(x, x, _WIDTH)
    scores = _without_people(values, known, seed)
    unit = max(float(scores.std()), 1e-12) * count
    fitted = _svm().fit(values, known.female)
    dual = np.zeros(len(x))
    dual[fitted.support_] = fitted.dual_coef_[0] / unit
    return _Machine(dual, float(fitted.intercept_[0]) / unit, scores / unit, _without_sources(values, known) / unit)


def _svm() -> Any:
    from sklearn.svm import SVC

    return SVC(C=_REGULARISATION, kernel="precomputed")


def _scored(values: FloatArray, female: Codes, learn: Codes, held_out: Codes) -> FloatArray:
    fitted = _svm().fit(values[np.ix_(learn, learn)], female[learn])
    return np.asarray(fitted.decision_function(values[np.ix_(held_out, learn)]), dtype=np.float64)


def _without_people(values: FloatArray, known: _Known, seed: int) -> FloatArray:
    from sklearn.model_selection import GroupKFold

    scores = np.zeros(len(known.people))
    folds = GroupKFold(n_splits=_FOLDS, shuffle=True, random_state=seed)
    for learn, held_out in folds.split(scores, groups=known.people):
        scores[held_out] = _scored(values, known.female, learn, held_out)
    return scores


def _without_sources(values: FloatArray, known: _Known) -> FloatArray:
    """Scores by a machine that has seen nobody of the photo's source; nan where too few people are left for it.

    Without a source that holds most people there is no saying what the model, which learns from all, knows of others:
    a machine of the few that remain is so much worse that nobody would be decided on.
    """
    female, people = known.female, known.people
    scores, everybody = np.full(len(people), np.nan), len(np.unique(people))
    for name in np.unique(known.sources):
        held_out = np.flatnonzero(known.sources == name)
        learn = np.flatnonzero((known.sources != name) & ~np.isin(people, people[held_out]))
        if len(np.unique(people[learn])) < _LEAST_LEFT * everybody:
            continue
        if _enough(female[held_out], people[held_out]) and _enough(female[learn], people[learn]):
            scores[held_out] = _scored(values, female, learn, held_out)
    return scores


def _enough(female: Codes, people: NDArray[np.str_]) -> bool:
    return all(len(np.unique(people[female == code])) >= MIN_PEOPLE_PER_GENDER for code in (0, 1))


def _draw_photos(people: NDArray[np.str_], female: Codes, rng: np.random.Generator) -> Codes:
    """Rows of at most `MAX_PHOTOS`, drawn: one photo of everybody, then a second of those who have one, and so on.

    So many people that one photo of each is too much are drawn from, and those of a rare gender who are needed are
    among them.
    """
    if len(people) <= MAX_PHOTOS:
        return np.arange(len(people))
    shuffled = rng.permutation(len(people))
    turns = pd.Series(people[shuffled]).groupby(people[shuffled]).cumcount().to_numpy(copy=True)
    for code in (0, 1):
        turns[np.flatnonzero((turns == 0) & (female[shuffled] == code))[:MIN_PEOPLE_PER_GENDER]] = -1
    return np.sort(shuffled[np.argsort(turns, kind="stable")[:MAX_PHOTOS]])


def _one_each(people: NDArray[np.str_], rng: np.random.Generator) -> Codes:
    shuffled = rng.permutation(len(people))
    _, first = np.unique(people[shuffled], return_index=True)
    return np.sort(shuffled[first])


def _platt(scores: FloatArray, female: Codes) -> tuple[float, float]:
    """Slope and offset of the sigmoid, fitted to Platt's smoothed targets as weights on both answers."""
    from sklearn.linear_model import LogisticRegression

    positives = int(female.sum())
    negatives = len(female) - positives
    target = np.where(female == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    answers = np.repeat([1, 0], len(scores))
    weights = np.concatenate([target, 1 - target])
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(np.tile(scores, 2)[:, None], answers, sample_weight=weights)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _calibrated(scores: FloatArray, known: _Known, precision: float) -> _Calibration:
    bands = np.array([age_band(age) for age in known.ages])
    own = {}
    for name in AGE_BANDS:
        rows = np.flatnonzero(bands == name)
        if len(rows) >= MIN_PEOPLE_PER_BAND and _enough(known.female[rows], known.people[rows]):
            own[name] = _fitted(scores[rows], known.female[rows], precision)
    return *_fitted(scores, known.female, precision), own


def _fitted(scores: FloatArray, female: Codes, precision: float) -> tuple[float, float, float]:
    slope, offset = _platt(scores, female)
    probability = sigmoid(slope * scores + offset)
    confidence, right = np.maximum(probability, 1 - probability), (probability >= 0.5) == (female == 1)
    found = threshold_for(confidence, right, precision)
    return slope, offset, NEVER if found is None else found


def _measure(probability: FloatArray, female: Codes, made: NDArray[np.bool_]) -> dict[str, Any]:
    confidence = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == (female == 1)
    return {
        "people": len(female),
        "accuracy": float(right.mean()),
        "calibration_error": calibration_error(confidence, right),
        "brier": float(np.mean((probability - female) ** 2)),
        "coverage": float(made.mean()),
        "precision": float(right[made].mean()) if made.any() else None,
    }
