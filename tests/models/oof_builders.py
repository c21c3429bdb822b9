"""Out-of-fold tables with a known truth, made without a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.labels import N_LABELS
from models.chances import of_labels
from models.heads import to_codes
from models.oof import OutOfFold


def noisy(
    labels: NDArray[np.int64], rng: np.random.Generator, skill: float, bias: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """(N, 18) chances of a member whose logits are the truth's, `skill` high, in noise of 1; `bias` (18,) is added."""
    logits = rng.normal(size=(len(labels), N_LABELS)) + (0 if bias is None else bias)
    logits[np.arange(len(labels)), labels] += skill
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return chances


def table_of(labels: NDArray[np.int64], chances: NDArray[np.float64], folds: int = 4) -> OutOfFold:
    """A table of real photos, dealt to the folds in turn."""
    count = len(labels)
    return OutOfFold(
        tuple(f"sample:{row:05}.png" for row in range(count)),
        np.arange(count, dtype=np.int64) % folds,
        np.zeros(count, dtype=bool),
        to_codes(labels),
        of_labels(chances),
    )


def random_table(count: int = 200, skill: float = 2.0, seed: int = 0) -> OutOfFold:
    """A table of one member over even classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_LABELS, count)
    return table_of(labels, noisy(labels, rng, skill))
