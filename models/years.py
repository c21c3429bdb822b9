"""Ages in years as a network gives and learns them, and what they say of the age group."""

from __future__ import annotations

from typing import Final

import torch

BORDERS: Final = (30.0, 60.0)
"""Years at which a new age group begins, as `datasets.labels.age_group` has it."""

_MIDDLE, _SCALE = 45.0, 20.0
SPREAD: Final = 6.0
"""Years by which answers miss as a rule; it only makes chances of years, whose cut-offs are found out of fold."""


def scaled(years: torch.Tensor) -> torch.Tensor:
    """Years to what a network is to give: about -2 to 2 for people of 5 to 85."""
    return (years - _MIDDLE) / _SCALE


def unscaled(answers: torch.Tensor) -> torch.Tensor:
    """What a network gives to years."""
    return answers * _SCALE + _MIDDLE


def group_chances(years: torch.Tensor) -> torch.Tensor:
    """(N,) years that a network gives to (N, 3) chances of the age groups: a normal spread around the answer."""
    borders = torch.tensor(BORDERS, dtype=years.dtype, device=years.device)
    return between(torch.special.ndtr((years[:, None] - borders) / SPREAD))


def between(older: torch.Tensor) -> torch.Tensor:
    """(N, 2) chances of being past each border to (N, 3) chances of the age groups.

    A chance of the later border above that of the earlier, which a network can give, counts as equal to it.
    """
    first = older[:, :1]
    second = torch.minimum(older[:, 1:], first)
    return torch.cat([1 - first, first - second, second], dim=1)
