"""Faces that were found before, by the photo's content, so that another run of other masks needn't look for them again.

Lines of JSON in 256 files, by the first byte of the key. A database would need locks that network file systems lack,
and runs on Ray share one; a file for each of 250,000 photos would fill a disk's blocks by a quarter. A line is appended
by one call in append mode, so that several workers can write the same file; what a kill or a full disk cut short fails
to be read as a line and is looked for anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from synth.errors import OutputError
from synth.face import N_LANDMARKS, Face

FOLDER = "landmarks"


def cache_key(photo_sha256: str, shape: tuple[int, ...], finder: str) -> str:
    """Sixty-four hex digits for the faces of one decoded photo as one finder finds them.

    Args:
        photo_sha256: of the file's bytes, in hex.
        shape: (H, W, ...) of the decoded picture: a JPEG may be decoded at a part of its size.
        finder: what `FaceFinder.identity` says.
    """
    return hashlib.sha256(f"{photo_sha256}|{shape[0]}x{shape[1]}|{finder}".encode()).hexdigest()


class LandmarkCache:
    """Faces by key, kept in a folder.

    Only where each line lies is held in memory: 250,000 photos take some 50 MB.

    Args:
        folder: made where it is missing. Several processes may use it at once.

    Raises:
        OutputError: the folder can't be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[str, dict[str, tuple[int, int]]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise OutputError(f"cannot keep landmarks in {folder}: {told}; choose another folder") from error

    def get(self, key: str) -> list[Face] | None:
        """The faces kept under a key, as they were put; None where there are none on record or the record is broken."""
        place = self._index(key[:2]).get(key)
        if place is None:
            return None
        try:
            with self._path(key[:2]).open("rb") as file:
                file.seek(place[0])
                record = json.loads(file.read(place[1]))
                return _faces(record) if record["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, faces: list[Face]) -> None:
        """Keeps the faces of a photo; an empty list says that it has none.

        Raises:
            OutputError: the disk is full or the folder gone.
        """
        record = {"key": key, "faces": [_record(face) for face in faces]}
        # The line break before it parts the record from one that a kill cut short.
        line = b"\n" + json.dumps(record, separators=(",", ":")).encode() + b"\n"
        path = self._path(key[:2])
        try:
            # Somebody may have cleared it away since: a process that serves runs lives for days.
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                if os.write(handle, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                end = os.lseek(handle, 0, os.SEEK_CUR)
            finally:
                os.close(handle)
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise OutputError(f"cannot write {path}: {told}; mend that and run again, it goes on from here") from error
        self._index(key[:2])[key] = (end - len(line) + 1, len(line) - 2)

    def _path(self, shard: str) -> Path:
        return self.folder / f"{shard}.jsonl"

    def _index(self, shard: str) -> dict[str, tuple[int, int]]:
        """Where each key's line begins and how long it is, read once for each file."""
        if shard not in self._places:
            self._places[shard] = _places(self._path(shard))
        return self._places[shard]


def _places(path: Path) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    at = 0
    try:
        with path.open("rb") as file:
            for line in file:
                key = _key(line)
                if key is not None:
                    found[key] = (at, len(line) - 1)
                at += len(line)
    except OSError:
        return found
    return found


_START = b'{"key":"'


def _key(line: bytes) -> str | None:
    """Of a whole line; its faces are read when they are asked for."""
    if not line.startswith(_START) or not line.endswith(b"]}\n"):
        return None
    return line[len(_START) : len(_START) + 64].decode("ascii", "replace")


def _record(face: Face) -> dict[str, Any]:
    # Python writes a float64 with as many digits as bring the same one back.
    points = [value for point in face.landmarks.tolist() for value in point]
    told = {"score": face.score, "detector": face.detector, "spread": face.spread}
    return {"box": face.box.tolist(), "points": points, **told}


def _faces(record: dict[str, Any]) -> list[Face]:
    return [_face(each) for each in record["faces"]]


def _face(record: dict[str, Any]) -> Face:
    box, points = np.array(record["box"], dtype=np.float64), np.array(record["points"], dtype=np.float64)
    score, spread = float(record["score"]), float(record["spread"])
    if box.shape != (4,) or points.shape != (2 * N_LANDMARKS,):
        raise ValueError("not a face")
    if not (np.isfinite(box).all() and np.isfinite(points).all() and math.isfinite(score + spread)):
        raise ValueError("not a face")
    return Face(box, points.reshape(N_LANDMARKS, 2), score, str(record["detector"]), spread)
