"""The head as a surface: an egg-like base of horizontal sections, onto which the flat sheet of features is laid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from datasets.portraits import sheet
from datasets.portraits.camera import Floats
from datasets.portraits.person import Traits

Knots = tuple[tuple[float, float], ...]

MIDDLE, HALF = -0.015, 1.835  # of the head's height: crown at -1.85, under the chin at 1.82
ASPECT = 112.0  # degrees that the surface reaches round the head, to each side

# Half width, depth before the section's centre, and the centre's z, at heights y. Width and depth are divided by the
# egg's own sqrt(1 - Y^2), so that crown and chin close by themselves. Modelled by eye on average adult proportions:
# head 2.3 wide and 3.65 high, eyes halfway up, in pupil distances.
WIDTHS: Knots = (
    (-1.85, 1.36), (-1.5, 1.43), (-1.1, 1.36), (-0.7, 1.27), (-0.3, 1.20), (0.0, 1.17), (0.4, 1.165), (0.8, 1.18),
    (1.1, 1.20), (1.3, 1.20), (1.5, 1.15), (1.65, 1.09), (1.82, 1.02),
)  # fmt: skip
DEPTHS: Knots = (
    (-1.85, 1.45), (-1.1, 1.45), (-0.7, 1.44), (-0.35, 1.42), (0.0, 1.36), (0.4, 1.39), (0.8, 1.50), (1.13, 1.58),
    (1.35, 1.53), (1.6, 1.56), (1.82, 1.55),
)  # fmt: skip
CENTRES: Knots = (
    (-1.85, -0.1),
    (-0.9, 0.0),
    (0.6, 0.0),
    (1.0, 0.08),
    (1.3, 0.26),
    (1.5, 0.44),
    (1.65, 0.62),
    (1.82, 0.98),
)


def curve(knots: Knots, y: Floats, smooth: float = 0.10) -> Floats:
    """Interpolate knots (y, value) and smooth the corners over ``smooth`` pupil distances."""
    at, value = np.array(knots).T
    offsets = np.linspace(-1.5, 1.5, 13)
    weights = np.exp(-(offsets**2))
    samples = np.interp(y[..., None] + smooth * offsets, at, value)
    return np.asarray(samples @ (weights / weights.sum()), np.float32)


@dataclass(frozen=True)
class Surface:
    """A surface as a grid of points.

    Attributes:
        points: (rows, cols, 3) float32, head coordinates.
        normals: (rows, cols, 3) float32, unit, outward, without the sheet's features.
        flat: (rows, cols, 2) float32, the x and y on the sheet.
    """

    points: Floats
    normals: Floats
    flat: Floats


@dataclass(frozen=True)
class Sections:
    """The base of a head: half width, depth and centre at each row.

    Attributes:
        y: (rows,) float32, sheet heights.
        width, depth, centre: (rows,) float32, pupil distances.
    """

    y: Floats
    width: Floats
    depth: Floats
    centre: Floats


@lru_cache(maxsize=16)
def head_sections(traits: Traits, rows: int) -> Sections:
    """Return the sections of a person's head."""
    phase = np.linspace(0, 1, rows)
    y = (MIDDLE - HALF * np.cos(np.pi * (0.004 + 0.992 * phase)) * 0.6 + 0.4 * HALF * (2 * phase - 1)).astype(
        np.float32
    )
    y = np.clip(y, -1.8495, 1.8195)
    egg = np.sqrt(np.clip(1 - ((y - MIDDLE) / HALF) ** 2, 0, 1))
    width = curve(WIDTHS, y) * egg * _widen(traits, y)
    return Sections(y, width.astype(np.float32), (curve(DEPTHS, y) * egg).astype(np.float32), curve(CENTRES, y))


def _widen(traits: Traits, y: Floats) -> Floats:
    jaw = 1 + (traits.jaw - 1) * np.exp(-(((y - 1.25) / 0.45) ** 2))
    chin = 1 + (traits.chin - 1) * np.exp(-(((y - 1.72) / 0.22) ** 2))
    cheek = 1 + 0.045 * traits.fat * np.exp(-(((y - 0.95) / 0.45) ** 2))
    bone = 1 + 0.018 * (traits.cheekbone - 1) * np.exp(-(((y - 0.35) / 0.3) ** 2))
    jowl = 1 + 0.035 * traits.sag * np.exp(-(((y - 1.45) / 0.2) ** 2))
    return np.asarray(jaw * chin * cheek * bone * jowl, np.float32)


def wrap(sections: Sections, traits: Traits, cols: int, reach: float = ASPECT) -> Surface:
    """Wrap sections round the head.

    Args:
        sections: the base.
        traits: the person, for the proportions of the whole head.
        cols: grid columns, from ``-reach`` to ``reach`` degrees.
        reach: how far the surface goes round.

    Returns:
        The surface; ``flat`` holds the place on the sheet of each point.
    """
    angle = np.radians(np.linspace(-reach, reach, cols, dtype=np.float32))[None]
    power = 2.0 + 0.45 * np.exp(-(((sections.y - 0.15) / 0.9) ** 2))[:, None]
    side = np.abs(np.sin(angle))
    front = np.power(np.clip(1 - np.power(side, power), 0, 1), 1 / power)
    round_back = np.sqrt(np.clip(1 - side**2, 0, 1))
    x = sections.width[:, None] * np.sin(angle)
    depth = np.where(np.cos(angle) >= 0, front, -round_back)
    z = sections.centre[:, None] + sections.depth[:, None] * depth
    flat = np.stack([x, np.broadcast_to(sections.y[:, None], x.shape)], axis=-1).astype(np.float32)
    points = proportion(np.dstack([flat, z]).astype(np.float32), traits)
    return Surface(points, outward(points), flat)


def proportion(points: Floats, traits: Traits) -> Floats:
    """Give sheet points (..., 3) the head's own proportions: width, length above and below the eyes."""
    scaled = points.copy()
    scaled[..., 0] *= traits.width
    scaled[..., 1] *= np.where(points[..., 1] > 0, np.float32(traits.lower), np.float32(traits.upper))
    return scaled


def outward(points: Floats) -> Floats:
    """Return the unit normals (rows, cols, 3) of a grid whose rows go down and whose columns go right."""
    planes = [np.ascontiguousarray(points[..., i]) for i in range(3)]
    (ax, ay, az), (bx, by, bz) = ([_step(plane, axis) for plane in planes] for axis in (1, 0))
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-12)
    return np.asarray(cv2.merge([x / length, y / length, z / length]), np.float32)


def _step(plane: Floats, axis: int) -> Floats:
    """Differences between the neighbours on both sides (twice the gradient; one side at the rim)."""
    kernel = np.array([[-1, 0, 1]], np.float32)
    return np.asarray(cv2.filter2D(plane, -1, kernel if axis else kernel.T, borderType=cv2.BORDER_REPLICATE))


def sheet_place(flat: Floats) -> tuple[Floats, Floats]:
    """Turn sheet coordinates (..., 2) into sheet columns and rows, for ``cv2.remap``."""
    col = (flat[..., 0] - np.float32(sheet.LEFT)) * np.float32(sheet.DENSITY)
    row = (flat[..., 1] - np.float32(sheet.TOP)) * np.float32(sheet.DENSITY)
    return np.ascontiguousarray(col), np.ascontiguousarray(row)
