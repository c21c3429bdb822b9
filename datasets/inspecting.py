"""What a manifest records of a photo's file: its hashes and its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from datasets.errors import PhotoError
from datasets.finding import PhotoFile
from datasets.photos import read_photo
from datasets.refusals import Refusal
from datasets.workers import Progress, map_files

_PHASH_SIDE: Final = 256
"""Pixels of the longer side that a perceptual hash is taken from; `imagehash` shrinks the picture to 32 in any case."""


@dataclass(frozen=True)
class Inspected:
    """What one photo's file holds.

    Attributes:
        sha256: Of its bytes, 64 hex digits.
        phash: Of its picture, 16 hex digits.
        width: Upright, at full size, pixels.
        height: Upright, at full size, pixels.
    """

    sha256: str
    phash: str
    width: int
    height: int


def inspect_photo(photo: PhotoFile) -> Inspected | Refusal:
    """Decodes and hashes one photo; a photo that can't be read is a refusal, by its relative path."""
    try:
        read = read_photo(photo.path, max_side=_PHASH_SIDE)
    except PhotoError as error:
        return Refusal(photo.relative, "read", error.reason, error.detail)
    return Inspected(read.sha256, read.phash, read.width, read.height)


def inspect_photos(
    photos: Sequence[PhotoFile], *, workers: int = 1, progress: Progress | None = None
) -> list[Inspected | Refusal]:
    """Decodes and hashes photos over worker processes; the results are in the order of `photos`."""
    return map_files(inspect_photo, photos, workers=workers, crashed=_crashed, progress=progress)


def _crashed(photo: PhotoFile) -> Refusal:
    return Refusal(photo.relative, "read", "crashed", "the process that decoded it died: out of memory, or a bad file")
