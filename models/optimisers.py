"""AdamW with a linear warm-up and a cosine to zero, by layer where asked; gradients kept within bounds."""

from __future__ import annotations

import math
from typing import Any

import torch
from timm.optim import param_groups_layer_decay
from timm.utils import adaptive_clip_grad
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from models.settings import TrainSettings


def make_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices and kernels only, for biases and norms have no size to keep small.

    With `layer_decay` below 1 each layer, as timm groups them, learns at that share of the rate of the one above it.
    """
    if settings.layer_decay < 1:
        return torch.optim.AdamW(_by_layer(network, settings), lr=settings.learning_rate)
    matrices = [each for each in network.parameters() if each.requires_grad and each.ndim >= 2]
    vectors = [each for each in network.parameters() if each.requires_grad and each.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _by_layer(network: Any, settings: TrainSettings) -> list[dict[str, Any]]:
    undecayed = tuple(network.no_weight_decay()) if hasattr(network, "no_weight_decay") else ()
    groups: list[dict[str, Any]] = param_groups_layer_decay(
        network,
        weight_decay=settings.weight_decay,
        no_weight_decay_list=undecayed,
        layer_decay=settings.layer_decay,
    )
    for group in groups:
        group["lr"] = settings.learning_rate * group.pop("lr_scale")
        group.pop("param_names", None)
    return groups


def make_schedule(optimiser: torch.optim.Optimizer, steps_per_epoch: int, settings: TrainSettings) -> LambdaLR:
    """A schedule to be stepped after each step of the optimiser."""
    total = max(1, settings.epochs * steps_per_epoch)
    warmup = min(settings.warmup_epochs * steps_per_epoch, total / 2)
    return LambdaLR(optimiser, lambda step: rate_at(step, warmup, total))


def rate_at(step: int, warmup: float, total: int) -> float:
    """Share of the peak rate at a step: rising to 1 over the warm-up, then a cosine to 0 at the end."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1.0, total - warmup))))


def clip_gradients(network: Any, settings: TrainSettings) -> None:
    """Shortens gradients in place: each unit's by its own weights' norm with `agc`, else all together to `clip_norm`.

    Adaptive clipping is that of Brock et al. 2021, High-Performance Large-Scale Image Recognition Without
    Normalization, section 4, and leaves the last layer alone as they do.
    """
    if settings.agc:
        last = {id(each) for each in _last_parameters(network)}
        body = [each for each in network.parameters() if each.grad is not None and id(each) not in last]
        adaptive_clip_grad(body, clip_factor=settings.agc)
    elif settings.clip_norm:
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)


def freeze_body(network: Any) -> None:
    """Leaves only the last layer to be learned."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for parameter in _last_parameters(network):
        parameter.requires_grad_(True)


def _last_parameters(network: Any) -> list[nn.Parameter]:
    """Those of the last layer, or of the last layers where a model has two."""
    last = network.get_classifier()
    return [each for layer in (last if isinstance(last, tuple) else (last,)) for each in layer.parameters()]
