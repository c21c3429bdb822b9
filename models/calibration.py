"""From a score to a chance: Platt's sigmoid or a rising curve, whichever tells more of people it was not fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Codes = NDArray[np.int64]

FOLDS: Final = 10
"""Of people, who are told by curves that were fitted to the others."""

PLATT, ISOTONIC = "platt", "isotonic"
KINDS: Final = (PLATT, ISOTONIC)
"""The curves there are; of equally good ones the first is taken."""


@dataclass(frozen=True)
class Platt:
    """1 / (1 + exp(-(slope * score + offset))) (Platt 1999)."""

    slope: float
    offset: float

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Chances of (N,) scores."""
        return sigmoid(self.slope * scores + self.offset)


@dataclass(frozen=True, eq=False)
class Isotonic:
    """Straight lines between knots, and level beyond the first and the last.

    Attributes:
        scores: (K,) rising.
        chances: (K,) likewise, each above 0 and below 1.
    """

    scores: FloatArray
    chances: FloatArray

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Chances of (N,) scores."""
        return np.asarray(np.interp(scores, self.scores, self.chances), dtype=np.float64)


Curve = Platt | Isotonic


def fit_curve(kind: str, scores: FloatArray, yes: Codes) -> Curve:
    """A curve through scores of one photo a person.

    Args:
        kind: of `KINDS`.
        scores: (N,), N at least 1.
        yes: (N,) 1 or 0.
    """
    target = _smoothed(yes)
    return _platt(scores, target) if kind == PLATT else _isotonic(scores, target)


def log_losses(chance: FloatArray, yes: Codes) -> FloatArray:
    """(N,) in nats."""
    losses: FloatArray = -np.log(np.maximum(np.where(yes == 1, chance, 1 - chance), 1e-12))
    return losses


def folds_by_person(people: NDArray[np.str_], yes: Codes, seed: int) -> Codes:
    """(N,) the fold of each photo's person; people of each answer are dealt evenly.

    Args:
        people: (N,) who is in each photo.
        yes: (N,) whole numbers, the same for all photos of a person.
        seed: of the dealing.
    """
    names, first, at = np.unique(people, return_index=True, return_inverse=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    order = order[np.argsort(yes[first][order], kind="stable")]
    dealt = np.zeros(len(names), dtype=np.int64)
    dealt[order] = np.arange(len(names)) % FOLDS
    return np.asarray(dealt[at], dtype=np.int64)


def parted(fold: Codes, chosen: NDArray[np.bool_]) -> Iterator[tuple[Codes, Codes]]:
    """Row numbers to fit on, of the chosen ones, and all those of the fold left out; a fold without rows is skipped."""
    for number in np.unique(fold):
        yield np.flatnonzero(chosen & (fold != number)), np.flatnonzero(fold == number)


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    values: FloatArray = 0.5 * (1 + np.tanh(0.5 * x))
    return values


def _smoothed(yes: Codes) -> FloatArray:
    """Platt's targets, which are never 0 or 1: of N+ and N- photos (N+ + 1) / (N+ + 2) and 1 / (N- + 2)."""
    positives = int(yes.sum())
    negatives = len(yes) - positives
    return np.where(yes == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _platt(scores: FloatArray, target: FloatArray) -> Platt:
    """The targets count as weights on both answers."""
    from sklearn.linear_model import LogisticRegression

    answers = np.repeat([1, 0], len(scores))
    weights = np.concatenate([target, 1 - target])
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(np.tile(scores, 2)[:, None], answers, sample_weight=weights)
    return Platt(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))


def _isotonic(scores: FloatArray, target: FloatArray) -> Isotonic:
    """Centred (Oron and Flournoy 2017): a level stretch stands at the mean of its scores, so that the curve rises."""
    from sklearn.isotonic import IsotonicRegression

    level = IsotonicRegression().fit(scores, target).predict(scores)
    # Rounding parts a stretch into several that differ by nothing.
    heights, stretch, counts = np.unique(level.round(9), return_inverse=True, return_counts=True)
    return Isotonic(np.bincount(stretch, weights=scores) / counts, heights)


def curve_to_dict(curve: Curve) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """A curve as what JSON takes, and as arrays."""
    if isinstance(curve, Platt):
        return {"kind": PLATT, "slope": curve.slope, "offset": curve.offset}, {}
    return {"kind": ISOTONIC}, {"scores": curve.scores, "chances": curve.chances}


def curve_from_dict(told: dict[str, Any], arrays: dict[str, FloatArray]) -> Curve:
    """What `curve_to_dict` gave, as a curve.

    Raises:
        ValueError: it is something else.
    """
    if told["kind"] == PLATT:
        return Platt(float(told["slope"]), float(told["offset"]))
    scores, chances = arrays["scores"], arrays["chances"]
    fits = scores.ndim == 1 and scores.shape == chances.shape and len(scores) > 0
    rising = fits and bool((np.diff(scores) > 0).all() and (np.diff(chances) > 0).all())
    if told["kind"] != ISOTONIC or not rising or not (chances[0] > 0 and chances[-1] < 1):
        raise ValueError(f"a {told['kind']} curve of knots that do not rise")
    return Isotonic(scores, chances)
