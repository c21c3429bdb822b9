"""A whole team as one network that takes pixels and gives chances, so that it can be exported as one graph.

It computes in torch what `models.chances` and `models.blending` compute in numpy; an export compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from models.blending import Blend
from models.checkpoint import CheckpointConfig
from models.heads import AGE, HEADS, SIZES, Layout
from models.years import BORDERS, SPREAD, between, unscaled

LABEL: Final = "label"
YEARS: Final = "years"
_OTHERS: Final = {"mask": (2, 3), "gender": (1, 3), AGE: (1, 2)}

Said = dict[str, torch.Tensor]
"""Chances by name: `label` (N, 18), `mask` (N, 3), `gender` (N, 2), `age_group` (N, 3), and `years` (N,)."""


@dataclass(frozen=True, eq=False)
class LoadedMember:
    """A member in memory.

    Attributes:
        network: maps (N, 3, S, S) normalised RGB to logits.
        config: what it is.
        group: the run that it is a fold of.
    """

    network: nn.Module
    config: CheckpointConfig
    group: str


class TeamNetwork(nn.Module):
    """Maps (N, S, S, 3) uint8 RGB to chances, a tensor for each of `names`.

    Args:
        members: those that count, all of one image size.
        blend: of their groups.
    """

    def __init__(self, members: Sequence[LoadedMember], blend: Blend) -> None:
        super().__init__()
        self.networks = nn.ModuleList(each.network for each in members)
        self.layouts = [each.config.layout for each in members]
        self.groups = [each.group for each in members]
        self.blend = blend
        for at, each in enumerate(members):
            for name, three in (("mean", each.config.mean), ("std", each.config.std)):
                self.register_buffer(f"{name}_{at}", torch.tensor(three).reshape(1, 3, 1, 1), persistent=False)
        size = members[0].config.image_size
        with torch.no_grad():
            self.names = tuple(self.say(torch.zeros(1, size, size, 3, dtype=torch.uint8)))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The chances, in the order of `names`."""
        said = self.say(pixels)
        return tuple(said[name] for name in self.names)

    def say(self, pixels: torch.Tensor) -> Said:
        """The chances by name."""
        images = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255
        groups: dict[str, list[Said]] = {}
        for at, (network, layout, group) in enumerate(zip(self.networks, self.layouts, self.groups, strict=True)):
            seen = (images - getattr(self, f"mean_{at}")) / getattr(self, f"std_{at}")
            groups.setdefault(group, []).append(_say(network(seen), layout))
        return self._blended({group: _mean(folds, [1.0] * len(folds)) for group, folds in groups.items()})

    def _blended(self, groups: dict[str, Said]) -> Said:
        if self.blend.stacking is not None:
            return self._stacked(groups)
        several = list(groups.values())
        weights = [1.0 if self.blend.weights is None else self.blend.weights[name] for name in groups]
        if all(LABEL in each for each in several):
            return _mean(several, weights)
        said: Said = {}
        for name in (*HEADS, YEARS):
            told = [at for at, each in enumerate(several) if name in each]
            if told:
                said[name] = _average([several[at][name] for at in told], [weights[at] for at in told])
        return _with_label(said)

    def _stacked(self, groups: dict[str, Said]) -> Said:
        stacking = self.blend.stacking
        assert stacking is not None  # noqa: S101
        logs = torch.cat([groups[name][LABEL].clamp_min(stacking.floor).log() for name in stacking.groups], dim=1)
        scores = logs @ torch.tensor(stacking.coefficients).T + torch.tensor(stacking.intercepts)
        known = scores.softmax(dim=1)
        spread = torch.zeros(len(stacking.classes), 18)
        spread[range(len(stacking.classes)), list(stacking.classes)] = 1.0
        return _with_heads(known @ spread)


def _say(logits: torch.Tensor, layout: Layout) -> Said:
    pieces = layout.split(logits)
    if layout.head == "single":
        return _with_heads(pieces[LABEL].softmax(dim=1))
    said: Said = {name: pieces[name].softmax(dim=1) for name in HEADS if name in pieces}
    if "older" in pieces:
        said[AGE] = between(pieces["older"].sigmoid())
    if "years" in pieces:
        years = unscaled(pieces["years"][:, 0])
        # torch.special.ndtr, which the exporter doesn't know
        past = (1 + torch.erf((years[:, None] - torch.tensor(BORDERS)) / (SPREAD * 2**0.5))) / 2
        told = between(past)
        said[AGE] = (said[AGE] + told) / 2 if AGE in said else told
        said[YEARS] = years
    return _with_label(said)


def _with_heads(label: torch.Tensor) -> Said:
    cube = label.reshape(-1, *SIZES)
    return {LABEL: label} | {name: cube.sum(dim=axes) for name, axes in _OTHERS.items()}


def _with_label(said: Said) -> Said:
    if not all(name in said for name in HEADS):
        return said
    mask, gender, age = (said[name] for name in HEADS)
    cube = mask[:, :, None, None] * gender[:, None, :, None] * age[:, None, None, :]
    return {LABEL: cube.reshape(-1, SIZES[0] * SIZES[1] * SIZES[2])} | said


def _mean(several: Sequence[Said], weights: Sequence[float]) -> Said:
    """The weighted mean of what all of them say."""
    return {
        name: _average([each[name] for each in several], weights)
        for name in several[0]
        if all(name in each for each in several)
    }


def _average(several: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    total = sum(weights)
    return torch.stack([each * (weight / total) for each, weight in zip(several, weights, strict=True)]).sum(dim=0)
