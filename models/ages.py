"""Given age groups that a photo's face contradicts: how sure each is, and which are doubtful, on people held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS
from models.calibration import FloatArray
from models.embedding import EMBEDDING_SIZE
from models.errors import TooFewLabelsError
from models.face_machine import check_labelled

MIN_PEOPLE_PER_GROUP = 20
"""A group of fewer people is left out: held out a fifth at a time, they teach nothing that could judge the others."""

NEIGHBOURS = 10

_FOLDS = 5
_REGULARISATION = 0.003
"""scikit-learn's C. On 300 real faces the held-out log loss is 0.70 from 0.001 to 0.003, 0.73 at 0.01, 0.80 at 0.1."""
_MAX_LOG_TEMPERATURE = 3.0

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AgeCheck:
    """What faces say of N given age groups; row by row as the photos were given.

    Attributes:
        probability: (N, 3) float64 of `AGE_GROUPS`, calibrated, by a model that has not seen the photo's person. 0 for
            a group that is left out; NaN in rows that are not judged, because theirs is.
        confidence: (N,) float64, the probability of the group given; NaN where not judged.
        said: (N,) the likeliest group; empty where not judged.
        doubtful: (N,) bool; see `check_ages`.
        neighbours: (N,) float64, 0 to 1: how many of the ten nearest faces share the group given, sought among the
            faces of the other four folds; NaN where not judged.
        thresholds: mean confidence by group, of the groups judged.
        held_out: `people`, `accuracy` (mean of the groups' shares that the model says as given), `log_loss` (every
            group counting the same, in nats) and `temperature` (the mean over the folds).
    """

    probability: FloatArray
    confidence: FloatArray
    said: NDArray[np.str_]
    doubtful: NDArray[np.bool_]
    neighbours: FloatArray
    thresholds: dict[str, float]
    held_out: dict[str, Any]


def check_ages(embeddings: NDArray[Any], groups: NDArray[Any], persons: NDArray[Any], seed: int = 0) -> AgeCheck:
    """Judges given age groups by faces: what would a model say that has learned from everyone else?

    Logistic regression on standardised embeddings gives every photo the three groups' probabilities without having
    seen its person (five folds by person), made honest by a temperature (Guo et al., "On Calibration of Modern Neural
    Networks", 2017) fitted to the other folds' held-out answers. All groups count the same in both: otherwise whoever
    is in a rare group would be doubted for its rarity alone, and those over 60 are rare.

    Doubtful is an age by the rule of confident learning (Northcutt, Jiang, Chuang, "Confident Learning", JAIR 2021):
    another group is the likeliest, and likelier than it is on average for the photos that were given that group. The
    result doesn't depend on the rows' order. The rule is as good as the model: where few people teach it, as its
    held-out accuracy shows, many right ages are doubtful too, and a low confidence is the safer guide.

    Args:
        embeddings: (N, 128).
        groups: (N,) of `AGE_GROUPS`: what is given.
        persons: (N,) who is in each photo.
        seed: of the folds.

    Raises:
        TooFewLabelsError: fewer than two groups have `MIN_PEOPLE_PER_GROUP` people.
        EmbeddingError: the embeddings have another shape, or are not finite.
        SettingsError: the arrays' lengths differ, or a group is unknown.
    """
    vectors, codes, people = check_labelled(embeddings, groups, persons, AGE_GROUPS, "age groups", EMBEDDING_SIZE)
    judged = _groups_to_judge(codes, people)
    rows = _in_fixed_order(vectors, codes, people, np.flatnonzero(np.isin(codes, judged)))
    given = np.searchsorted(judged, codes[rows])
    probability, near, temperature = _judge(vectors[rows], given, people[rows], seed)
    at = np.arange(len(rows))
    thresholds = np.array([probability[given == each, each].mean() for each in range(len(judged))])
    likeliest = probability.argmax(axis=1)
    doubtful = (likeliest != given) & (probability[at, likeliest] >= thresholds[likeliest])
    return AgeCheck(
        **_spread(len(codes), rows, judged, probability, given, likeliest),
        doubtful=_placed(len(codes), rows, doubtful, fill=False),
        neighbours=_placed(len(codes), rows, near, fill=np.nan),
        thresholds={AGE_GROUPS[code]: float(each) for code, each in zip(judged, thresholds, strict=True)},
        held_out={
            "people": len(np.unique(people[rows])),
            "accuracy": float(np.mean([(likeliest == given)[given == each].mean() for each in range(len(judged))])),
            "log_loss": _log_loss(probability, given),
            "temperature": temperature,
        },
    )


