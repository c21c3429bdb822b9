"""Embeddings kept by the content of photos: one file, and parts that are added to it while work goes on."""

from __future__ import annotations

import fcntl
import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.atomic import atomic_write

Embedding = NDArray[np.floating[Any]]


@dataclass
class FaceCache:
    """Embeddings by the SHA-256 of a photo's file; a photo without a face is remembered too.

    `add` writes what is new to a part of its own, so that keeping it takes as long for the last photos as for the
    first; `merge` makes one file of all at the end. After a kill in between, `open` reads the parts that are there.
    Two runs may use one cache at once: neither loses what the other has added.

    Attributes:
        path: The .npz file. Parts lie in a folder beside it, see `parts`.
        version: Of the code that finds and embeds faces; a cache of another version is left unread.
        known: (D,) floats by the file's SHA-256; None where no face was found.
    """

    path: Path
    version: str
    known: dict[str, Embedding | None] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, version: str) -> FaceCache:
        """Return the cache in a file and its parts; what is not there, broken or of another version is as if empty."""
        cache = cls(path, version)
        for file in (path, *cache.part_files()):
            cache.known |= _read(file, version)
        return cache

    @property
    def parts(self) -> Path:
        """The folder of the parts."""
        return self.path.with_name(f"{self.path.stem}.parts")

    def part_files(self) -> list[Path]:
        """Return the parts there are, of any version."""
        return sorted(self.parts.glob("*.npz"))

    def add(self, found: Mapping[str, Embedding | None]) -> None:
        """Take in embeddings by SHA-256, and keep them in a part of their own; atomically."""
        if not found:
            return
        self.known |= found
        # By what is in it, so that no part takes the place of another, and the same work done twice is one part.
        name = hashlib.sha256("".join([self.version, *sorted(found)]).encode()).hexdigest()[:16]
        _write(self.parts / f"{name}.npz", self.version, found)

    def merge(self) -> None:
        """Write all to the one file, atomically, in an order that does not depend on who was embedded first.

        What another run has added since this one began is taken in, too; parts that it adds meanwhile stay.
        """
        with _alone(self.path):
            parts = self.part_files()
            for file in (self.path, *parts):
                # What this run holds stays: the same photo by the same code is the same embedding.
                self.known = _read(file, self.version) | self.known
            _write(self.path, self.version, self.known)
            for part in parts:
                part.unlink(missing_ok=True)
        with suppress(OSError):
            self.parts.rmdir()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time write the one file: each would else leave out what the other takes in meanwhile."""
    try:
        handle = os.open(path.parent, os.O_RDONLY)
    except OSError:  # there is no folder yet, or none can be: writing says so
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(file: Path, version: str) -> dict[str, Embedding | None]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            rows = np.asarray(stored["embeddings"])
            hashes = [str(text) for text in stored["sha256"]]
            faceless = [str(text) for text in stored["faceless"]]
            if str(stored["version"]) == version and rows.ndim == 2 and len(rows) == len(hashes):
                return {**dict(zip(hashes, rows, strict=True)), **dict.fromkeys(faceless)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    return {}


def _write(file: Path, version: str, known: Mapping[str, Embedding | None]) -> None:
    found = {name: row for name, row in sorted(known.items()) if row is not None}
    rows = np.stack(list(found.values())) if found else np.zeros((0, 0), np.float32)
    faceless = sorted(name for name, row in known.items() if row is None)
    with atomic_write(file) as temporary, Path(temporary).open("wb") as handle:
        np.savez(
            handle,
            version=np.array(version),
            sha256=np.array(list(found), dtype="U64"),
            embeddings=rows,
            faceless=np.array(faceless, dtype="U64"),
        )
