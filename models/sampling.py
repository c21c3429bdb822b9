"""Which rows a model sees how often: classes and sources balanced by a power, draws that carry their own seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from models.errors import SettingsError

if TYPE_CHECKING:
    from models.data import Examples
    from models.settings import TrainSettings


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
    """Draws rows with replacement, rare classes and sources more often than they lie there; other draws each epoch.

    Args:
        codes: (N, 3) of `models.heads`.
        balance: see `draw_probabilities`, as are the next.
        seed: with the epoch it fixes every draw.
        sources: (N,) where the rows come from.
        balance_sources: likewise.
        synthetic: (N,) which rows are variants.
        synthetic_share: of the draws.
        count: draws an epoch; 0 for as many as there are rows.
    """

    def __init__(
        self,
        codes: NDArray[np.int64],
        balance: float,
        seed: int,
        *,
        sources: Sequence[str] | None = None,
        balance_sources: float = 0.0,
        synthetic: NDArray[np.bool_] | None = None,
        synthetic_share: float = -1.0,
        count: int = 0,
    ) -> None:
        self.probabilities = draw_probabilities(codes, balance, sources, balance_sources, synthetic, synthetic_share)
        self.seed = seed
        self.count = count or len(codes)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose draws come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Draw]:
        rng = np.random.default_rng([self.seed, self.epoch])
        rows = rng.choice(len(self.probabilities), size=self.count, p=self.probabilities)
        seeds = rng.integers(0, 2**31, size=self.count)
        return (Draw(int(row), int(seed)) for row, seed in zip(rows, seeds, strict=True))


def make_sampler(examples: Examples, settings: TrainSettings) -> BalancedSampler:
    """The sampler that the settings ask for: `balance`, `balance_sources`, `synthetic_share`, `epoch_rows`, `seed`.

    Raises:
        SettingsError: variants or photos are to be drawn and there are none.
    """
    return BalancedSampler(
        examples.codes[:, settings.layout.columns],
        settings.balance,
        settings.seed,
        sources=examples.sources,
        balance_sources=settings.balance_sources,
        synthetic=examples.synthetic,
        synthetic_share=settings.synthetic_share,
        count=settings.epoch_rows,
    )


def draw_probabilities(
    codes: NDArray[np.int64],
    balance: float,
    sources: Sequence[str] | None = None,
    balance_sources: float = 0.0,
    synthetic: NDArray[np.bool_] | None = None,
    synthetic_share: float = -1.0,
) -> NDArray[np.float64]:
    """(N,) probabilities that sum to 1: the weight of a row's class times that of its source, scaled.

    Args:
        codes: (N, K) of the heads that are answered; rows alike in all, missing ones included, count as one class.
        balance: 0 draws every row equally often, 1 every class; between, a class of n rows is drawn like
            n ** (1 - balance).
        sources: (N,) where the rows come from; by default all from one.
        balance_sources: the same for sources.
        synthetic: (N,) which rows are variants; none by default.
        synthetic_share: of the draws that are variants, whatever the balance would make it; among the variants, and
            among the photos, it stays as it is. -1 for no such share.

    Raises:
        SettingsError: variants or photos are to be drawn and there are none.
    """
    weights = _balancing(codes, balance)
    if sources is not None:
        weights = weights * _balancing(np.array(sources), balance_sources)
    if synthetic_share >= 0:
        variants = np.zeros(len(codes), dtype=bool) if synthetic is None else synthetic
        return _with_share(weights, variants, synthetic_share)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def _balancing(groups: NDArray[Any], power: float) -> NDArray[np.float64]:
    """(N,) weights, to the power of minus that the count of the group that a row is in."""
    _, group, counts = np.unique(groups, axis=0, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = counts[group.reshape(-1)].astype(np.float64) ** -power
    return weights


def _with_share(weights: NDArray[np.float64], synthetic: NDArray[np.bool_], share: float) -> NDArray[np.float64]:
    """(N,) probabilities of which variants have exactly that share."""
    scaled = np.zeros(len(weights))
    for chosen, part, what in ((synthetic, share, "variants"), (~synthetic, 1 - share, "photos")):
        if chosen.any():
            scaled[chosen] = weights[chosen] / weights[chosen].sum() * part
        elif part > 0:
            raise SettingsError(
                f"synthetic_share {share:g} wants {part:.0%} of the draws to be {what}, and none is there to train "
                "on: leave it at -1, or merge some"
            )
    return scaled
