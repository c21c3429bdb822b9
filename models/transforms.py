"""From a photo to what a model sees. The one module that knows albumentations.

The version used is the last under the MIT licence; it asks the network for updates at import unless told not to.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: N812
import cv2

from models.settings import Augment

Floats = NDArray[np.float32]


class PhotoTransform:
    """Central square, resize, augmentation, normalisation.

    The face sits in the middle of the competition's photos, and a square cut keeps its proportions whatever the
    photo's shape, so that a model can't tell sources apart by how much they were squeezed.

    Args:
        image_size: side of the result, pixels.
        mean: of each colour, RGB, for values 0..1.
        std: likewise.
        augment: `none` for scoring; `light` or `strong` for training.
    """

    def __init__(
        self,
        image_size: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        augment: Augment = "none",
    ) -> None:
        resize = A.Resize(image_size, image_size, area_for_downscale="image")
        self.random = augment != "none"
        self._compose = A.Compose([resize, *_augmentations(augment), A.Normalize(mean=mean, std=std)], seed=0)

    def __call__(self, rgb: NDArray[np.uint8], seed: int = 0) -> Floats:
        """(H, W, 3) uint8 RGB to (3, S, S) float32, normalised. The same seed changes a photo in the same way."""
        if self.random:
            # Not set_random_seed: it gives every step the same generator, so that they would all fire together.
            self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        changed: Any = self._compose(image=np.ascontiguousarray(central_square(rgb)))["image"]
        return np.ascontiguousarray(changed.transpose(2, 0, 1), dtype=np.float32)


def central_square(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest square in the middle of a picture (H, W, 3)."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]


def use_one_thread() -> None:
    """One OpenCV thread in this process: several workers with several threads each stand in each other's way."""
    cv2.setNumThreads(0)


def _augmentations(augment: Augment) -> list[Any]:
    """What may change without changing the label: place, light, colour, and the marks of camera and encoder."""
    if augment == "none":
        return []
    more = 1.0 if augment == "light" else 1.8
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(1 - 0.08 * more, 1 + 0.12 * more),
            translate_percent=(-0.05 * more, 0.05 * more),
            rotate=(-10 * more, 10 * more),
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.8,
        ),
        A.RandomBrightnessContrast(0.15 * more, 0.15 * more, p=0.6),
        A.HueSaturationValue(round(6 * more), round(20 * more), round(10 * more), p=0.4),
        A.GaussianBlur(blur_limit=0, sigma_limit=(0.2, 0.8 * more), p=0.2),
        A.GaussNoise(std_range=(0.005, 0.02 * more), p=0.2),
        A.ImageCompression(quality_range=(round(80 - 15 * more), 98), p=0.3),
    ]
