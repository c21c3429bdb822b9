"""What models say of photos, as chances: the one form in which answers are averaged, combined, scored and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.labels import N_LABELS
from models.heads import AGE, HEADS, MISSING, SIZES, Layout, to_codes
from models.years import between, group_chances, unscaled

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chances:
    """Chances that models give N photos.

    Attributes:
        label: (N, 18) of the classes; None where a head is missing.
        heads: `mask` (N, 3), `gender` (N, 2), `age_group` (N, 3), those that are answered. Rows sum to 1.
        years: (N,) where the age is answered in years.
    """

    label: Floats | None
    heads: dict[str, Floats]
    years: Floats | None = None

    def __len__(self) -> int:
        return len(next(iter(self.heads.values())))

    def codes(self) -> NDArray[np.int64]:
        """(N, 3) the likeliest of each head; of the likeliest class, where there are classes; -1 for no answer."""
        if self.label is not None:
            return to_codes(self.label.argmax(axis=1).astype(np.int64))
        columns = [
            self.heads[name].argmax(axis=1) if name in self.heads else np.full(len(self), MISSING) for name in HEADS
        ]
        return np.stack(columns, axis=1).astype(np.int64)

    def take(self, rows: NDArray[np.int64]) -> Chances:
        """The chances of some of the photos."""
        return Chances(
            None if self.label is None else self.label[rows],
            {name: each[rows] for name, each in self.heads.items()},
            None if self.years is None else self.years[rows],
        )


def chances_of(logits: torch.Tensor, layout: Layout) -> Chances:
    """What (N, `layout.n_outputs`) logits say."""
    pieces = layout.split(logits.detach().cpu().double())
    if layout.head == "single":
        return of_labels(pieces["label"].softmax(dim=1).numpy())
    heads = {name: pieces[name].softmax(dim=1) for name in HEADS if name in pieces}
    years = None
    if "older" in pieces:
        heads[AGE] = between(pieces["older"].sigmoid())
    if "years" in pieces:
        answers = unscaled(pieces["years"][:, 0])
        told = group_chances(answers)
        heads[AGE] = (heads[AGE] + told) / 2 if AGE in heads else told
        years = answers.numpy()
    return of_heads({name: each.numpy() for name, each in heads.items()}, years)


def of_labels(label: Floats) -> Chances:
    """The chances of (N, 18) chances of the classes: those of a head are sums of them."""
    cube = label.reshape(len(label), *SIZES)
    others = {"mask": (2, 3), "gender": (1, 3), AGE: (1, 2)}
    return Chances(label, {name: cube.sum(axis=axes) for name, axes in others.items()})


def of_heads(heads: dict[str, Floats], years: Floats | None = None) -> Chances:
    """The chances of those of the heads: of a class, where all three are there, their product."""
    label = None
    if all(name in heads for name in HEADS):
        mask, gender, age = (heads[name] for name in HEADS)
        label = (mask[:, :, None, None] * gender[:, None, :, None] * age[:, None, None, :]).reshape(-1, N_LABELS)
    return Chances(label, {name: heads[name] for name in HEADS if name in heads}, years)


def mean_of(several: Sequence[Chances], weights: Sequence[float] | None = None) -> Chances:
    """The mean of what models that answer the same say of the same photos, weighted or not.

    Raises:
        ValueError: they answer different heads, or there are none.
    """
    if not several or any(each.heads.keys() != several[0].heads.keys() for each in several):
        raise ValueError("chances of the same heads are needed to take their mean")
    shares = np.full(len(several), 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    shares = shares / shares.sum()
    heads = {name: _weighted([each.heads[name] for each in several], shares) for name in several[0].heads}
    labels = [each.label for each in several if each.label is not None]
    years = [each.years for each in several if each.years is not None]
    return Chances(
        _weighted(labels, shares) if len(labels) == len(several) else None,
        heads,
        _weighted(years, shares) if len(years) == len(several) else None,
    )


def combine(several: Sequence[Chances]) -> Chances:
    """What models say together that each answer other heads; those that answer the same count alike.

    Where all of them answer everything it is their mean; else each head is the mean over those that answer it, and the
    classes are the heads' product.
    """
    if all(each.label is not None for each in several):
        return mean_of(several)
    heads = {}
    for name in HEADS:
        told = [each.heads[name] for each in several if name in each.heads]
        if told:
            heads[name] = np.mean(told, axis=0)
    years = [each.years for each in several if each.years is not None]
    return of_heads(heads, np.mean(years, axis=0) if years else None)


def _weighted(several: Sequence[Floats], shares: Floats) -> Floats:
    mean: Floats = np.tensordot(shares, np.stack(several), axes=1)
    return mean
