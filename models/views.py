"""Test-time augmentation: the same photos seen several ways, whose probabilities are then averaged."""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional

from models.settings import Tta

WINDOW: Final = 0.92
"""Side of the four smaller windows as a share of the picture's: a chin, where a mask may hang, stays in each."""


def views(images: torch.Tensor, tta: Tta) -> list[torch.Tensor]:
    """The views of a batch, the batch itself first.

    Average probabilities over them, not logits: a logit says nothing where views disagree.

    Args:
        images: (B, 3, S, S) float, normalised.
        tta: which views.

    Returns:
        1, 2 or 10 tensors (B, 3, S, S) of the same type and device.
    """
    seen = [images]
    if tta == "flip5":
        seen += _windows(images)
    if tta != "none":
        seen += [each.flip(3) for each in seen]
    return seen


def _windows(images: torch.Tensor) -> list[torch.Tensor]:
    """A window in each corner, as large again as the picture."""
    side = images.shape[-1]
    window = max(round(WINDOW * side), 1)
    begins = (0, side - window)
    return [
        functional.interpolate(
            images[:, :, top : top + window, left : left + window],
            size=(side, side),
            mode="bilinear",
            align_corners=False,
        )
        for top in begins
        for left in begins
    ]
