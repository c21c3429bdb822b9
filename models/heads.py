"""The 18 classes as one answer or as three: mask, gender and age group.

Codes are positions in `datasets.labels`; -1 stands for a label that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, N_LABELS

if TYPE_CHECKING:
    import torch

    from models.settings import Head

HEADS: Final = ("mask", "gender", "age_group")
WORDS: Final = (MASK_STATES, GENDERS, AGE_GROUPS)
SIZES: Final = tuple(len(words) for words in WORDS)
MISSING: Final = -1


def n_outputs(head: Head) -> int:
    """How many numbers a model of that head gives for one photo: 18 or 3 + 2 + 3."""
    return N_LABELS if head == "single" else sum(SIZES)


def to_labels(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, 3) codes to (N,) labels 0..17; -1 where any of the three is missing."""
    mask, gender, age = codes[:, 0], codes[:, 1], codes[:, 2]
    labels = (mask * SIZES[1] + gender) * SIZES[2] + age
    return np.where((codes == MISSING).any(axis=1), MISSING, labels)


def to_codes(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) labels 0..17 to (N, 3) codes."""
    rest, age = np.divmod(labels, SIZES[2])
    mask, gender = np.divmod(rest, SIZES[1])
    return np.stack([mask, gender, age], axis=1)


def split_answers(logits: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """(N, 8) logits of a triple head to (N, 3), (N, 2), (N, 3)."""
    first, second = SIZES[0], SIZES[0] + SIZES[1]
    return logits[:, :first], logits[:, first:second], logits[:, second:]


def predicted_labels(logits: torch.Tensor, head: Head) -> NDArray[np.int64]:
    """The likeliest label of each photo.

    Args:
        logits: (N, 18) of a single head, or (N, 8) of a triple one.
        head: which of the two.

    Returns:
        (N,) int64, 0..17. Of a triple head each of the three answers is its own likeliest.
    """
    if head == "single":
        return np.asarray(logits.argmax(dim=1).cpu().numpy(), dtype=np.int64)
    answers = [part.argmax(dim=1).cpu().numpy() for part in split_answers(logits)]
    return to_labels(np.stack(answers, axis=1).astype(np.int64))
