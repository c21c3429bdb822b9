"""Pictures with enough in them to be known again, and copies of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
from PIL import Image

from datasets.photos import read_photo
from tests.datasets.builders import encode, row


def scene(seed: int, size: tuple[int, int] = (240, 320)) -> np.ndarray:
    """(H, W, 3) uint8 of soft blots of many sizes; another picture for each seed. `size` is width, height."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((size[1], size[0], 3), np.float32)
    for cells in (4, 9, 20, 45):
        coarse = rng.uniform(0, 1, (cells * size[1] // size[0], cells, 3)).astype(np.float32)
        picture += cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(picture / 4 * 255, 0, 255), dtype=np.uint8)


def copied(
    rgb: np.ndarray,
    *,
    box: tuple[float, float, float, float] = (0, 0, 1, 1),
    mirrored: bool = False,
    scale: float = 0.8,
    quality: int = 60,
) -> bytes:
    """A JPEG of the part of a picture in `box` (left, top, right, bottom as shares), scaled, perhaps mirrored."""
    image = Image.fromarray(rgb)
    image = image.crop(tuple(round(share * image.size[i % 2]) for i, share in enumerate(box)))
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image
    return encode(image, quality=quality)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def photo_row(folder: Path, name: str, data: bytes, **values: Any) -> dict[str, Any]:
    """Writes a photo and returns the manifest row that an ingest would make of it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    photo = read_photo(path)
    hashed = str(imagehash.phash(Image.fromarray(photo.rgb)))
    measured = {"sha256": photo.sha256, "phash": hashed, "width": photo.width, "height": photo.height}
    return row(name, **{**measured, **values})
