"""The 18 classes as one answer or as three, and what the numbers that a network gives stand for.

Codes are positions in `datasets.labels`; -1 stands for a label that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, N_LABELS

if TYPE_CHECKING:  # commands make their options of settings, which know this module: --help waits for no numpy
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from models.settings import AgeAs, Head

AGE: Final = "age_group"
HEADS: Final = ("mask", "gender", AGE)
WORDS: Final = (MASK_STATES, GENDERS, AGE_GROUPS)
SIZES: Final = tuple(len(words) for words in WORDS)
MISSING: Final = -1


def to_labels(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, 3) codes to (N,) labels 0..17; -1 where any of the three is missing."""
    import numpy as np

    mask, gender, age = codes[:, 0], codes[:, 1], codes[:, 2]
    labels = (mask * SIZES[1] + gender) * SIZES[2] + age
    return np.where((codes == MISSING).any(axis=1), MISSING, labels)


def to_codes(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) labels 0..17 to (N, 3) codes."""
    import numpy as np

    rest, age = np.divmod(labels, SIZES[2])
    mask, gender = np.divmod(rest, SIZES[1])
    return np.stack([mask, gender, age], axis=1)


@dataclass(frozen=True)
class Layout:
    """What the numbers that a network gives for a photo stand for.

    Attributes:
        head: `single` for one answer of 18 classes, `triple` for answers of their own to mask, gender and age group.
        parts: which of the three a triple head answers, in the order of `HEADS`; a single one answers them all at once.
        age_as: how a triple head answers the age: `classes`, three logits; `regression`, one number of years, scaled
            by `models.years`; `both`; `ordinal`, a logit for each border between age groups ("older than that?").
    """

    head: Head = "single"
    parts: tuple[str, ...] = HEADS
    age_as: AgeAs = "classes"

    @property
    def pieces(self) -> dict[str, slice]:
        """Where each answer lies among the numbers: of `label`, `mask`, `gender`, `age_group`, `years`, `older`."""
        sizes = {"label": N_LABELS} if self.head == "single" else self._sizes()
        found, at = {}, 0
        for name, size in sizes.items():
            found[name] = slice(at, at + size)
            at += size
        return found

    @property
    def n_outputs(self) -> int:
        """How many numbers a network of that layout gives for one photo."""
        return sum(piece.stop - piece.start for piece in self.pieces.values())

    @property
    def whole(self) -> bool:
        """Whether it answers mask, gender and age group, so that each photo gets one of the 18 classes."""
        return self.head == "single" or self.parts == HEADS

    @property
    def columns(self) -> list[int]:
        """Which columns of the codes it answers."""
        return [at for at, name in enumerate(HEADS) if self.head == "single" or name in self.parts]

    def scorable(self, codes: NDArray[np.int64]) -> bool:
        """Whether (N, 3) true codes are enough to compare models of that layout by."""
        known = codes[:, self.columns] != MISSING
        return bool(known.all(axis=1).any() if self.whole else known.any())

    def split(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, `n_outputs`) logits to the pieces, each (N, size)."""
        return {name: logits[:, piece] for name, piece in self.pieces.items()}

    def _sizes(self) -> dict[str, int]:
        sizes = {name: size for name, size in zip(HEADS, SIZES, strict=True) if name in self.parts}
        if AGE in sizes and self.age_as != "classes":
            if self.age_as != "both":
                del sizes[AGE]
            sizes |= {"older": SIZES[2] - 1} if self.age_as == "ordinal" else {"years": 1}
        return sizes
