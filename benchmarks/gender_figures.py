"""What a gender model's answers are worth, with intervals by photo: the figures of the benchmark of genders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.confidence import calibration_error, coverage_at

DRAWS = 1000
"""Of the bootstrap; its interval is the middle 95 % of them."""


@dataclass(frozen=True)
class Answers:
    """Of N photos.

    Attributes:
        female: (N,) P(female), by the model.
        truth: (N,) bool, whether she is.
        made: (N,) bool, whether the model decides at its own threshold.
    """

    female: NDArray[np.float64]
    truth: NDArray[np.bool_]
    made: NDArray[np.bool_]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """In the likelier gender, 0.5 to 1."""
        return np.maximum(self.female, 1 - self.female)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the likelier gender is the true one."""
        return np.asarray((self.female >= 0.5) == self.truth)

    def of(self, chosen: NDArray[Any]) -> Answers:
        """Those of some of the photos, by mask or by number."""
        return Answers(self.female[chosen], self.truth[chosen], self.made[chosen])


@dataclass(frozen=True)
class Figure:
    """A measured share, and its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "-"
        return f"{self.value:.3f} ({self.low:.3f}..{self.high:.3f})"


def accuracy(answers: Answers) -> float:
    """Share of the likelier genders that are true."""
    return float(answers.right.mean())


def accuracy_of_surest(answers: Answers, share: float = 0.9) -> float:
    """Share that is right among the surest nine tenths."""
    order = np.argsort(-answers.confidence, kind="stable")
    return float(answers.right[order[: max(round(share * len(order)), 1)]].mean())


def coverage(answers: Answers, precision: float = 0.99) -> float:
    """The largest share that a threshold labels with this precision, chosen in hindsight."""
    return coverage_at(answers.confidence, answers.right, precision)


def error_of_calibration(answers: Answers) -> float:
    """Expected calibration error, ten bins of confidence."""
    return calibration_error(answers.confidence, answers.right)


def labelled(answers: Answers) -> float:
    """Share that the model decides at its own threshold."""
    return float(answers.made.mean())


def precision(answers: Answers) -> float:
    """Share of the model's own decisions that is right; nan without any."""
    return float(answers.right[answers.made].mean()) if answers.made.any() else float("nan")


FIGURES: dict[str, Callable[[Answers], float]] = {
    "accuracy": accuracy,
    "of the surest 90 %": accuracy_of_surest,
    "share at 99 %": coverage,
    "calibration error": error_of_calibration,
    "labelled at stated 0.99": labelled,
    "their precision": precision,
}


def measured(figure: Callable[[Answers], float], answers: Answers, seed: int = 0) -> Figure:
    """A figure with its bootstrap interval; photos are drawn, each counted as a person of its own."""
    count = len(answers.female)
    if not count:
        return Figure(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    drawn = np.array([figure(answers.of(rng.integers(0, count, count))) for _ in range(DRAWS)])
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (float("nan"), float("nan"))
    return Figure(figure(answers), float(low), float(high))
