"""A batch as a network sees it, as pictures again: to look at before hours are spent on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.refusals import Refusal
from models.data import Examples, PhotoDataset, unique_refusals
from models.errors import TrainingDataError
from models.heads import MISSING, WORDS
from models.sampling import BalancedSampler
from models.settings import TrainSettings
from models.sizes import size_at
from models.transforms import PhotoTransform

_STAGE = "train"


@dataclass(frozen=True, eq=False)
class Preview:
    """Photos of the first batch.

    Attributes:
        images: (B, S, S, 3) uint8 RGB, cut, changed and resized; S is the side of the first epoch.
        photo_ids: (B,).
        words: (B, 3) mask state, gender and age group, None where one is missing.
        refusals: of the photos that could not be read.
    """

    images: NDArray[np.uint8]
    photo_ids: tuple[str, ...]
    words: tuple[tuple[str | None, ...], ...]
    refusals: tuple[Refusal, ...]


def first_batch(examples: Examples, settings: TrainSettings, most: int) -> Preview:
    """The photos that training draws first, changed as they are in training.

    Args:
        examples: the rows to train on.
        settings: of the run.
        most: photos at most; a batch may hold fewer.

    Raises:
        TrainingDataError: none of them can be read.
    """
    size = size_at(0, settings)
    # Values 0..1: what a network subtracts and divides by would only be undone again.
    transform = PhotoTransform(size, (0.0,) * 3, (1.0,) * 3, settings.augment)
    dataset = PhotoDataset(examples, transform, settings.image_size, _STAGE)
    draws = list(BalancedSampler(examples.codes, settings.balance, settings.seed))[: min(settings.batch_size, most)]
    items = [dataset[draw] for draw in draws]
    refusals = tuple(unique_refusals(item.refusal for item in items if item.refusal is not None))
    read = [item for item in items if item.image is not None]
    if not read:
        first = refusals[0]
        raise TrainingDataError(
            f"none of the first batch's photos could be read, such as {first.photo_id} ({first.reason}: {first.detail})"
        )
    seen = np.stack([item.image for item in read if item.image is not None]).transpose(0, 2, 3, 1)
    return Preview(
        images=np.clip(np.rint(seen * 255), 0, 255).astype(np.uint8),
        photo_ids=tuple(examples.photo_ids[item.index] for item in read),
        words=tuple(_words(examples.codes[item.index]) for item in read),
        refusals=refusals,
    )


def _words(codes: NDArray[np.int64]) -> tuple[str | None, ...]:
    return tuple(None if code == MISSING else words[code] for code, words in zip(codes.tolist(), WORDS, strict=True))
