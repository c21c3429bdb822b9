"""Writing variants: encoded as JPEG without metadata, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import imagehash
from PIL import Image

from synth.arrays import RgbImage

TEMPORARY_SUFFIX = ".palette-part"
"""Of files being written; a run that starts removes what a killed one left."""


@dataclass(frozen=True)
class Written:
    """A written file: its bytes' SHA-256 in hex, the perceptual hash of its picture, its sizes in pixels and bytes."""

    sha256: str
    phash: str
    width: int
    height: int
    size: int


def write_jpeg(rgb: RgbImage, path: Path, quality: int) -> Written:
    """Encodes a picture and puts it in place by renaming, so that no half of one is ever seen.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        path: where to; its folder must exist.
        quality: of the JPEG, 1 to 100; chroma is subsampled as cameras do (4:2:0).
    """
    image = Image.fromarray(rgb)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    encoded = buffer.getvalue()
    part = path.with_name(f".{os.getpid()}-{hashlib.sha256(path.name.encode()).hexdigest()[:16]}{TEMPORARY_SUFFIX}")
    try:
        part.write_bytes(encoded)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    digest = hashlib.sha256(encoded).hexdigest()
    # Of the file's picture, not of the pixels before encoding: they differ by a few bits now and then.
    with Image.open(io.BytesIO(encoded)) as seen:
        phash = str(imagehash.phash(seen))
    return Written(digest, phash, image.width, image.height, len(encoded))


def remove_parts(folder: Path) -> int:
    """Removes what killed runs left half-written below a folder; returns how many files."""
    parts = list(folder.rglob(f".*{TEMPORARY_SUFFIX}")) if folder.is_dir() else []
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)
