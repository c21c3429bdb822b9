"""Fingerprints kept by content, so that each photo is opened for its own but once."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from datasets.atomic import atomic_write
from datasets.duplicates.fingerprint import BITS, POINTS, SIDE, TABLES, Fingerprint

_MADE_BY: Final = f"1 {SIDE} {POINTS} {TABLES} {BITS} opencv {cv2.__version__}"
"""What shapes a fingerprint; raise the first number with its code. A cache made otherwise is left unread."""


@dataclass
class PrintCache:
    """Fingerprints by the SHA-256 of a photo's file.

    Attributes:
        path: The .npz file; None keeps nothing.
        known: What is in it.
    """

    path: Path | None
    known: dict[str, Fingerprint] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None) -> PrintCache:
        """Returns the cache in a file; an empty one where there is none, or it is broken or made otherwise."""
        cache = cls(path)
        if path is None:
            return cache
        try:
            with np.load(path, allow_pickle=False) as stored:
                if str(stored["made_by"]) == _MADE_BY:
                    ends = np.cumsum(stored["counts"])[:-1]
                    words, places = np.split(stored["words"], ends), np.split(stored["places"], ends)
                    hashes = [str(text) for text in stored["sha256"]]
                    pairs = zip(hashes, words, places, strict=True)
                    cache.known = {sha256: Fingerprint(word, place) for sha256, word, place in pairs}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            cache.known = {}
        return cache

    def save(self) -> None:
        """Writes the cache, atomically, in an order that doesn't depend on who was first.

        Raises:
            OutputError: If the file can't be written.
        """
        if self.path is None or not self.known:
            return
        hashes = sorted(self.known)
        prints = [self.known[sha256] for sha256 in hashes]
        with atomic_write(self.path) as temporary, temporary.open("wb") as handle:
            np.savez(
                handle,
                made_by=np.array(_MADE_BY),
                sha256=np.array(hashes, dtype="U64"),
                counts=np.array([len(each.words) for each in prints], dtype=np.int64),
                words=np.concatenate([each.words for each in prints]),
                places=np.concatenate([each.places for each in prints]),
            )
