"""A small residual network trained from scratch by one fixed recipe: the yardstick of `benchmarks.real_masks`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Images = NDArray[np.uint8]
"""(N, S, S, 3) uint8, RGB."""


MIXING = 0.1
"""Of `MixedStyle`: both parameters of the Beta distribution. Most pictures keep nearly their own style, or take nearly
the other's."""


@dataclass(frozen=True)
class Recipe:
    """The training, the same for every training set.

    Attributes:
        sides: of the network's input in pixels, and how many batches at each, as many for a small training set as for
            a large one: small pictures first, since most is learned from them at a third of the cost. The last is the
            side that is tested at.
        batch, rate, decay: AdamW with one cycle of the learning rate.
        smoothing: of the labels.
        shares: how often each class is drawn: wear, incorrect, not_wear.
        widths: channels of the stem and of the three stages.
        mixed: share of the batches in which pictures take another's contrast and colour (`MixedStyle`), within the
            network and not in the pictures.
        kept: share of the averaged weights that stays at every step; they, not the last ones, are tested.
        windows: sides of the squares that are looked at, as shares of a crop's: a crop has hair and shoulders around
            the face. One is learned from, more or less; the answer is the mean over all of them.
        centre: of the squares, x and y as shares of the crop's: a little below its middle, where chins are.
    """

    sides: tuple[tuple[int, int], ...] = ((48, 3900), (64, 3900), (80, 2300))
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.02
    smoothing: float = 0.05
    shares: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    widths: tuple[int, int, int, int] = (24, 48, 96, 192)
    mixed: float = 0.5
    kept: float = 0.998
    windows: tuple[float, ...] = (0.64, 0.72, 0.8, 0.88)
    centre: tuple[float, float] = (0.5, 0.54)

    @property
    def side(self) -> int:
        """Of the pictures that are tested, in pixels."""
        return self.sides[-1][0]

    @property
    def batches(self) -> int:
        """At all sides together."""
        return sum(batches for _, batches in self.sides)

    def shorter(self, share: float) -> Recipe:
        """With so many of the batches at each side, at least one."""
        return replace(self, sides=tuple((side, max(round(share * batches), 1)) for side, batches in self.sides))


