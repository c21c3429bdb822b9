"""Which rows a model sees how often: classes balanced by a power, draws that carry their own seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from datasets.labels import N_LABELS
from models.heads import MISSING, SIZES, to_labels


class Draw(NamedTuple):
    """One row to read, and the seed of what is done to it: the same on any number of workers.

    Attributes:
        row: of the examples.
        seed: of its augmentation.
    """

    row: int
    seed: int


class InOrder(Sampler[Draw]):
    """Every row once, in order."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Draw]:
        return (Draw(row, 0) for row in range(self.count))


class BalancedSampler(Sampler[Draw]):
    """Draws rows with replacement, rare classes more often than they lie there; another draw each epoch.

    Args:
        codes: (N, 3) of `models.heads`; rows alike in all three, missing ones included, count as one class.
        balance: 0 draws every row equally often, 1 every class; between, a class of n rows has the weight
            n ** (1 - balance).
        seed: with the epoch it fixes every draw.
    """

    def __init__(self, codes: NDArray[np.int64], balance: float, seed: int) -> None:
        self.probabilities = draw_probabilities(codes, balance)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose draws come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.probabilities)

    def __iter__(self) -> Iterator[Draw]:
        rng = np.random.default_rng([self.seed, self.epoch])
        count = len(self.probabilities)
        rows = rng.choice(count, size=count, p=self.probabilities)
        seeds = rng.integers(0, 2**31, size=count)
        return (Draw(int(row), int(seed)) for row, seed in zip(rows, seeds, strict=True))


def draw_probabilities(codes: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """(N,) probabilities that sum to 1: of each row, its class's count to the power of minus `balance`, scaled."""
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    weights = counts[group.reshape(-1)].astype(np.float64) ** -balance
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def class_weights(codes: NDArray[np.int64], power: float) -> dict[str, NDArray[np.float32]]:
    """Weights on the loss of each class, `count ** -power`, of mean 1 over the classes that are there.

    Args:
        codes: (N, 3) of the training rows.
        power: 0 weighs all alike.

    Returns:
        `label` (18,), and `mask` (3,), `gender` (2,), `age_group` (3,), float32; classes without a row weigh 1.
    """
    weights = {"label": _inverse(to_labels(codes), N_LABELS, power)}
    for at, (name, size) in enumerate(zip(("mask", "gender", "age_group"), SIZES, strict=True)):
        weights[name] = _inverse(codes[:, at], size, power)
    return weights


def _inverse(values: NDArray[np.int64], size: int, power: float) -> NDArray[np.float32]:
    counts = np.bincount(values[values != MISSING], minlength=size)
    present = counts > 0
    weights = np.ones(size)
    weights[present] = counts[present].astype(np.float64) ** -power
    if present.any():
        weights[present] /= weights[present].mean()
    return weights.astype(np.float32)
