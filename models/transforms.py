"""From a photo to what a model sees. The one module that knows albumentations.

The version used is the last under the MIT licence; it asks the network for updates at import unless told not to.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: N812
import cv2

from models.settings import Augment
from models.squares import Pixels, central_square

Floats = NDArray[np.float32]
Steps = tuple[list[Any], list[Any]]

PATCH: Final = (0.04, 0.09)
"""Sides of the patches that `faces` covers, as shares of the square's: a nose is about 0.12 wide."""


class PhotoTransform:
    """Central square, augmentation of place, resize, other augmentation, normalisation.

    The face sits in the middle of the competition's photos and of squares cut about one, and a square cut keeps its
    proportions. Place changes before the resize: what is zoomed into is then as sharp as the photo.

    Args:
        image_size: side of the result, pixels.
        mean: of each colour, RGB, for values 0..1.
        std: likewise.
        augment: `none` for scoring; `light`, `strong` or `faces` for training.
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
        places, looks = PRESETS[augment](image_size)
        self._compose = A.Compose([*places, resize, *looks, A.Normalize(mean=mean, std=std)], seed=0)

    def __call__(self, rgb: Pixels, seed: int = 0) -> Floats:
        """(H, W, 3) uint8 RGB to (3, S, S) float32, normalised. The same seed changes a photo in the same way."""
        if self.random:
            # Not set_random_seed: it gives every step the same generator, so that they would all fire together.
            self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        changed: Any = self._compose(image=np.ascontiguousarray(central_square(rgb)))["image"]
        return np.ascontiguousarray(changed.transpose(2, 0, 1), dtype=np.float32)


def use_one_thread() -> None:
    """One OpenCV thread in this process: several workers with several threads each stand in each other's way."""
    cv2.setNumThreads(0)


def _none(size: int) -> Steps:
    return [], []


def _light(size: int) -> Steps:
    return _general(1.0)


def _strong(size: int) -> Steps:
    return _general(1.8)


def _general(more: float) -> Steps:
    """What may change without changing the label: place, light, colour, and the marks of camera and encoder."""
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(1 - 0.08 * more, 1 + 0.12 * more),
            translate_percent=(-0.05 * more, 0.05 * more),
            rotate=(-10 * more, 10 * more),
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.8,
        ),
    ], [
        A.RandomBrightnessContrast(0.15 * more, 0.15 * more, p=0.6),
        A.HueSaturationValue(round(6 * more), round(20 * more), round(10 * more), p=0.4),
        A.GaussianBlur(blur_limit=0, sigma_limit=(0.2, 0.8 * more), p=0.2),
        A.GaussNoise(std_range=(0.005, 0.02 * more), p=0.2),
        A.ImageCompression(quality_range=(round(80 - 15 * more), 98), p=0.3),
    ]


def _faces(size: int) -> Steps:
    """What differs between photos of the same person: pose of the head, lamp, camera, messenger, something in the way.

    Nothing here may hide what a label is read from. Patches are smaller than a nose, so that none turns a mask under
    the nose into one over it; blurs leave the lines of a face, which tell its age, and are in shares of the side, since
    a pixel of 64 holds as much of a face as four of 224.
    """
    soft = size / 224
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(0.9, 1.15),
            translate_percent=(-0.06, 0.06),
            rotate=(-12, 12),
            shear=(-4, 4),
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.8,
        ),
    ], [
        A.OneOf(
            [
                A.RandomBrightnessContrast(0.2, 0.2),
                A.RandomGamma((75, 130)),
                A.PlanckianJitter(mode="blackbody"),
                A.ColorJitter((0.85, 1.15), (0.85, 1.15), (0.7, 1.3), (-0.02, 0.02)),
            ],
            p=0.7,
        ),
        A.ToGray(p=0.04),
        A.OneOf(
            [
                A.GaussianBlur(blur_limit=0, sigma_limit=(0.3 * soft, 1.2 * soft)),
                A.Downscale(scale_range=(0.6, 0.9)),
                A.Sharpen(alpha=(0.1, 0.3), lightness=(1.0, 1.0)),
            ],
            p=0.25,
        ),
        A.GaussNoise(std_range=(0.005, 0.025), p=0.2),
        A.ImageCompression(quality_range=(60, 98), p=0.3),
        A.CoarseDropout(num_holes_range=(1, 3), hole_height_range=PATCH, hole_width_range=PATCH, fill="random", p=0.3),
    ]


PRESETS: Final[dict[Augment, Callable[[int], Steps]]] = {
    "none": _none,
    "light": _light,
    "strong": _strong,
    "faces": _faces,
}
"""By name: the steps before and after the resize to that side in pixels."""