class MixedStyle(nn.Module):
    """Learns to see the same in another picture's contrast and colour: each channel's mean and spread are mixed, in
    some batches, with those of another picture. Zhou and others, "Domain Generalization with MixStyle", ICLR 2021,
    whose mixing is Beta(0.1, 0.1), in half of the batches.

    Args:
        chance: share of the batches, 0 to 1.
    """

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance, self.mixing = chance, torch.distributions.Beta(MIXING, MIXING)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same; unchanged unless it is being trained."""
        if not self.training or float(torch.rand(())) >= self.chance:
            return x
        mean, spread = x.mean((2, 3), keepdim=True).detach(), (x.var((2, 3), keepdim=True) + 1e-6).sqrt().detach()
        own, other = self.mixing.sample((len(x), 1, 1, 1)), torch.randperm(len(x))  # type: ignore[no-untyped-call]
        mixed = own * spread + (1 - own) * spread[other]
        return (x - mean) / spread * mixed + own * mean + (1 - own) * mean[other]


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
    """(N, 3, S, S) in 0..1 to (N, classes) logits; 0.7 M weights."""
    stem, *stages = recipe.widths
    blocks = [Block(a, b) for a, b in zip(recipe.widths, stages, strict=False)]
    early = [part for block in blocks[:2] for part in (MixedStyle(recipe.mixed), block)]
    net = nn.Sequential(
        nn.Conv2d(3, stem, 3, 2, 1, bias=False),
        nn.BatchNorm2d(stem),
        nn.ReLU(),
        *early,
        *blocks[2:],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(recipe.widths[-1], classes),
    )
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def augment(batch: Tensor, side: int, recipe: Recipe, random: torch.Generator) -> Tensor:
    """What any photograph may be: shifted, turned, flipped, brighter, paler, softer, noisier, partly hidden.

    Shifts are small, so that a mask that hangs under the chin seldom falls out of the picture: less than a hundredth of
    the view shows it in 7 of 100 views of hanging masks, and in 3 of chin masks.

    Args:
        batch: (N, 3, H, W) float in 0..1.
        side: of the result.
        recipe: where in a crop it looks.
        random: of all that is drawn.
    """
    n = len(batch)

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=random)

    window = recipe.windows[len(recipe.windows) // 2]
    turn, scale = torch.deg2rad(draw(-20, 20)), window * torch.exp(draw(-0.2, 0.2))
    stretch = torch.exp(draw(-0.1, 0.1))
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    across, down = (2 * at - 1 for at in recipe.centre)
    shift_x, shift_y = across + draw(-0.1, 0.1), down + draw(-0.1, 0.1)
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
    """A hand, a microphone, hair: a patch over a part of some pictures, of any one colour or of another picture.

    The other picture stands on its head there, so that what is over a chin is seldom a chin with a mask.
    """
    side = x.shape[-1]
    at = torch.arange(side)
    half_x, half_y = draw(0.03, 0.16) * side, draw(0.03, 0.16) * side
    middle_x, middle_y = draw(0, 1) * side, draw(0, 1) * side
    inside = ((at[None] - middle_x[:, None]).abs() < half_x[:, None])[:, None, None, :]
    inside = inside & ((at[None] - middle_y[:, None]).abs() < half_y[:, None])[:, None, :, None]
    chance = draw(0, 1, 1, 1, 1)
    x = torch.where(inside & (chance < 0.2), draw(0, 1, 3, 1, 1), x)
    return torch.where(inside & (chance > 0.8), x.roll(1, 0).flip(2), x)


def _tensor(images: Images) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def train(
    images: Images, labels: NDArray[np.int64], recipe: Recipe, seed: int, progress: Callable[[int, int], None]
) -> nn.Module:
    """Trains on (N, S, S, 3) crops with labels 0..C-1, each class as often as its share.

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
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(recipe.kept), use_buffers=True)  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    weight = torch.from_numpy((np.array(recipe.shares) / np.bincount(labels))[labels])
    total, done = recipe.batches, 0
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: _rate(at / total))
    for side, batches in recipe.sides:
        order = torch.multinomial(weight, batches * recipe.batch, replacement=True, generator=random)
        for chosen in order.view(batches, recipe.batch):
            batch = augment(_tensor(images[chosen.numpy()]), side, recipe, random)
            logits = net(batch.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(
                logits, torch.from_numpy(labels[chosen.numpy()]), label_smoothing=recipe.smoothing
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            averaged.update_parameters(net)
            done += 1
            progress(done, total)
    return averaged.module.eval()


def _rate(done: float) -> float:
    return min(done / 0.1, 1.0) * 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def probabilities(net: nn.Module, images: Images, recipe: Recipe) -> NDArray[np.float32]:
    """(N, C) class probabilities of (N, S, S, 3) crops, mean over the recipe's windows and their mirror images."""
    seen = []
    for start in range(0, len(images), 256):
        views = [_view(_tensor(images[start : start + 256]), window, recipe) for window in recipe.windows]
        chances = [net(view).softmax(1) for each in views for view in (each, each.flip(3))]
        seen.append(torch.stack(chances).mean(0))
    return np.asarray(torch.cat(seen).numpy(), dtype=np.float32)


def _view(x: Tensor, window: float, recipe: Recipe) -> Tensor:
    """(N, 3, S, S) crops to what a window of them shows, (N, 3, side, side)."""
    size = round(window * x.shape[3])
    left, top = (min(max(round(at * x.shape[3] - size / 2), 0), x.shape[3] - size) for at in recipe.centre)
    part = x[:, :, top : top + size, left : left + size]
    part = functional.interpolate(part, size=recipe.side, mode="bilinear", antialias=True, align_corners=False)
    return part.contiguous(memory_format=torch.channels_last)
