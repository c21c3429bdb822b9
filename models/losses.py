"""The loss: cross-entropy of one head or of three, on the labels that are there, weighted by row and by class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datasets.labels import AGE_GROUPS, GENDERS
from models.heads import AGE, HEADS, MISSING, Layout
from models.targets import Targets
from models.years import scaled


class LabelLoss(nn.Module):
    """The loss of a batch: a mean over the labels that are there, weighted by row; of several heads their sum.

    Args:
        layout: a single head learns from rows with all three labels only; a triple one from each label that is there.
        smoothing: of the labels, 0 for none.
        weights: of the classes, as `models.sampling.class_weights` gives them; all alike by default.
    """

    def __init__(
        self, layout: Layout, smoothing: float = 0.0, weights: Mapping[str, NDArray[np.float32]] | None = None
    ) -> None:
        super().__init__()
        self.layout = layout
        self.smoothing = smoothing
        for name in ("label", *HEADS):
            tensor = None if weights is None else torch.from_numpy(np.asarray(weights[name], dtype=np.float32))
            self.register_buffer(f"weight_{name}", tensor)

    def forward(self, logits: torch.Tensor, targets: Targets) -> torch.Tensor:
        """The loss of a batch, a scalar; 0 where no row has a label to learn from.

        Args:
            logits: (B, `layout.n_outputs`).
            targets: of the B rows.
        """
        pieces = self.layout.split(logits.float())
        return torch.stack([self._of_piece(name, piece, targets) for name, piece in pieces.items()]).sum()

    def _of_piece(self, name: str, piece: torch.Tensor, targets: Targets) -> torch.Tensor:
        if name == "label":
            return self._classes(name, piece, whole_labels(targets.codes), targets.weights.amin(dim=1))
        weights = targets.weights[:, HEADS.index(AGE if name in ("years", "older") else name)]
        if name == "years":
            return _years(piece[:, 0], targets.years, weights)
        if name == "older":
            return _older(piece, targets.codes[:, HEADS.index(AGE)], weights)
        return self._classes(name, piece, targets.codes[:, HEADS.index(name)], weights)

    def _classes(self, name: str, logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        each = nn.functional.cross_entropy(
            logits,
            target,
            weight=getattr(self, f"weight_{name}"),
            ignore_index=MISSING,
            reduction="none",
            label_smoothing=self.smoothing,
        )
        return _mean(each, weights, target != MISSING)


def whole_labels(codes: torch.Tensor) -> torch.Tensor:
    """(B, 3) codes to (B,) labels 0..17; -1 where any of the three is missing."""
    label = (codes[:, 0] * len(GENDERS) + codes[:, 1]) * len(AGE_GROUPS) + codes[:, 2]
    return torch.where((codes == MISSING).any(dim=1), MISSING, label)


def _years(answers: torch.Tensor, years: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    known = ~years.isnan()
    wanted = scaled(years.nan_to_num())
    return _mean(nn.functional.smooth_l1_loss(answers, wanted, reduction="none", beta=0.25), weights, known)


def _older(answers: torch.Tensor, group: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy for each border between age groups, which any age group answers for all borders."""
    steps = torch.arange(1, len(AGE_GROUPS), device=group.device)
    past = (group[:, None] >= steps).to(answers.dtype)
    each = nn.functional.binary_cross_entropy_with_logits(answers, past, reduction="none").sum(dim=1)
    return _mean(each, weights, group != MISSING)


def _mean(each: torch.Tensor, weights: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    used = torch.where(known, weights, torch.zeros_like(weights))
    return (each * used).sum() / used.sum().clamp_min(1e-8)