def _groups_to_judge(codes: Codes, people: NDArray[np.str_]) -> Codes:
    counts = [len(np.unique(people[codes == code])) for code in range(len(AGE_GROUPS))]
    enough = np.flatnonzero(np.array(counts) >= MIN_PEOPLE_PER_GROUP)
    if len(enough) < 2:
        told = ", ".join(f"{count} {name}" for name, count in zip(AGE_GROUPS, counts, strict=True))
        raise TooFewLabelsError(
            f"judging ages takes {MIN_PEOPLE_PER_GROUP} people with a given age and a bare face in each of two groups "
            f"or more; there are {told}: add a source that has ages"
        )
    return enough


def _in_fixed_order(vectors: FloatArray, codes: Codes, people: NDArray[np.str_], rows: Codes) -> Codes:
    """The rows sorted by what is in them, so that folds and rounding are the same however they came."""
    keys = {int(row): (str(people[row]), int(codes[row]), vectors[row].tobytes()) for row in rows}
    return np.array(sorted(keys, key=keys.__getitem__), dtype=np.int64)


def _judge(
    vectors: FloatArray, given: Codes, people: NDArray[np.str_], seed: int
) -> tuple[FloatArray, FloatArray, float]:
    """Calibrated probabilities (N, groups), the neighbours' agreement (N,), and the mean temperature."""
    logits = np.zeros((len(given), int(given.max()) + 1))
    near = np.zeros(len(given))
    fold = np.zeros(len(given), dtype=np.int64)
    for number, (learn, held_out) in enumerate(_folds(vectors, given, people, seed)):
        fold[held_out] = number
        logits[held_out], near[held_out] = _hold_out(vectors[learn], given[learn], vectors[held_out], given[held_out])
    probability = np.zeros_like(logits)
    temperatures = []
    for number in range(_FOLDS):
        own = fold == number
        temperatures.append(_temperature(logits[~own], given[~own]))
        probability[own] = _softmax(logits[own] / temperatures[-1])
    return probability, near, float(np.mean(temperatures))


def _folds(
    vectors: FloatArray, given: Codes, people: NDArray[np.str_], seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(n_splits=_FOLDS, shuffle=True, random_state=seed)
    yield from folds.split(vectors, given, groups=people)


def _hold_out(
    learn: FloatArray, taught: Codes, held_out: FloatArray, given: Codes
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Log-probabilities (N, groups) of held-out faces, and what share of the nearest faces has the group given."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(learn)
    model = LogisticRegression(C=_REGULARISATION, class_weight="balanced", max_iter=2000)
    model.fit(scaler.transform(learn), taught)
    # dlib's network was trained for plain Euclidean distances, so neighbours are sought without the scaling.
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(learn)), algorithm="brute").fit(learn)
    found = nearest.kneighbors(held_out, return_distance=False)
    logits: FloatArray = model.predict_log_proba(scaler.transform(held_out))
    return logits, (taught[found] == given[:, None]).mean(axis=1)


def _temperature(logits: FloatArray, given: Codes) -> float:
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return _log_loss(_softmax(logits / np.exp(log_temperature)), given)

    bounds = (-_MAX_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def _softmax(logits: FloatArray) -> FloatArray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: FloatArray = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _log_loss(probability: FloatArray, given: Codes) -> float:
    losses = -np.log(np.maximum(probability[np.arange(len(given)), given], 1e-12))
    return float(np.mean([losses[given == each].mean() for each in np.unique(given)]))


def _spread(
    size: int, rows: Codes, judged: Codes, probability: FloatArray, given: Codes, likeliest: Codes
) -> dict[str, Any]:
    """The answers of the judged rows, in the order the photos were given."""
    whole = np.full((size, len(AGE_GROUPS)), np.nan)
    whole[rows] = 0.0
    whole[rows[:, None], judged] = probability
    said = np.full(size, "", dtype=f"U{max(map(len, AGE_GROUPS))}")
    said[rows] = np.array(AGE_GROUPS)[judged[likeliest]]
    confidence = _placed(size, rows, probability[np.arange(len(rows)), given], fill=np.nan)
    return {"probability": whole, "confidence": confidence, "said": said}


def _placed(size: int, rows: Codes, values: NDArray[Any], *, fill: float | bool) -> NDArray[Any]:
    whole = np.full(size, fill, dtype=values.dtype)
    whole[rows] = values
    return whole
