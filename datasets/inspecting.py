"""What a manifest records of a photo's file: its hashes and its size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

from datasets.errors import PhotoError
from datasets.finding import PhotoFile
from datasets.photos import read_photo
from datasets.refusals import Refusal
from datasets.workers import BATCH, Progress, stream_files

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


@dataclass(frozen=True)
class _Turn:
    """A photo, and the file that the same worker is likely to open after it."""

    photo: PhotoFile
    after: Path | None


def inspect_photo(photo: PhotoFile) -> Inspected | Refusal:
    """Decodes and hashes one photo; a photo that can't be read is a refusal, by its relative path."""
    try:
        read = read_photo(photo.path, max_side=_PHASH_SIDE)
    except PhotoError as error:
        return Refusal(photo.relative, "read", error.reason, error.detail)
    return Inspected(read.sha256, read.phash, read.width, read.height)


def inspect_photos(
    photos: Sequence[PhotoFile],
    *,
    workers: int = 1,
    progress: Progress | None = None,
    batch: int = BATCH,
    isolated: bool = False,
) -> list[Inspected | Refusal]:
    """Decodes and hashes photos over worker processes; the results are in the order of `photos`.

    A file is read once: what is hashed is what is decoded. While a worker hashes and decodes one, the system is
    already reading its next one, so that neither waits for the other.

    Args:
        photos: What to open.
        workers: Processes.
        progress: Told how many photos are done.
        batch: Photos a task.
        isolated: Even a single worker is a process of its own.
    """
    after = [photo.path for photo in photos[1:]]
    turns = [_Turn(photo, path) for photo, path in zip_longest(photos, after)]
    results: list[Inspected | Refusal] = []
    streams = stream_files(_inspect, turns, workers=workers, crashed=_crashed, batch=batch, isolated=isolated)
    for some in streams:
        results.extend(some)
        if progress is not None:
            progress(len(results), len(photos))
    return results


def _inspect(turn: _Turn) -> Inspected | Refusal:
    if turn.after is not None:
        read_ahead(turn.after)
    return inspect_photo(turn.photo)


def read_ahead(path: Path) -> None:
    """Asks the system to have a file's bytes at hand soon, and returns at once; where it can't, nothing happens."""
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would block for ever
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(handle)


def _crashed(turn: _Turn) -> Refusal:
    return Refusal(
        turn.photo.relative, "read", "crashed", "the process that decoded it died: out of memory, or a bad file"
    )
