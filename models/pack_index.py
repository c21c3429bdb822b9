"""The index of a folder of packed photos: lines of JSON, each written once the pixels it speaks of are on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datasets.atomic import atomic_write
from datasets.errors import OutputError

PHOTOS, INDEX = "photos.rgb", "index.jsonl"
_FLUSH_BYTES: Final = 64 * 1024**2  # what a kill can lose: some seconds' work


@dataclass(frozen=True)
class Record:
    """What is known of a photo.

    Attributes:
        at: where its square begins, bytes.
        side: of its square, pixels; 0 of a refusal.
        reason: why there is none; empty where there is one.
        detail: the same for people to read.
    """

    at: int = 0
    side: int = 0
    reason: str = ""
    detail: str = ""

    @property
    def length(self) -> int:
        """What its square takes, bytes."""
        return self.side * self.side * 3

    @property
    def end(self) -> int:
        """The byte after its square."""
        return self.at + self.length

    def line(self, key: str) -> bytes:
        """As it is written."""
        told = {"reason": self.reason, "detail": self.detail} if self.reason else {"at": self.at, "side": self.side}
        return json.dumps({"key": key, **told}, separators=(",", ":")).encode()


class PendingRecords:
    """Records that wait until their pixels are on the disk.

    Args:
        folder: of the pack.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: list[bytes] = []
        self._bytes = 0

    def add(self, key: str, record: Record) -> None:
        """Takes a record whose pixels are written; sees to the disk when there are many.

        Raises:
            OutputError: as `flush`.
        """
        self._lines.append(record.line(key))
        self._bytes += record.length
        if self._bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Brings pixels to the disk, then their records.

        Raises:
            OutputError: the disk is full, or the folder gone.
        """
        if not self._lines:
            return
        try:
            with (self._folder / PHOTOS).open("rb") as pixels:
                os.fsync(pixels.fileno())
            with (self._folder / INDEX).open("ab") as index:
                # The line break before them parts them from a line that a kill cut short.
                index.write(b"\n" + b"\n".join(self._lines) + b"\n")
        except OSError as error:
            raise unwritable(self._folder, error) from error
        self._lines, self._bytes = [], 0


def read_index(folder: Path) -> dict[str, Record]:
    """The records, by key, whose pixels are all there; what is no record is passed over."""
    index: dict[str, Record] = {}
    try:
        length = (folder / PHOTOS).stat().st_size
        lines = (folder / INDEX).read_bytes().split(b"\n")
    except OSError:
        return index
    for line in lines:
        try:
            told = json.loads(line)
            key = str(told["key"])
            if "reason" in told:
                index[key] = Record(reason=str(told["reason"]), detail=str(told["detail"]))
            else:
                record = Record(int(told["at"]), int(told["side"]))
                if record.side > 0 and record.at >= 0 and record.end <= length:
                    index[key] = record
        except (ValueError, KeyError, TypeError):
            continue
    return index


def rewrite_index(folder: Path, index: Mapping[str, Record]) -> None:
    """Leaves these records alone in the index, before new pixels are written.

    One whose pixels were lost would else be believed again when another photo's are in their place.

    Raises:
        OutputError: it can't be written.
    """
    with atomic_write(folder / INDEX, durable=True) as temporary:
        temporary.write_bytes(b"\n".join(record.line(key) for key, record in index.items()) + b"\n")


def unwritable(folder: Path, error: OSError) -> OutputError:
    """What to say where a pack can't be written to."""
    told = error.strerror or type(error).__name__
    return OutputError(f"cannot pack photos in {folder}: {told}; mend that and run again, it goes on from here")
