"""The loss: cross-entropy of one head or of three, on the labels that are there, weighted by row and by class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datasets.labels import AGE_GROUPS, GENDERS
from models.heads import HEADS, MISSING, split_answers
from models.settings import Head


class LabelLoss(nn.Module):
    """Cross-entropy over a batch, its mean weighted by row.

    Args:
        head: a `single` head learns from rows with all three labels only; a `triple` one from each label that is
            there, its three losses added.
        smoothing: of the labels, 0 for none.
        weights: of the classes, as `models.sampling.class_weights` gives them; all alike by default.
    """

    def __init__(
        self, head: Head, smoothing: float = 0.0, weights: Mapping[str, NDArray[np.float32]] | None = None
    ) -> None:
        super().__init__()
        self.head = head
        self.smoothing = smoothing
        for name in ("label", *HEADS):
            tensor = None if weights is None else torch.from_numpy(np.asarray(weights[name], dtype=np.float32))
            self.register_buffer(f"weight_{name}", tensor)

    def forward(self, logits: torch.Tensor, codes: torch.Tensor, row_weights: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, a scalar; 0 where no row has a label to learn from.

        Args:
            logits: (B, 18) or (B, 8).
            codes: (B, 3) int64, -1 for a missing label.
            row_weights: (B,) float32.
        """
        if self.head == "single":
            label = (codes[:, 0] * len(GENDERS) + codes[:, 1]) * len(AGE_GROUPS) + codes[:, 2]
            whole = torch.where((codes == MISSING).any(dim=1), MISSING, label)
            return self._one(logits, whole, row_weights, "label")
        parts = [
            self._one(answer, codes[:, at], row_weights, name)
            for at, (name, answer) in enumerate(zip(HEADS, split_answers(logits), strict=True))
        ]
        return torch.stack(parts).sum()

    def _one(self, logits: torch.Tensor, target: torch.Tensor, row_weights: torch.Tensor, name: str) -> torch.Tensor:
        each = nn.functional.cross_entropy(
            logits.float(),
            target,
            weight=getattr(self, f"weight_{name}"),
            ignore_index=MISSING,
            reduction="none",
            label_smoothing=self.smoothing,
        )
        used = torch.where(target == MISSING, torch.zeros_like(row_weights), row_weights)
        return (each * used).sum() / used.sum().clamp_min(1e-8)
