"""How often each class is there, and weights on the loss that follow from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.labels import N_LABELS
from models.heads import HEADS, MISSING, SIZES, to_labels

Floats = NDArray[np.float64]


def class_counts(codes: NDArray[np.int64], amounts: Floats | None = None) -> dict[str, Floats]:
    """How much there is of each class.

    Args:
        codes: (N, 3) of `models.heads`; a missing label counts for no class.
        amounts: (N, 3), how much each label counts for; 1 by default. A row's whole label counts for its least.

    Returns:
        `label` (18,), and `mask` (3,), `gender` (2,), `age_group` (3,).
    """
    amounts = np.ones(codes.shape) if amounts is None else np.asarray(amounts, dtype=np.float64)
    counts = {"label": _counts(to_labels(codes), N_LABELS, amounts.min(axis=1))}
    for at, (name, size) in enumerate(zip(HEADS, SIZES, strict=True)):
        counts[name] = _counts(codes[:, at], size, amounts[:, at])
    return counts


def class_weights(codes: NDArray[np.int64], power: float) -> dict[str, NDArray[np.float32]]:
    """Weights on the loss of each class, `count ** -power`, of mean 1 over the classes that are there.

    Args:
        codes: (N, 3) of the training rows.
        power: 0 weighs all alike.

    Returns:
        `label` (18,), and `mask` (3,), `gender` (2,), `age_group` (3,), float32; classes without a row weigh 1.
    """
    return {name: _scaled(counts, _inverse(counts, power)) for name, counts in class_counts(codes).items()}


def effective_weights(counts: Floats, beta: float) -> NDArray[np.float32]:
    """Weights on the loss of each class by its effective number of samples, of mean 1 over those that are there.

    The effective number of n samples is (1 - beta ** n) / (1 - beta), and a class weighs its inverse (Cui, Jia, Lin,
    Song, Belongie, "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, Proposition 1 and section 4):
    the more photos there are of a class, the less another one adds.

    Args:
        counts: (C,) rows of each class.
        beta: 0 weighs all alike, towards 1 like `1 / n`; 1 - beta is one by the number of prototypes of a class.

    Returns:
        (C,) float32; classes without a row weigh 1.
    """
    return _scaled(counts, (1 - beta) / (1 - beta ** np.maximum(counts, 1)))


def _counts(values: NDArray[np.int64], size: int, amounts: Floats) -> Floats:
    known = values != MISSING
    return np.bincount(values[known], weights=amounts[known], minlength=size).astype(np.float64)


def _inverse(counts: Floats, power: float) -> Floats:
    weights: Floats = np.maximum(counts, 1) ** -power
    return weights


def _scaled(counts: Floats, weights: Floats) -> NDArray[np.float32]:
    present = counts > 0
    scaled = np.ones(len(counts))
    if present.any():
        scaled[present] = weights[present] / weights[present].mean()
    return scaled.astype(np.float32)
