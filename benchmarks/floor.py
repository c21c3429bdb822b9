"""What masking a photo can't do without: reading it, finding its face, encoding a picture for each variant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
from PIL import Image

from datasets.photos import read_photo
from synth import MaskEngine
from synth.arrays import RgbImage
from synth.finder import LANDMARK_FILE, model_file
from synth.framing import Size
from synth.run import DECODE_SIDE

SIZE = Size(384, 512)
QUALITY = 92
PLAIN_SIDE = 320
"""Longest side at which the plain floor looks for faces, in pixels, without doubling: the cheapest useful look."""


@dataclass(frozen=True)
class FloorJob:
    """How many pictures each photo is written as, and where."""

    out: Path
    variants: int


@cache
def engine() -> MaskEngine:
    """The engine that finds faces, one a process."""
    return MaskEngine()


@cache
def _plain_models() -> tuple[Any, Any]:
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model_file(LANDMARK_FILE)))


def plain_find(rgb: RgbImage) -> bool:
    """One look at 320 pixels and 68 landmarks; False where that shows no face.

    Args:
        rgb: (H, W, 3) uint8, RGB.
    """
    detector, predictor = _plain_models()
    shrink = PLAIN_SIDE / max(rgb.shape[:2])
    small = rgb if shrink >= 1 else cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    boxes, _, _ = detector.run(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), 0, 0.0)
    if boxes:
        predictor(small, max(boxes, key=lambda box: box.area()))
    return bool(boxes)


def framed(rgb: RgbImage) -> RgbImage:
    """The photo at the size of a variant, by nothing better than a resize."""
    return np.asarray(cv2.resize(rgb, (SIZE.width, SIZE.height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def encode(rgb: RgbImage, path: Path) -> None:
    """Writes a JPEG as variants are written, without their hashes."""
    Image.fromarray(rgb).save(path, "JPEG", quality=QUALITY, subsampling="4:2:0")


def floor_photo(job: FloorJob, path: Path) -> int:
    """Reads a photo, finds its face as the engine does, and encodes its pictures; returns how many."""
    photo = read_photo(path, max_side=DECODE_SIDE)
    engine().find(photo.rgb)
    _write(photo.rgb, job, path)
    return job.variants


def plain_floor_photo(job: FloorJob, path: Path) -> int:
    """The same with one cheap look for the face."""
    photo = read_photo(path, max_side=DECODE_SIDE)
    plain_find(photo.rgb)
    _write(photo.rgb, job, path)
    return job.variants


def _write(rgb: RgbImage, job: FloorJob, path: Path) -> None:
    picture = framed(rgb)
    for number in range(job.variants):
        encode(picture, job.out / f"{path.stem}__{number}.jpg")
