"""Coordinate ascent on macro F1: one weight at a time, each moved to its exact best.

Along one weight the answers change only where a row's best class within reach of the weight overtakes its best class
beyond it: at one ratio for each row. Between two neighbouring ratios nothing changes, so that trying every gap finds
the best there is along that weight.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SWEEPS: Final = 30
# A sweep over all weights that gains less than this, a hundredth of a point, is the last.
_WORTH: Final = 1e-4
# Below what one row of a million can change, above what rounding adds up to.
_GAIN: Final = 1e-9


def climb(
    chances: Floats, truth: Ints, groups: list[Ints], start: Floats, *, largest: float = 1e4
) -> tuple[Floats, float]:
    """Raises macro F1 until going over all weights once more is not worth it.

    Args:
        chances: (N, C), N at least 1.
        truth: (N,) classes, 0..C-1.
        groups: the classes that each weight multiplies.
        start: (C,) weights to start from, all above 0.
        largest: a step's factor lies between this and its inverse.

    Returns:
        (C,) weights, and the macro F1 over all C classes that they reach.
    """
    weights = start.astype(np.float64).copy()
    best = macro_f1(truth, (chances * weights).argmax(axis=1), chances.shape[1])
    for _ in range(_SWEEPS):
        before = best
        for members in groups:
            factor, reached = best_factor(chances * weights, truth, members, largest)
            if reached > best + _GAIN:
                tried = weights.copy()
                tried[members] *= factor
                # Rounding may give a row on the border to its neighbour: what counts is what the answers are.
                reached = macro_f1(truth, (chances * tried).argmax(axis=1), chances.shape[1])
                if reached > best + _GAIN:
                    weights, best = tried, reached
        if best <= before + _WORTH:
            break
    return weights, best


def best_factor(scores: Floats, truth: Ints, members: Ints, largest: float) -> tuple[float, float]:
    """The factor on some classes' scores with the highest macro F1, of every factor there is within the limits.

    Args:
        scores: (N, C) that answers are the largest of.
        truth: (N,).
        members: the classes that are multiplied.
        largest: limits of the factor: `1 / largest` to `largest`.

    Returns:
        The factor, in the middle of its gap and, of equally good gaps, of the one nearest to 1; and the macro F1.
    """
    count, size = scores.shape
    if len(members) == size:
        return 1.0, macro_f1(truth, scores.argmax(axis=1), size)
    beyond = scores.copy()
    beyond[:, members] = -1.0
    taken, left = members[scores[:, members].argmax(axis=1)], beyond.argmax(axis=1)
    rows = np.arange(count)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = scores[rows, left] / scores[rows, taken]
    ratios = np.clip(np.nan_to_num(ratios, nan=np.inf, posinf=np.inf), 1 / largest, largest)
    order = np.argsort(ratios, kind="stable")
    ratios, taken, left, truth = ratios[order], taken[order], left[order], truth[order]
    f1 = _f1_by_switches(truth, taken, left, size)
    # After j rows have switched the factor lies between the ratios of row j - 1 and row j; equal ratios leave no gap.
    edges = np.concatenate([[1 / largest], ratios, [largest]])
    gaps = edges[1:] > edges[:-1]
    if not gaps.any():
        return 1.0, macro_f1(truth, left, size)
    middles = np.exp((np.log(edges[1:]) + np.log(edges[:-1])) / 2)
    reached = np.where(gaps, f1, -1.0)
    top = np.flatnonzero(reached >= reached.max() - _GAIN)
    chosen = top[np.abs(np.log(middles[top])).argmin()]
    return float(middles[chosen]), float(f1[chosen])


def macro_f1(truth: Ints, answers: Ints, size: int) -> float:
    """Mean F1 over all classes; one that neither holds counts 0."""
    right = np.bincount(truth[truth == answers], minlength=size)
    both = np.bincount(truth, minlength=size) + np.bincount(answers, minlength=size)
    return float(np.mean(2 * right / np.maximum(both, 1)))


def _f1_by_switches(truth: Ints, taken: Ints, left: Ints, size: int) -> Floats:
    """(N + 1,) macro F1 when the first 0, 1, ... N rows answer `taken` and the others `left`."""
    count = len(truth)
    # A switch changes the counts of two classes only. Each class's changes in turn, in the order of the rows: no class
    # is both one that gives and one that gets, so that sorting by class keeps them in order.
    classes, steps = np.concatenate([left, taken]), np.repeat([-1, 1], count)
    rows = np.tile(np.arange(count), 2)
    hits = steps * (classes == np.tile(truth, 2))
    order = np.argsort(classes.astype(np.int16), kind="stable")
    classes, steps, hits, rows = classes[order], steps[order], hits[order], rows[order]
    ends = np.cumsum(np.bincount(classes, minlength=size))
    support = np.bincount(truth, minlength=size)
    answered_first = np.bincount(left, minlength=size)
    right_first = np.bincount(left[left == truth], minlength=size)
    answered = answered_first[classes] + _within(steps, ends, classes)
    right = right_first[classes] + _within(hits, ends, classes)
    f1 = 2 * right / np.maximum(answered + support[classes], 1)
    f1_first = 2 * right_first / np.maximum(answered_first + support, 1)
    before = np.concatenate([[0.0], f1[:-1]])
    begins = np.concatenate([[True], classes[1:] != classes[:-1]])
    changes = np.bincount(rows + 1, weights=f1 - np.where(begins, f1_first[classes], before), minlength=count + 1)
    changes[0] += f1_first.sum()
    total: Floats = np.cumsum(changes) / size
    return total


def _within(steps: Ints, ends: Ints, classes: Ints) -> Ints:
    """Running sums of each class's own steps, the classes lying one after the other."""
    sums = np.concatenate([[0], np.cumsum(steps)])
    begins = np.concatenate([[0], ends[:-1]])
    own: Ints = sums[1:] - sums[begins[classes]]
    return own
