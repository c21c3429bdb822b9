"""A batch as a network sees it, as pictures again: to look at before hours are spent on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.refusals import Refusal
from models.data import Examples, PhotoDataset, unique_refusals
from models.errors import TrainingDataError
from models.heads import HEADS, MISSING, WORDS
from models.mixing import Mixer
from models.sampling import make_sampler
from models.settings import TrainSettings
from models.sizes import size_at
from models.transforms import PhotoTransform

_STAGE = "train"


@dataclass(frozen=True, eq=False)
class Preview:
    """Photos of the first batch.

    Attributes:
        images: (B, S, S, 3) uint8 RGB, cut, changed, mixed and resized; S is the side of the first epoch.
        photo_ids: (B,).
        sources: (B,) the datasets they come from.
        synthetic: (B,) bool, variants.
        words: (B, 3) mask state, gender and age group, None where one is missing.
        partners: (B, 3) likewise, of the photo that is mixed into each; empty where the batch is not mixed.
        shares: by how much each of the three labels is still a photo's own, by the head's name; 1 unless mixed.
        refusals: of the photos that could not be read.
    """

    images: NDArray[np.uint8]
    photo_ids: tuple[str, ...]
    sources: tuple[str, ...]
    synthetic: NDArray[np.bool_]
    words: tuple[tuple[str | None, ...], ...]
    partners: tuple[tuple[str | None, ...], ...]
    shares: dict[str, float]
    refusals: tuple[Refusal, ...]


def first_batch(examples: Examples, settings: TrainSettings, most: int) -> Preview:
    """The photos that training draws first, changed and mixed as they are in training.

    Args:
        examples: the rows to train on.
        settings: of the run.
        most: photos at most; a batch may hold fewer.

    Raises:
        TrainingDataError: none of them can be read.
        SettingsError: as `models.sampling.make_sampler`.
    """
    size = size_at(0, settings)
    # Values 0..1: what a network subtracts and divides by would only be undone again.
    transform = PhotoTransform(size, (0.0,) * 3, (1.0,) * 3, settings.augment)
    dataset = PhotoDataset(examples, transform, settings.image_size, _STAGE)
    # The whole batch, even if less of it is shown: photos are mixed with any of the others.
    items = [dataset[draw] for draw in islice(make_sampler(examples, settings), settings.batch_size)]
    refusals = tuple(unique_refusals(item.refusal for item in items if item.refusal is not None))
    read = [item for item in items if item.image is not None]
    if not read:
        first = refusals[0]
        raise TrainingDataError(
            f"none of the first batch's photos could be read, such as {first.photo_id} ({first.reason}: {first.detail})"
        )
    rows = np.array([item.index for item in read], dtype=np.int64)
    images = torch.from_numpy(np.stack([item.image for item in read if item.image is not None]))
    mixed = Mixer(settings).mix(images, examples.targets(rows), epoch=0, step=0)
    shown, partners = rows[:most], mixed.partner_targets
    seen = mixed.images[:most].permute(0, 2, 3, 1).numpy()
    return Preview(
        images=np.clip(np.rint(seen * 255), 0, 255).astype(np.uint8),
        photo_ids=tuple(examples.photo_ids[row] for row in shown),
        sources=tuple(examples.sources[row] for row in shown),
        synthetic=examples.synthetic[shown],
        words=tuple(map(_words, examples.codes[shown])),
        partners=() if partners is None else tuple(map(_words, partners.codes[:most].numpy())),
        shares=dict(zip(HEADS, mixed.shares.tolist(), strict=True)),
        refusals=refusals,
    )


def _words(codes: NDArray[np.int64]) -> tuple[str | None, ...]:
    return tuple(None if code == MISSING else words[code] for code, words in zip(codes.tolist(), WORDS, strict=True))
