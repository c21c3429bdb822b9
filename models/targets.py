"""What a batch is to teach: codes, years, and what each label of each row counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Targets:
    """The labels of B rows.

    Attributes:
        codes: (B, 3) int64 of `models.heads`, -1 for a missing label.
        years: (B,) float32 ages in years, nan where they are missing.
        weights: (B, 3) float32, what each of the three labels counts in the loss.
    """

    codes: torch.Tensor
    years: torch.Tensor
    weights: torch.Tensor

    def __len__(self) -> int:
        return len(self.codes)

    def to(self, device: torch.device) -> Targets:
        """The same on another device."""
        return Targets(self.codes.to(device), self.years.to(device), self.weights.to(device))

    def take(self, rows: torch.Tensor) -> Targets:
        """Those of some rows, in their order."""
        return Targets(self.codes[rows], self.years[rows], self.weights[rows])

    def with_rows(self, other: Targets) -> Targets:
        """These rows, and after them another's."""
        return Targets(
            torch.cat([self.codes, other.codes]),
            torch.cat([self.years, other.years]),
            torch.cat([self.weights, other.weights]),
        )
