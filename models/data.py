"""Photos as a model takes them, read one by one from the places that a manifest names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from datasets.errors import PhotoError
from datasets.refusals import Refusal
from models.heads import HEADS, MISSING, to_labels
from models.packed import PackedPhotos, Progress, Wanted, pack_photos
from models.sampling import Draw
from models.squares import Box, Pixels, read_square, stored_side
from models.targets import Targets
from models.transforms import PhotoTransform, use_one_thread


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
        sha256: (N,) of the files' bytes, hex; empty where nobody knows them, and then nothing is packed.
        sizes: (N, 2) int32 width and height of the upright photos, pixels; None where nobody knows them.
        boxes: (N, 4) float32 x, y, width and height of the face that a square is cut about, as shares of the photo's
            width and height; nan where there is none, and None where squares are cut from the middle.
        packed: the rows' squares, where they were packed; they count for a model of the side they were packed for.
    """

    paths: tuple[Path, ...]
    photo_ids: tuple[str, ...]
    codes: NDArray[np.int64]
    years: NDArray[np.float32]
    weights: NDArray[np.float32]
    sources: tuple[str, ...]
    synthetic: NDArray[np.bool_]
    sha256: tuple[str, ...] = ()
    sizes: NDArray[np.int32] | None = None
    boxes: NDArray[np.float32] | None = None
    packed: PackedPhotos | None = None

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

    def box(self, row: int) -> Box | None:
        """The face that a row's square is cut about; None for the photo's middle."""
        if self.boxes is None or not np.isfinite(self.boxes[row]).all():
            return None
        x, y, width, height = (float(share) for share in self.boxes[row])
        return x, y, width, height

    def wanted(self) -> list[Wanted]:
        """The rows as photos to pack; none of them where their hashes aren't known."""
        sizes = [None] * len(self) if self.sizes is None else [(int(w), int(h)) for w, h in self.sizes]
        return [Wanted(self.paths[row], sha256, self.box(row), sizes[row]) for row, sha256 in enumerate(self.sha256)]


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
        transform: applied to each photo's square, with the draw's seed.
        image_size: side of the model's square: of a photo no more is kept than that needs.
        stage: what refusals say they come from.
    """

    def __init__(self, examples: Examples, transform: PhotoTransform, image_size: int, stage: str) -> None:
        self.examples = examples
        self.transform = transform
        self.side = stored_side(image_size)
        self.stage = stage
        packed = examples.packed
        self.packed = packed if packed is not None and packed.side == self.side else None

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, draw: Draw) -> Item:
        try:
            square = self.square(draw.row)
        except PhotoError as error:
            photo_id = self.examples.photo_ids[draw.row]
            return Item(draw.row, None, Refusal(photo_id, self.stage, error.reason, error.detail))
        return Item(draw.row, self.transform(square, draw.seed), None)

    def square(self, row: int) -> Pixels:
        """(S, S, 3) uint8 RGB that is kept of a row's photo, the same whether it was packed or not.

        Raises:
            PhotoError: the photo can't be read.
        """
        kept = self.packed.square(row) if self.packed is not None else None
        if kept is not None:
            return kept
        return read_square(self.examples.paths[row], self.side, self.examples.box(row)).rgb


def with_packed(
    sets: Sequence[Examples], cache: Path, image_size: int, *, workers: int = 1, progress: Progress | None = None
) -> list[Examples]:
    """Sets of examples with their photos packed; those that weren't yet are packed now.

    Args:
        sets: of examples; their photos are packed in one go.
        cache: folder for packed photos.
        image_size: side of the model's square, pixels.
        workers: processes that decode.
        progress: called as progress(photos done, photos to do).

    Raises:
        OutputError: the folder can't be written to, or its disk is too full.
    """
    known = [each for each in sets if each.sha256]
    wanted = [photo for each in known for photo in each.wanted()]
    whole = pack_photos(cache, wanted, stored_side(image_size), workers=workers, progress=progress)
    ends = np.cumsum([len(each) for each in known]).tolist()
    parts = {id(each): whole.part(end - len(each), end) for each, end in zip(known, ends, strict=True)}
    return [replace(each, packed=parts.get(id(each))) for each in sets]


class SizedLoader:
    """The loader of a run whose squares change their side from epoch to epoch; one is open at a time.

    Args:
        make: makes the loader of a side.
    """

    def __init__(self, make: Callable[[int], DataLoader[Item]]) -> None:
        self._make = make
        self._size = 0
        self._loader: DataLoader[Item] | None = None

    def at(self, size: int) -> DataLoader[Item]:
        """The loader for squares of that side, pixels; the last one, where the side is the same."""
        if self._loader is None or size != self._size:
            self._loader = None  # its workers end before the next ones start
            self._loader, self._size = self._make(size), size
        return self._loader


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
        # Its own, or the number of workers, and when they start, would shift what dropout draws.
        generator=torch.Generator(),
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
