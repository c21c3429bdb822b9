"""Which of the held-out rows models are compared by: the real photos or the variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.heads import HEADS, MISSING

Headline = Literal["real", "synthetic"]

_ALL: Final = tuple(range(len(HEADS)))


def headline_of(real: NDArray[np.int64], synthetic: NDArray[np.int64], columns: Sequence[int] = _ALL) -> Headline:
    """Real photos, unless the variants show more of the mask states, genders and age groups than they do.

    Bare faces alone can't tell a model that sees masks from one that never does. Where all three are answered, the rows
    whose three labels are known count; only if neither set has such a row do those with some of them.

    Args:
        real: (N, 3) true codes of the real photos, -1 for a label that is missing.
        synthetic: (M, 3) those of the variants.
        columns: which of the codes are answered.

    Returns:
        `synthetic` too where no real photo has a label to be compared with.
    """
    at = list(columns)
    seen = [_words(codes[:, at], whole=len(at) == len(HEADS)) for codes in (real, synthetic)]
    if not any(seen):
        seen = [_words(codes[:, at], whole=False) for codes in (real, synthetic)]
    return "real" if seen[0] and seen[0] >= seen[1] else "synthetic"


def _words(codes: NDArray[np.int64], *, whole: bool) -> int:
    """How many different words the columns of (N, H) codes show, each column's own."""
    if whole:
        codes = codes[(codes != MISSING).all(axis=1)]
    return sum(len(np.unique(column[column != MISSING])) for column in codes.T)
