"""A small residual network trained from scratch by one fixed recipe: the yardstick of `benchmarks.real_masks`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Images = NDArray[np.uint8]
"""(N, S, S, 3) uint8, RGB."""


@dataclass(frozen=True)
class Recipe:
    """The training, the same for every training set.

    Attributes:
        sides: of the network's input in pixels, and how many epochs at each: small pictures first, since most is
            learned from them at a third of the cost. The last is the side that is tested at.
        batch, rate, decay: AdamW with one cycle of the learning rate.
        smoothing: of the labels.
        shares: how often each class is drawn: wear, incorrect, not_wear.
        widths: channels of the stem and of the three stages.
    """

    sides: tuple[tuple[int, int], ...] = ((48, 8), (64, 6))
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.02
    smoothing: float = 0.05
    shares: tuple[float, ...] = (0.37, 0.28, 0.35)
    widths: tuple[int, int, int, int] = (24, 48, 96, 128)

    @property
    def side(self) -> int:
        """Of the pictures that are tested, in pixels."""
        return self.sides[-1][0]

    @property
    def epochs(self) -> int:
        """At all sides together."""
        return sum(epochs for _, epochs in self.sides)


class Block(nn.Module):
    """Two 3x3 convolutions and a way past them."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(given, made, 3, 2, 1, bias=False),
            nn.BatchNorm2d(made),
            nn.ReLU(),
            nn.Conv2d(made, made, 3, 1, 1, bias=False),
            nn.BatchNorm2d(made),
        )
        self.past = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(given, made, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(N, given, H, W) to (N, made, H/2, W/2)."""
        out: Tensor = functional.relu(self.body(x) + self.past(x))
        return out


def network(recipe: Recipe, classes: int) -> nn.Module:
    """(N, 3, S, S) in 0..1 to (N, classes) logits; 0.4 M weights."""
    stem, *stages = recipe.widths
    blocks = [Block(a, b) for a, b in zip(recipe.widths, stages, strict=False)]
    net = nn.Sequential(
        nn.Conv2d(3, stem, 3, 2, 1, bias=False),
        nn.BatchNorm2d(stem),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(recipe.widths[-1], classes),
    )
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def augment(batch: Tensor, side: int, random: torch.Generator) -> Tensor:
    """What any photograph may be: shifted, turned, flipped, brighter, paler, softer, noisier, partly hidden.

    Shifts are small: a mask that hangs under the chin must not fall out of the picture.

    Args:
        batch: (N, 3, H, W) float in 0..1.
        side: of the result.
        random: of all that is drawn.
    """
    n = len(batch)

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=random)

    turn, scale = torch.deg2rad(draw(-20, 20)), torch.exp(draw(-0.1, 0.2))
    stretch = torch.exp(draw(-0.1, 0.1))
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    shift_x, shift_y = draw(-0.08, 0.08), draw(-0.08, 0.08)
    rows = torch.stack([cos * flip * stretch, -sin, shift_x, sin * flip, cos / stretch, shift_y], 1)
    grid = functional.affine_grid(rows.view(n, 2, 3), [n, 3, side, side], align_corners=False)
    x = functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)
    # Softness: now and then the whole batch through fewer pixels, since a photo may be small or out of focus.
    if float(torch.rand(1, generator=random)) < 0.35:
        fewer = int(torch.randint(side // 4, side, (1,), generator=random))
        small = functional.interpolate(x, size=fewer, mode="area")
        x = functional.interpolate(small, size=side, mode="bilinear", align_corners=False)
    x = _recolour(x, draw) + 0.03 * draw(0, 1, 1, 1, 1) * torch.randn(x.shape, generator=random)
    return _erase(x, draw).clamp(0, 1)


def _recolour(x: Tensor, draw: Callable[..., Tensor]) -> Tensor:
    gray = x.mean(1, keepdim=True)
    colour = torch.where(draw(0, 1, 1, 1, 1) < 0.08, torch.zeros(1), draw(0.6, 1.4, 1, 1, 1))
    x = gray + (x - gray) * colour
    x = x.clamp(1e-4, 1) ** torch.exp(draw(-0.4, 0.4, 1, 1, 1)) * draw(0.8, 1.2, 1, 1, 1)
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * draw(0.7, 1.3, 1, 1, 1) + mean + draw(-0.04, 0.04, 3, 1, 1)


def _erase(x: Tensor, draw: Callable[..., Tensor]) -> Tensor:
    """A hand, a microphone, a shoulder: a patch of any one colour over a part of some of the pictures."""
    side = x.shape[-1]
    at = torch.arange(side)
    half_x, half_y = draw(0.03, 0.12) * side, draw(0.03, 0.12) * side
    middle_x, middle_y = draw(0, 1) * side, draw(0, 1) * side
    inside = ((at[None] - middle_x[:, None]).abs() < half_x[:, None])[:, None, None, :]
    inside = inside & ((at[None] - middle_y[:, None]).abs() < half_y[:, None])[:, None, :, None]
    inside = inside & (draw(0, 1, 1, 1, 1) < 0.3)
    return torch.where(inside, draw(0, 1, 3, 1, 1), x)


def _tensor(images: Images) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def train(
    images: Images, labels: NDArray[np.int64], recipe: Recipe, seed: int, progress: Callable[[int, int], None]
) -> nn.Module:
    """Trains on (N, S, S, 3) crops with labels 0..C-1, each class as often as the others.

    Args:
        images: RGB.
        labels: (N,).
        recipe: of the training.
        seed: of weights, order and augmentation.
        progress: called with (batches done, batches in all).
    """
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    net = network(recipe, int(labels.max()) + 1).train()
    optimiser = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    weight = torch.from_numpy((np.array(recipe.shares) / np.bincount(labels))[labels])
    steps = len(labels) // recipe.batch
    sides = [side for side, epochs in recipe.sides for _ in range(epochs)]
    total, done = steps * recipe.epochs, 0
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: _rate(at / total))
    for side in sides:
        order = torch.multinomial(weight, steps * recipe.batch, replacement=True, generator=random)
        for chosen in order.view(steps, recipe.batch):
            batch = augment(_tensor(images[chosen.numpy()]), side, random)
            logits = net(batch.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(
                logits, torch.from_numpy(labels[chosen.numpy()]), label_smoothing=recipe.smoothing
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            done += 1
            progress(done, total)
    return net.eval()


def _rate(done: float) -> float:
    return min(done / 0.1, 1.0) * 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def probabilities(net: nn.Module, images: Images, recipe: Recipe) -> NDArray[np.float32]:
    """(N, C) class probabilities of (N, S, S, 3) crops, mean over the picture and its mirror image."""
    seen = []
    for start in range(0, len(images), 256):
        x = (
            functional.interpolate(_tensor(images[start : start + 256]), size=recipe.side, mode="area")
            if images.shape[1] != recipe.side
            else _tensor(images[start : start + 256])
        )
        x = x.contiguous(memory_format=torch.channels_last)
        seen.append((net(x).softmax(1) + net(x.flip(3)).softmax(1)) / 2)
    return np.asarray(torch.cat(seen).numpy(), dtype=np.float32)
