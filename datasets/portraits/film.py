"""Behind the person and behind the lens: the background, the lens's softness, the sensor's grain."""

from __future__ import annotations

import cv2
import numpy as np

from datasets.portraits.camera import Floats
from datasets.portraits.light import Light
from datasets.portraits.sheet import noise


def background(width: int, height: int, light: Light, rng: np.random.Generator) -> Floats:
    """Return a wall out of focus, (H, W, 3) float32 linear albedo: a gradient, brighter towards the light."""
    tone = float(rng.choice([0.10, 0.22, 0.38, 0.55], p=[0.15, 0.25, 0.3, 0.3]))
    tint = 1 + rng.normal(0, 0.07, 3) + 0.10 * rng.normal() * np.array([1, 0, -1])
    rows, cols = max(height // 4, 2), max(width // 4, 2)  # it is out of focus: a quarter of the detail is plenty
    x = np.linspace(-0.5, 0.5, cols, dtype=np.float32)[None]
    y = np.linspace(-0.5, 0.5, rows, dtype=np.float32)[:, None]
    toward = light.direction
    ramp = 1 + 0.45 * toward[0] * x + 0.35 * toward[1] * y - 0.35 * (x * x + y * y)
    blurred = 1 + 0.10 * float(rng.uniform(0, 1)) * noise(rng, (rows, cols), (4, 3))
    wall = np.asarray((tone * ramp * blurred)[..., None] * tint, np.float32)
    if rng.uniform() < 0.3:  # a door frame or a shelf, far out of focus
        wall *= _upright(x, rng)[..., None]
    return np.asarray(np.clip(cv2.resize(wall, (width, height), interpolation=cv2.INTER_LINEAR), 0.01, 1.2))


def _upright(x: Floats, rng: np.random.Generator) -> Floats:
    at = float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.45))
    edge = 1 / (1 + np.exp(-(x - at) / 0.02))
    return np.asarray(1 - float(rng.uniform(0.15, 0.4)) * (edge if at > 0 else 1 - edge), np.float32)


def expose(
    picture: Floats, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Turn a large display-valued picture into the photo: reduced, a little soft, a little grainy.

    Args:
        picture: (H, W, 3) float32, 0 to 1.
        size: (width, height) of the photo.
        rng: for softness and grain.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    photo = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    photo = cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(0.35, 0.65)))
    height, width = photo.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    photo *= (1 - 0.07 * (x * x + y * y))[..., None]
    amount = float(rng.uniform(0.005, 0.012))
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) + 0.4 * rng.standard_normal(
        (height, width, 3), dtype=np.float32
    )
    photo += amount * cv2.GaussianBlur(grain, (0, 0), 0.6)
    return np.asarray(np.clip(photo * 255, 0, 255).round().astype(np.uint8))
