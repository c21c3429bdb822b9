"""Photos as a model takes them, read one by one from the places that a manifest names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from datasets.errors import PhotoError
from datasets.photos import read_photo
from datasets.refusals import Refusal
from models.heads import HEADS, MISSING, to_labels
from models.sampling import Draw
from models.targets import Targets
from models.transforms import PhotoTransform, use_one_thread

# Decoding keeps at least twice the model's side on the longer one, so that the square cut from the middle of a photo
# twice as long as wide still has a pixel for each of the model's.
_DECODE_FACTOR = 2


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows to learn from, to score on, or to answer.

    Attributes:
        paths: (N,) where the photos lie.
        photo_ids: (N,) what to call them in refusals.
        codes: (N, 3) int64 of `models.heads`, -1 for a missing label.
        years: (N,) float32 ages in years, nan where they are missing.
        weights: (N, 3) float32, what each label counts in the loss.
        sources: (N,) the datasets they come from.
        synthetic: (N,) bool, variants.
    """

    paths: tuple[Path, ...]
    photo_ids: tuple[str, ...]
    codes: NDArray[np.int64]
    years: NDArray[np.float32]
    weights: NDArray[np.float32]
    sources: tuple[str, ...]
    synthetic: NDArray[np.bool_]

    @staticmethod
    def unlabelled(paths: Sequence[Path], photo_ids: Sequence[str]) -> Examples:
        """Photos of which nothing is known."""
        count = len(paths)
        return Examples(
            paths=tuple(paths),
            photo_ids=tuple(photo_ids),
            codes=np.full((count, len(HEADS)), MISSING, dtype=np.int64),
            years=np.full(count, np.nan, dtype=np.float32),
            weights=np.ones((count, len(HEADS)), dtype=np.float32),
            sources=("",) * count,
            synthetic=np.zeros(count, dtype=bool),
        )

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) labels 0..17, -1 where one of the three is missing."""
        return to_labels(self.codes)

    def targets(self, rows: NDArray[np.int64]) -> Targets:
        """What some of the rows are to teach."""
        return Targets(
            torch.from_numpy(self.codes[rows]),
            torch.from_numpy(self.years[rows]),
            torch.from_numpy(self.weights[rows]),
        )


@dataclass(frozen=True)
class Item:
    """One photo of a batch, or why there is none."""

    index: int
    image: NDArray[np.float32] | None
    refusal: Refusal | None


@dataclass(frozen=True)
class Batch:
    """What a loader yields. Photos that could not be read are left out of it and named.

    Attributes:
        images: (B, 3, S, S) float32; B may be 0.
        targets: of the B photos.
        index: (B,) rows of the examples.
        refusals: of the photos left out.
        drawn: how many rows were asked for.
    """

    images: torch.Tensor
    targets: Targets
    index: NDArray[np.int64]
    refusals: tuple[Refusal, ...]
    drawn: int


class PhotoDataset(Dataset[Item]):
    """Reads, decodes and transforms the photos of examples.

    Args:
        examples: the rows.
        transform: applied to each photo, with the draw's seed.
        image_size: side of the model's square: photos are decoded no larger than that needs.
        stage: what refusals say they come from.
    """

    def __init__(self, examples: Examples, transform: PhotoTransform, image_size: int, stage: str) -> None:
        self.examples = examples
        self.transform = transform
        self.max_side = _DECODE_FACTOR * image_size
        self.stage = stage

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, draw: Draw) -> Item:
        try:
            photo = read_photo(self.examples.paths[draw.row], max_side=self.max_side)
        except PhotoError as error:
            photo_id = self.examples.photo_ids[draw.row]
            return Item(draw.row, None, Refusal(photo_id, self.stage, error.reason, error.detail))
        return Item(draw.row, self.transform(photo.rgb, draw.seed), None)


def make_loader(
    dataset: PhotoDataset, sampler: Sampler[Draw], batch_size: int, workers: int, *, drop_last: bool = False
) -> DataLoader[Item]:
    """A loader of `Batch`es; the same batches on any number of workers."""
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        drop_last=drop_last,
        collate_fn=_Collate(dataset.examples),
        worker_init_fn=_start_worker if workers else None,
        persistent_workers=workers > 0,
    )


class _Collate:
    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def __call__(self, items: list[Item]) -> Batch:
        read = [item for item in items if item.image is not None]
        index = np.array([item.index for item in read], dtype=np.int64)
        images = default_collate([item.image for item in read]) if read else torch.zeros(0, 3, 1, 1)
        return Batch(
            images=images,
            targets=self.examples.targets(index),
            index=index,
            refusals=tuple(item.refusal for item in items if item.refusal is not None),
            drawn=len(items),
        )


def _start_worker(worker: int) -> None:
    torch.set_num_threads(1)
    use_one_thread()


def unique_refusals(refusals: Iterable[Refusal]) -> list[Refusal]:
    """Each photo's refusal once, by photo id: a row drawn often is refused each time."""
    return sorted({each.photo_id: each for each in refusals}.values(), key=lambda each: each.photo_id)


def none_read(purpose: str, refusals: Sequence[Refusal]) -> str:
    """What to say where not one photo could be read."""
    first = refusals[0]
    return (
        f"none of the photos to {purpose} could be read, such as {first.photo_id} ({first.reason}: {first.detail}): "
        "is the manifest still beside its photos?"
    )
