"""Learning gender from embeddings: the fit, its calibration and its threshold, on people held out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.labels import GENDERS
from models.embedding import EMBEDDING_SIZE
from models.errors import SettingsError, TooFewLabelsError
from models.gender_model import FloatArray, GenderModel, check_embeddings, sigmoid

MIN_PEOPLE_PER_GENDER = 10
"""Below this many people of a gender the held-out figures mean nothing."""

MAX_PHOTOS = 8_000
"""A kernel machine's fit grows with the square of the photos; more than this are drawn from, person by person."""

_FOLDS = 5
# One-sided 80 % (z of the normal distribution): the precision holds on held-out people with that certainty. With a
# precision of 0.97 this asks for 23 held-out people without a mistake before anything is labelled.
_CERTAINTY_Z = 0.8416
_NEVER = 2.0
# The kernel's width for standardised numbers: what scikit-learn calls "scale".
_GAMMA = 1 / EMBEDDING_SIZE


def fit_gender(
    embeddings: NDArray[Any],
    genders: NDArray[Any],
    persons: NDArray[Any],
    seed: int = 0,
    *,
    precision: float = 0.97,
) -> GenderModel:
    """Learns gender from embeddings; calibrates it, and chooses when to abstain, on people it has not seen.

    Every photo is scored by a machine fitted without its person (`GroupKFold`). One score a person, of a photo drawn by
    the seed, then fits Platt's sigmoid (with his smoothed targets, Platt 1999) and the threshold: the lowest confidence
    at which the lower Wilson bound (one-sided 80 %) of the share of right decisions among the people above it reaches
    `precision`. Where no threshold does, the model abstains always.

    Args:
        embeddings: (N, 128).
        genders: (N,) `male` or `female`.
        persons: (N,) who is in each photo.
        seed: of the folds, the photo drawn per person, and the people drawn when there are more than `MAX_PHOTOS`.
        precision: share of right decisions to reach among those made, 0.5 to below 1.

    Returns:
        The model; its `held_out` has `people`, `accuracy`, `calibration_error` (expected, ten bins of confidence),
        `brier`, `coverage` and `precision` (of the decisions made, None without any), `precision_wanted`.

    Raises:
        TooFewLabelsError: fewer than `MIN_PEOPLE_PER_GENDER` people of one gender.
        EmbeddingError: the embeddings have another shape, or are not finite.
        SettingsError: the precision is out of its range, or the arrays' lengths differ.
    """
    if not 0.5 <= precision < 1:
        raise SettingsError(f"precision must be from 0.5 to below 1, not {precision}")
    vectors, female, people = _checked(embeddings, genders, persons)
    rng = np.random.default_rng(seed)
    kept = _draw_people(people, rng)
    vectors, female, people = vectors[kept], female[kept], people[kept]

    scores = _held_out_scores(vectors, female, people, seed)
    chosen = _one_each(people, rng)
    slope, offset = _platt(scores[chosen], female[chosen])
    probability = sigmoid(slope * scores[chosen] + offset)
    threshold = _threshold(probability, female[chosen], precision)
    machine = _machine().fit(vectors, female)
    scaler, svm = machine[0], machine[1]
    return GenderModel(
        mean=np.asarray(scaler.mean_),
        scale=np.asarray(scaler.scale_),
        support=np.asarray(svm.support_vectors_),
        dual=np.asarray(svm.dual_coef_[0]),
        gamma=_GAMMA,
        intercept=float(svm.intercept_[0]),
        platt_slope=slope,
        platt_offset=offset,
        threshold=threshold,
        held_out={**_measure(probability, female[chosen], threshold), "precision_wanted": precision},
    )


def _checked(
    embeddings: NDArray[Any], genders: NDArray[Any], persons: NDArray[Any]
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.str_]]:
    vectors = check_embeddings(embeddings)
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
    return vectors, (names == GENDERS[1]).astype(np.int64), people


def _machine() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    # Best of what was tried on real faces (learned on FairFace, tested on All-Age-Faces: 0.934, against 0.921 for the
    # best logistic regression).
    return make_pipeline(StandardScaler(), SVC(C=1.0, gamma=_GAMMA))


def _held_out_scores(vectors: FloatArray, female: NDArray[np.int64], people: NDArray[np.str_], seed: int) -> FloatArray:
    from sklearn.model_selection import GroupKFold, cross_val_predict

    folds = GroupKFold(n_splits=_FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(_machine(), vectors, female, groups=people, cv=folds, method="decision_function")
    return np.asarray(scores, dtype=np.float64)


def _draw_people(people: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of as many whole people, in random order, as make up `MAX_PHOTOS`; all rows when there are fewer."""
    if len(people) <= MAX_PHOTOS:
        return np.arange(len(people))
    names, inverse, counts = np.unique(people, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    keep = np.zeros(len(names), dtype=bool)
    keep[order[np.cumsum(counts[order]) <= MAX_PHOTOS]] = True
    return np.flatnonzero(keep[inverse])


def _one_each(people: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    shuffled = rng.permutation(len(people))
    _, first = np.unique(people[shuffled], return_index=True)
    return np.sort(shuffled[first])


def _platt(scores: FloatArray, female: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset of the sigmoid, fitted to Platt's smoothed targets as weights on both answers."""
    from sklearn.linear_model import LogisticRegression

    positives = int(female.sum())
    negatives = len(female) - positives
    target = np.where(female == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    answers = np.repeat([1, 0], len(scores))
    weights = np.concatenate([target, 1 - target])
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(np.tile(scores, 2)[:, None], answers, sample_weight=weights)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _threshold(probability: FloatArray, female: NDArray[np.int64], precision: float) -> float:
    confidence = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == (female == 1)
    order = np.argsort(-confidence, kind="stable")
    made = np.arange(1, len(order) + 1)
    bound = _wilson_lower(np.cumsum(right[order]), made)
    reached = np.flatnonzero(bound >= precision)
    return float(confidence[order][reached[-1]]) if len(reached) else _NEVER


def _wilson_lower(right: NDArray[Any], made: NDArray[Any]) -> FloatArray:
    """Lower bound of a share (Wilson 1927)."""
    z, share = _CERTAINTY_Z, right / made
    spread = z * np.sqrt(share * (1 - share) / made + z**2 / (4 * made**2))
    bound: FloatArray = (share + z**2 / (2 * made) - spread) / (1 + z**2 / made)
    return bound


def _measure(probability: FloatArray, female: NDArray[np.int64], threshold: float) -> dict[str, Any]:
    confidence = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == (female == 1)
    made = confidence >= threshold
    return {
        "people": len(female),
        "accuracy": float(right.mean()),
        "calibration_error": _calibration_error(confidence, right),
        "brier": float(np.mean((probability - female) ** 2)),
        "coverage": float(made.mean()),
        "precision": float(right[made].mean()) if made.any() else None,
    }


def _calibration_error(confidence: FloatArray, right: NDArray[np.bool_]) -> float:
    """Mean gap of confidence and accuracy over ten bins of 0.5 to 1, weighted by how many are in each."""
    bins = np.minimum(((confidence - 0.5) * 20).astype(int), 9)
    gaps = [
        (bins == each).mean() * abs(right[bins == each].mean() - confidence[bins == each].mean())
        for each in np.unique(bins)
    ]
    return float(sum(gaps))
