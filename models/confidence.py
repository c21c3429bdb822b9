"""What confidences are worth: how far they are from the share that is right, and how many can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BINS = 10
"""Of equal width, from a confidence of 0.5 (a coin's) to 1."""

# One-sided 80 % (z of the normal distribution): the precision holds on held-out people with that certainty. With a
# precision of 0.97 this asks for 23 held-out people without a mistake before anything is labelled.
CERTAINTY_Z = 0.8416

NEVER: Final = 2.0
"""A threshold that no confidence reaches."""


@dataclass(frozen=True)
class Bin:
    """Decisions of about the same confidence.

    Attributes:
        low: where the bin begins; the next one's is where it ends.
        count: decisions in it.
        confidence: their mean.
        accuracy: the share of them that is right.
    """

    low: float
    count: int
    confidence: float
    accuracy: float


class Gain(NamedTuple):
    """By how much a loss is lower, in the mean.

    Attributes:
        mean: of the people.
        low: above which it is, with a certainty of 80 %.
        high: below which it is, with the same.
    """

    mean: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether it is lower with that certainty: among few people what knows nothing is ahead half of the time."""
        return self.low > 0


def gain(before: NDArray[Any], after: NDArray[Any]) -> Gain:
    """How much lower losses are of the same people.

    Args:
        before: (N,), one a person, N at least 1.
        after: (N,) likewise.
    """
    gains = np.asarray(before, dtype=np.float64) - after
    mean, doubt = float(gains.mean()), CERTAINTY_Z * float(gains.std()) / float(np.sqrt(len(gains)))
    return Gain(mean, mean - doubt, mean + doubt)


def reliability(confidence: NDArray[Any], right: NDArray[Any], lowest: float = 0.5) -> list[Bin]:
    """The bins that hold decisions, the least sure first.

    Args:
        confidence: (N,) in the likeliest answer, `lowest` to 1.
        right: (N,) bool.
        lowest: one over the number of answers.
    """
    width = (1 - lowest) / BINS
    places = np.clip(((confidence - lowest) / width).astype(int), 0, BINS - 1)
    return [
        Bin(
            lowest + place * width,
            int((places == place).sum()),
            float(confidence[places == place].mean()),
            float(right[places == place].mean()),
        )
        for place in np.unique(places).tolist()
    ]


def calibration_error(confidence: NDArray[Any], right: NDArray[Any], lowest: float = 0.5) -> float:
    """Mean gap of confidence and accuracy over the bins of `reliability`, weighted by how many are in each."""
    gaps = [each.count * abs(each.accuracy - each.confidence) for each in reliability(confidence, right, lowest)]
    return float(sum(gaps) / max(len(confidence), 1))


def precision_by_coverage(confidence: NDArray[Any], right: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """What share is right among the surest, for every number of them.

    Decisions of the same confidence are taken together, since no threshold parts them.

    Args:
        confidence: (N,) of decisions.
        right: (N,) bool.

    Returns:
        Shares of all decisions, rising to 1, and the precision among the surest so many; (K,) each.
    """
    order = np.argsort(-np.asarray(confidence), kind="stable")
    made = np.arange(1, len(order) + 1)
    last = np.append(np.diff(np.asarray(confidence)[order]) != 0, True) if len(order) else np.zeros(0, dtype=bool)
    precision = np.cumsum(np.asarray(right)[order]) / made
    return (made / max(len(order), 1))[last], precision[last]


def coverage_at(confidence: NDArray[Any], right: NDArray[Any], precision: float) -> float:
    """The largest share that can be decided with this precision by a threshold; 0 where none can."""
    coverage, reached = precision_by_coverage(confidence, right)
    enough = coverage[reached >= precision]
    return float(enough.max()) if len(enough) else 0.0


def threshold_for(confidence: NDArray[Any], right: NDArray[Any], precision: float) -> float | None:
    """The lowest confidence from which the precision is reached with some certainty.

    Args:
        confidence: (N,) of decisions on people that were not learned from.
        right: (N,) bool.
        precision: to reach: the lower bound (Wilson 1927, one-sided 80 %) of the share that is right.

    Returns:
        The threshold, or None where no confidence reaches the precision.
    """
    coverage, share = precision_by_coverage(confidence, right)
    reached = np.flatnonzero(wilson_lower(share, np.round(coverage * len(confidence))) >= precision)
    if not len(reached):
        return None
    return float(np.unique(confidence)[::-1][reached[-1]])


def wilson_lower(share: NDArray[Any], count: NDArray[Any]) -> FloatArray:
    """Lower bound of a share seen among so many (Wilson 1927, one-sided 80 %)."""
    z = CERTAINTY_Z
    spread = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    bound: FloatArray = (share + z**2 / (2 * count) - spread) / (1 + z**2 / count)
    return bound
