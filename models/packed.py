"""Packed photos: decoded, cut and resized once, and kept as raw pixels in one file that loaders map into memory.

Decoding a JPEG takes longer than most models take to learn from it. A folder of packed photos holds

    <side>px-<version>/photos.rgb    the squares' pixels one after the other, S x S x 3 bytes each
                       index.jsonl   a line a photo: where its square lies, or why there is none

A photo is known by its content and the box it is cut about, so that another manifest with half the same photos packs
the other half only. A line is written once the pixels it speaks of are on the disk: what a kill or a power cut leaves
behind without a line is written over by the next run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from datasets.errors import OutputError, PhotoError
from datasets.workers import stream_files
from models.pack_index import PHOTOS, PendingRecords, Record, read_index, rewrite_index, unwritable
from models.squares import Box, Pixels, read_square, reading_version, square_of

Progress = Callable[[int, int], None]

_LOCK: Final = "lock"
_PERHAPS: Final = "too_large"  # perhaps for the memory that was free just then, so it is tried again in the next run
_LEFT_FREE: Final = 64 * 1024**2  # of the disk, for the index and for whoever else writes to it


@dataclass(frozen=True)
class Wanted:
    """A photo to pack.

    Attributes:
        path: where it lies.
        sha256: of the bytes that are meant, 64 hex digits; a file that holds others isn't packed.
        box: the face it is cut about; the middle where None.
        size: width and height of the upright photo, pixels, where known: of a small one less room is set aside.
    """

    path: Path
    sha256: str
    box: Box | None = None
    size: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        """What it is known by: its content, and the box if there is one."""
        if self.box is None:
            return self.sha256
        place = ",".join(f"{share:.5f}" for share in self.box)
        return hashlib.sha256(f"{self.sha256}|{place}".encode()).hexdigest()

    def room(self, side: int) -> int:
        """Side of the square that is set aside for it, at most `side` pixels."""
        return side if self.size is None else min(side, square_of(*self.size, self.box)[2])


@dataclass(frozen=True)
class PackingPlan:
    """What packing would do.

    Attributes:
        folder: where the squares lie.
        photos: how many different ones are wanted.
        new: how many of them are not packed yet.
        bytes: what those take on the disk.
        free: bytes free there.
    """

    folder: Path
    photos: int
    new: int
    bytes: int
    free: int


@dataclass(frozen=True, eq=False)
class PackedPhotos:
    """The squares of some rows, read without copying; every process that reads maps the file for itself.

    Attributes:
        file: of the pixels.
        side: longest that a square may be, pixels.
        places: (N,) int64: where each row's square begins, bytes; -1 where it isn't packed.
        sides: (N,) int32: of each square, pixels; 0 where there is none.
        refused: reason and detail, by row, of the photos that can't be read.
    """

    file: Path
    side: int
    places: NDArray[np.int64]
    sides: NDArray[np.int32]
    refused: Mapping[int, tuple[str, str]]

    def __getstate__(self) -> dict[str, Any]:
        # The map, which a pickle would copy whole.
        return {name: value for name, value in self.__dict__.items() if name != "_pixels"}

    def square(self, row: int) -> Pixels | None:
        """(S, S, 3) uint8 RGB, not to be written to; None where the row isn't packed.

        Raises:
            PhotoError: the photo could not be read when it was packed.
        """
        if row in self.refused:
            raise PhotoError(*self.refused[row])
        begin, side = int(self.places[row]), int(self.sides[row])
        if begin < 0:
            return None
        pixels = self._pixels[begin : begin + side * side * 3]
        return pixels.reshape(side, side, 3)

    def part(self, begin: int, end: int) -> PackedPhotos:
        """The rows from `begin` to before `end`."""
        refused = {row - begin: why for row, why in self.refused.items() if begin <= row < end}
        return PackedPhotos(self.file, self.side, self.places[begin:end], self.sides[begin:end], refused)

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return np.memmap(self.file, dtype=np.uint8, mode="r")


def pack_folder(cache: Path, side: int) -> Path:
    """The folder in a cache that holds squares of that side, as this version of the code makes them."""
    version = hashlib.sha256(reading_version().encode()).hexdigest()[:8]
    return Path(cache) / f"{side}px-{version}"


def plan_packing(cache: Path, photos: Sequence[Wanted], side: int) -> PackingPlan:
    """What `pack_photos` would do; makes nothing."""
    folder = pack_folder(cache, side)
    todo = _missing(photos, read_index(folder))
    there = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    need = sum(_bytes(each.room(side)) for each in todo.values())
    return PackingPlan(folder, len({each.key for each in photos}), len(todo), need, shutil.disk_usage(there).free)


def pack_photos(
    cache: Path,
    photos: Sequence[Wanted],
    side: int,
    *,
    workers: int = 1,
    progress: Progress | None = None,
    isolated: bool = True,
) -> PackedPhotos:
    """Packs the photos that aren't packed yet, and gives the squares of all.

    A photo that can't be read is a refusal, and kept as one. A file that holds other bytes than are meant, or that
    isn't there, is left unpacked: whoever reads it then finds out. While another process packs into the same folder,
    this one waits and then packs what is still missing.

    Args:
        cache: folder for packed photos; made.
        photos: in the rows' order; the same one may come more than once.
        side: longest side of a square, pixels: a photo takes at most side x side x 3 bytes.
        workers: processes that decode.
        progress: called as progress(photos done, photos to do).
        isolated: even a single worker is a process of its own, so that a photo on which a decoder crashes is a refusal
            and not the end of this process.

    Raises:
        OutputError: the folder can't be written to, or its disk is too full.
    """
    folder = pack_folder(cache, side)
    lost: dict[str, Record] = {}
    if _missing(photos, read_index(folder)):
        with _locked(folder):
            index = read_index(folder)
            stream = partial(stream_files, workers=workers, isolated=isolated)
            lost = _fill(folder, _missing(photos, index), index, side, stream, progress)
    return _rows(folder, side, photos, {**lost, **read_index(folder)})


def _missing(photos: Sequence[Wanted], index: Mapping[str, Record]) -> dict[str, Wanted]:
    return {each.key: each for each in photos if each.key not in index}


def _rows(folder: Path, side: int, photos: Sequence[Wanted], index: Mapping[str, Record]) -> PackedPhotos:
    places, sides = np.full(len(photos), -1, dtype=np.int64), np.zeros(len(photos), dtype=np.int32)
    refused = {}
    for row, each in enumerate(photos):
        record = index.get(each.key)
        if record is None:
            continue
        if record.reason:
            refused[row] = (record.reason, record.detail)
        else:
            places[row], sides[row] = record.at, record.side
    return PackedPhotos(folder / PHOTOS, side, places, sides, refused)


@dataclass(frozen=True)
class _Task:
    wanted: Wanted
    at: int
    room: int


@dataclass(frozen=True)
class _Made:
    """What came of a photo: a record to keep, one that counts for this run only, or neither."""

    key: str
    record: Record | None = None
    kept: bool = True


def _fill(
    folder: Path,
    todo: Mapping[str, Wanted],
    index: Mapping[str, Record],
    side: int,
    stream: Callable[..., Generator[list[_Made], None, None]],
    progress: Progress | None,
) -> dict[str, Record]:
    """Packs what is missing by `stream_files`; the refusals that are not to be kept."""
    tasks, end = [], max((record.end for record in index.values()), default=0)
    begin = end
    for wanted in todo.values():
        tasks.append(_Task(wanted, end, wanted.room(side)))
        end += _bytes(tasks[-1].room)
    _check_room(folder, end - begin)
    lost: dict[str, Record] = {}
    done, pending = 0, PendingRecords(folder)
    rewrite_index(folder, index)
    try:
        _set_length(folder / PHOTOS, begin, end)
        # Closed before the lock is let go of: workers still at it would write over what the next one packs.
        with closing(stream(partial(_pack, folder / PHOTOS, side), tasks, crashed=_crashed)) as batches:
            for made in batches:
                for each in made:
                    if each.record is not None and each.kept:
                        pending.add(each.key, each.record)
                    elif each.record is not None:
                        lost[each.key] = each.record
                done += len(made)
                if progress is not None:
                    progress(done, len(tasks))
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        pending.flush()
    return lost


def _pack(file: Path, side: int, task: _Task) -> _Made:
    """Reads one photo and writes its square where it belongs."""
    wanted = task.wanted
    try:
        square = read_square(wanted.path, side, wanted.box)
    except PhotoError as error:
        # Of these bytes nothing else can come; a file that isn't there, or isn't the one meant, says nothing of them.
        same = _sha256(wanted.path) == wanted.sha256
        refusal = Record(reason=error.reason, detail=error.detail) if same else None
        return _Made(wanted.key, refusal, kept=error.reason != _PERHAPS)
    if square.sha256 != wanted.sha256 or len(square.rgb) > task.room:
        return _Made(wanted.key)
    try:
        handle = os.open(file, os.O_WRONLY)
        try:
            _write_all(handle, square.rgb.tobytes(), task.at)
        finally:
            os.close(handle)
    except OSError as error:
        raise unwritable(file.parent, error) from error
    return _Made(wanted.key, Record(task.at, len(square.rgb)))


def _crashed(task: _Task) -> _Made:
    # Perhaps the machine was short of memory only: it is tried again in the next run.
    refusal = Record(reason="crashed", detail="the process that decoded it died: out of memory, or a bad file")
    return _Made(task.wanted.key, refusal, kept=False)


def _write_all(handle: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, at)
        view, at = view[written:], at + written


def _set_length(file: Path, kept: int, end: int) -> None:
    """Cuts off what no line speaks of, and makes room: without content yet, so it takes nothing of the disk."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(handle, kept)
        os.ftruncate(handle, end)
    finally:
        os.close(handle)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder for one process at a time; the system lets go of it when that process ends, however it does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / _LOCK).open("w")
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        raise unwritable(folder, error) from error
    with handle:
        yield


def _check_room(folder: Path, need: int) -> None:
    free = shutil.disk_usage(folder).free
    if need + _LEFT_FREE > free:
        raise OutputError(
            f"packing these photos takes {need / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free: "
            "free some, name another cache folder, or train without one"
        )


def _bytes(side: int) -> int:
    return side * side * 3


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""
