"""AdamW with a linear warm-up and a cosine to zero."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from models.settings import TrainSettings


def make_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices and kernels only, for biases and norms have no size to keep small."""
    matrices = [each for each in network.parameters() if each.requires_grad and each.ndim >= 2]
    vectors = [each for each in network.parameters() if each.requires_grad and each.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def make_schedule(optimiser: torch.optim.Optimizer, steps_per_epoch: int, settings: TrainSettings) -> LambdaLR:
    """A schedule to be stepped after each batch."""
    total = max(1, settings.epochs * steps_per_epoch)
    warmup = min(settings.warmup_epochs * steps_per_epoch, total / 2)
    return LambdaLR(optimiser, lambda step: rate_at(step, warmup, total))


def rate_at(step: int, warmup: float, total: int) -> float:
    """Share of the peak rate at a step: rising to 1 over the warm-up, then a cosine to 0 at the end."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1.0, total - warmup))))
