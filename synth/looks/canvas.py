"""What a look is drawn on: colour, opacity and height over the sheet, and the strokes all looks share.

Speed comes from three habits: what depends on u or on v alone is reckoned on one row or column and broadcast; what is
smooth is drawn on a coarse grid and enlarged; shades of one colour are kept apart from colours until the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from synth.arrays import FloatArray

COARSE = (32, 48)
"""Rows and columns of the grid on which smooth things are drawn."""

_COARSE_V, _COARSE_U = ((np.arange(n, dtype=np.float32) + 0.5) / n for n in COARSE)

STENCIL_WIDTH = 440
"""Least width in texels at which prints are drawn before they are brought to the canvas's size."""


@dataclass(eq=False)
class Canvas:
    """A texture of (h, w) texels; u runs from the picture's left edge of the mask to its right, v from top to bottom.

    Attributes:
        column, row: (1, w) u and (h, 1) v of the texels, float32 in 0..1.
        planes: (3, h, w) float32, linear red, green and blue reflectance in 0..1.
        alpha: (h, w) float32, opacity in 0..1.
        height: (h, w) float32, relief in head units, positive away from the face.
        aspect: width over height of the sheet.
        shade: (h, w) float32, what the colours are multiplied by in the end: hollows, stitches, weave.
        soft_height, soft_shade: of height and shade what is smooth, on the coarse grid, until `finish` brings it in.
    """

    column: FloatArray
    row: FloatArray
    planes: FloatArray
    alpha: FloatArray
    height: FloatArray
    aspect: float
    shade: FloatArray
    soft_height: FloatArray = field(default_factory=lambda: np.zeros(COARSE, dtype=np.float32))
    soft_shade: FloatArray = field(default_factory=lambda: np.ones(COARSE, dtype=np.float32))

    @classmethod
    def blank(cls, width: int, aspect: float, colour: FloatArray) -> Canvas:
        """An opaque sheet of one colour, `width` texels wide."""
        shape = (max(round(width / aspect), 8), width)
        row = (np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(0.5)) / np.float32(shape[0])
        column = (np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)) / np.float32(width)
        flat = np.empty((3, *shape), dtype=np.float32)
        flat[...] = np.asarray(colour)[:, None, None]
        one, flush = np.ones(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        return cls(column, row, flat, one, flush, aspect, np.ones(shape, dtype=np.float32))

    @property
    def albedo(self) -> FloatArray:
        """(h, w, 3) float32, linear RGB reflectance in 0..1: a view of `planes`."""
        return self.planes.transpose(1, 2, 0)

    @property
    def texel(self) -> float:
        """Size of a texel as a share of the sheet's height."""
        return 1.0 / len(self.row)

    @cached_property
    def inset(self) -> FloatArray:
        """(h, w) distance from the nearest edge as a share of the sheet's height."""
        across = np.minimum(self.column, 1 - self.column) * np.float32(self.aspect)
        return np.minimum(across, np.minimum(self.row, 1 - self.row))

    def window(self, u0: float, v0: float, u1: float, v1: float) -> Canvas:
        """The part of the sheet between these u and v, sharing its arrays: what is drawn on it is drawn here."""
        rows, columns = self.alpha.shape
        down, across = (
            slice(int(max(first * count, 0.0)), math.ceil(min(max(last * count, 1.0), count)))
            for first, last, count in ((v0, v1, rows), (u0, u1, columns))
        )
        alpha, height, shade = (each[down, across] for each in (self.alpha, self.height, self.shade))
        planes = self.planes[:, down, across]
        return Canvas(self.column[:, across], self.row[down], planes, alpha, height, self.aspect, shade)

    def band(self, centre: FloatArray | float, half: float, along: FloatArray | None = None) -> FloatArray:
        """Soft stripe around v (or `along`) = centre: 1 inside, falling to 0 over about a texel.

        With plain numbers and v it is (h, 1), to be broadcast; with (1, w) or (h, w) arrays (h, w).
        """
        distance = np.abs((self.row if along is None else along) - centre)
        return np.asarray(ramp((half - distance) / max(self.texel, 1e-6) + 0.5), dtype=np.float32)

    def line(self, centre: FloatArray | float, half: float, along: FloatArray | None = None) -> FloatArray:
        """A band that keeps its strength where it is thinner than a texel: wider, and fainter in proportion."""
        least = 0.75 * self.texel
        return np.asarray(self.band(centre, max(half, least), along) * np.float32(min(half / least, 1.0)))

    def tint(self, mask: FloatArray, factor: float) -> None:
        """Multiplies the colour by `factor` where mask (broadcast to (h, w)) is 1."""
        self.shade *= np.float32(1) + np.float32(factor - 1) * mask

    def stripe(
        self, at: float, half: float, factor: float, along: FloatArray | float = 1.0, *, down: bool = False
    ) -> None:
        """Tints a straight line across the sheet, touching only the texels it lies on.

        Args:
            at: v of the line, or u of one that runs down.
            half: half its width, as a share of the sheet's height.
            factor: what the colour is multiplied by.
            along: its strength along it, (w,) or, for one that runs down, (h,).
            down: runs from top to bottom.
        """
        axis = (self.column[0] - at) * self.aspect if down else self.row[:, 0] - at
        profile = self.line(0.0, half, axis)
        where = np.flatnonzero(profile)
        if not len(where):
            return
        part = slice(int(where[0]), int(where[-1]) + 1)
        strength, along = np.float32(factor - 1) * profile[part], np.asarray(along)
        if down:
            self.shade[:, part] *= 1 + along[..., None] * strength
        else:
            self.shade[part] *= 1 + strength[:, None] * along

    def paint(self, mask: FloatArray, colour: FloatArray) -> None:
        """Lays `colour` (3,) over the sheet where mask (broadcast to (h, w)) is 1."""
        painted = np.flatnonzero(mask.max(axis=1))
        if not len(painted):
            return
        rows = slice(int(painted[0]), int(painted[-1]) + 1)
        if len(mask) == 1:
            rows = slice(0, None)
        full = np.ascontiguousarray(mask[rows], dtype=np.float32)
        clear = 1 - full
        for plane, channel in zip(self.planes, np.asarray(colour, dtype=np.float32), strict=True):
            plane[rows] *= clear
            plane[rows] += full * channel

    def finish(self) -> None:
        """Brings what is smooth into the height, and the shades into the colours."""
        self.height += self.spread(self.soft_height)
        self.shade *= self.spread(self.soft_shade)
        self.planes *= self.shade
        self.planes.clip(0.005, 0.98, out=self.planes)

    def round_corners(self, radius: float) -> None:
        """Cuts the four corners off by a circle; radius as a share of the sheet's height."""
        rows, columns = self.alpha.shape
        down, across = min(round(radius * rows) + 1, rows), min(round(radius / self.aspect * columns) + 1, columns)
        x = np.maximum(np.float32(radius) - self.column[:, :across] * np.float32(self.aspect), 0)
        y = np.maximum(np.float32(radius) - self.row[:down], 0)
        kept = ramp((radius - np.hypot(x, y)) / self.texel + 0.5).astype(np.float32)
        for vertical in (1, -1):
            for horizontal in (1, -1):
                self.alpha[::vertical, ::horizontal][:down, :across] *= kept

    def oval(self, power: float) -> FloatArray:
        """Cuts the sheet to a superellipse and returns its level, (h, w): 0 in the middle, 1 on the outline."""
        across, down = np.abs(2 * self.column - 1) ** power, np.abs(2 * self.row - 1) ** power
        level = root(across + down, power)
        self.alpha *= ramp((1 - level) / (2 * self.texel) + 0.5)
        return np.asarray(level)

    def spread(self, coarse: FloatArray) -> FloatArray:
        """(h, w) float32 of a smooth thing drawn on the coarse grid."""
        size = (self.alpha.shape[1], self.alpha.shape[0])
        return np.asarray(cv2.resize(coarse.astype(np.float32, copy=False), size, interpolation=cv2.INTER_CUBIC))

    def stencil(self, draw: Callable[[FloatArray, float], None]) -> FloatArray:
        """(h, w) float32 in 0..1 of a print; thin strokes fade instead of breaking up where texels are few.

        Args:
            draw: is handed an (H, W) uint8 array to draw on with 255, and its pixels per sheet height.
        """
        rows, columns = self.alpha.shape
        scale = max(1, -(-STENCIL_WIDTH // columns))
        plate = np.zeros((rows * scale, columns * scale), dtype=np.uint8)
        draw(plate, float(rows * scale))
        if scale > 1:
            plate = np.asarray(cv2.resize(plate, (columns, rows), interpolation=cv2.INTER_AREA))
        return plate.astype(np.float32) * np.float32(1 / 255)

    def weave(self, depth: float, rng: np.random.Generator) -> None:
        """The fine mottling of cloth or fleece, cells of a millimetre; depth as a share of the colour."""
        rows, columns = self.alpha.shape
        cells = (min(max(rows // 2, 4), 110), min(max(columns // 2, 4), 170))
        fine = rng.random((cells[0], cells[1]), dtype=np.float32) * np.float32(2 * depth) + np.float32(1 - depth)
        self.shade *= cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_LINEAR)

    def stain(self, amount: float, rng: np.random.Generator) -> None:
        """What a day's wear leaves, amount in 0..1: a yellowish grey, most before the mouth."""
        if amount <= 0:
            return
        # On dark cloth dirt is as dark: it must not shine.
        amount *= float(ramp(3 * self.albedo[::8, ::8].mean())) ** 2
        blotch = 0.5 + 0.5 * coarse_noise((4, 6), rng)
        mouth = np.exp(-(((_COARSE_U - 0.5) / 0.22) ** 2))[None, :] * np.exp(-(((_COARSE_V - 0.5) / 0.3) ** 2))[:, None]
        soiled = self.spread((blotch * (0.35 + 0.65 * mouth) * amount).clip(0, 0.5))
        self.paint(soiled, np.array([0.42, 0.36, 0.27]))


def ramp(x: FloatArray) -> FloatArray:
    """Cut off below 0 and above 1; `np.clip` itself costs half as much again on small arrays."""
    return x.clip(0, 1)


def root(x: FloatArray, power: float) -> FloatArray:
    """The `power`-th root of what is not negative, float32, exact to a millionth, at a quarter of its usual cost."""
    return np.exp(np.log(np.maximum(x, 1e-12, dtype=np.float32)) * np.float32(1 / power))


def coarse_axes() -> tuple[FloatArray, FloatArray]:
    """u (1, columns) and v (rows, 1) of the coarse grid."""
    return _COARSE_U[None, :], _COARSE_V[:, None]


def coarse_noise(cells: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Value noise on the coarse grid."""
    return noise(COARSE, cells, rng)


def noise(shape: tuple[int, ...], cells: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Smooth value noise in about -1..1 over (h, w) with (rows, columns) cells."""
    grid = rng.random((cells[0] + 1, cells[1] + 1), dtype=np.float32) * np.float32(2) - np.float32(1)
    return np.asarray(cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def lab_to_linear(lab: tuple[float, float, float]) -> FloatArray:
    """CIE Lab (L 0..100, a, b, D65) to linear RGB reflectance (3,) float32 in 0..1."""
    pixel = np.array([[lab]], dtype=np.float32)
    return np.asarray(ramp(cv2.cvtColor(pixel, cv2.COLOR_Lab2LRGB)[0, 0]))
