"""What a look is drawn on: colour, opacity and height over the sheet, and the strokes all looks share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import FloatArray


@dataclass(eq=False)
class Canvas:
    """A texture of (h, w) texels; u runs from the picture's left edge of the mask to its right, v from top to bottom.

    Attributes:
        u, v: (h, w) float32 in 0..1.
        albedo: (h, w, 3) float32, linear RGB reflectance in 0..1.
        alpha: (h, w) float32, opacity in 0..1.
        height: (h, w) float32, relief in head units, positive away from the face.
        aspect: width over height of the sheet.
    """

    u: FloatArray
    v: FloatArray
    albedo: FloatArray
    alpha: FloatArray
    height: FloatArray
    aspect: float

    @classmethod
    def blank(cls, width: int, aspect: float, colour: FloatArray) -> Canvas:
        """An opaque sheet of one colour, `width` texels wide."""
        height = max(round(width / aspect), 8)
        u, v = np.meshgrid(
            (np.arange(width, dtype=np.float32) + 0.5) / width, (np.arange(height, dtype=np.float32) + 0.5) / height
        )
        flat = np.broadcast_to(np.asarray(colour, dtype=np.float32), (height, width, 3)).copy()
        return cls(u, v, flat, np.ones_like(u), np.zeros_like(u), aspect)

    @property
    def texel(self) -> float:
        """Size of a texel as a share of the sheet's height."""
        return 1.0 / len(self.u)

    def band(self, centre: FloatArray | float, half: float, along: FloatArray | None = None) -> FloatArray:
        """Soft stripe around v (or `along`) = centre: 1 inside, falling to 0 over about a texel."""
        distance = np.abs((self.v if along is None else along) - centre)
        return np.asarray(np.clip((half - distance) / max(self.texel, 1e-6) + 0.5, 0, 1), dtype=np.float32)

    def tint(self, mask: FloatArray, factor: float) -> None:
        """Multiplies the colour by `factor` where mask is 1."""
        self.albedo *= (1 + (factor - 1) * mask)[..., None]

    def paint(self, mask: FloatArray, colour: FloatArray) -> None:
        """Lays `colour` (3,) over the sheet where mask is 1."""
        self.albedo += (np.asarray(colour, dtype=np.float32) - self.albedo) * mask[..., None]

    def round_corners(self, radius: float) -> None:
        """Cuts the four corners off by a circle; radius as a share of the sheet's height."""
        x = np.minimum(self.u, 1 - self.u) * self.aspect
        y = np.minimum(self.v, 1 - self.v)
        beyond = np.hypot(np.maximum(radius - x, 0), np.maximum(radius - y, 0)) - radius
        near = np.minimum(np.minimum(x, y), -beyond)
        self.alpha *= np.clip(near / self.texel + 0.5, 0, 1).astype(np.float32)

    def wrinkle(self, amount: float, rng: np.random.Generator) -> None:
        """Folds that run across the sheet, longer than they are high; amount in 0..1 raises up to 2 mm."""
        rough = noise(self.u.shape, (9, 4), rng) + 0.5 * noise(self.u.shape, (18, 9), rng)
        ridged = 1 - np.abs(rough)
        self.height += np.float32(0.022 * amount) * ridged.astype(np.float32)

    def weave(self, depth: float, rng: np.random.Generator) -> None:
        """The fine mottling of cloth or fleece; depth as a share of the colour."""
        fine = noise(self.u.shape, (max(self.u.shape[0] // 2, 4), max(self.u.shape[1] // 2, 4)), rng)
        self.albedo *= (1 + np.float32(depth) * fine)[..., None]


def noise(shape: tuple[int, ...], cells: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Smooth value noise in about -1..1 over (h, w) with (rows, columns) cells."""
    grid = rng.uniform(-1, 1, size=(cells[0] + 1, cells[1] + 1)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def lab_to_linear(lab: tuple[float, float, float]) -> FloatArray:
    """CIE Lab (L 0..100, a, b, D65) to linear RGB reflectance (3,) float32 in 0..1."""
    pixel = np.array([[lab]], dtype=np.float32)
    return np.asarray(np.clip(cv2.cvtColor(pixel, cv2.COLOR_Lab2LRGB)[0, 0], 0.0, 1.0), dtype=np.float32)
