"""The surface a mask hangs on: the convex front of the lower head, in head coordinates.

A worn mask is a sheet stretched over nose, cheeks and chin: it touches what sticks out and bridges what lies between.
That is the upper concave envelope of the face's points. Being convex, it hides itself exactly where its normal turns
away from the camera, so that the far side of a turned head needs no depth buffer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from synth.arrays import FloatArray
from synth.forms import hang, lift, soft_maximum
from synth.shape import MEAN_FACE

ROUNDING = 0.025
"""How softly the envelope's facets meet, in head units (2 mm): cloth has no sharp folds over flesh."""

OPEN = 1.0
"""Height on the midline, head units, from which a mask takes its whole form."""

CHEEKBONES = np.array([[0.48, 0.33, 0.10], [-0.48, 0.33, 0.10]])
"""Not among the landmarks: the foremost points of the cheeks, read off portraits in profile."""


TABLE_STEP, TABLE_X, TABLE_Y = 0.01, 1.5, (-1.0, 2.5)
"""Of a table of the envelope's depth, head units: the step, the largest x (left and right are alike), the span of y."""


FOREHEAD = np.array(
    [[0.0, -0.75, 0.10], [0.42, -0.68, 0.0], [-0.42, -0.68, 0.0], [0.78, -0.35, -0.42], [-0.78, -0.35, -0.42]]
)
"""Likewise: above the brows, to the hairline and the temples."""


@lru_cache(maxsize=2)
def _planes(brow: bool) -> FloatArray:
    """(K, 3): the facets z = a x + b y + c of the envelope's upper side."""
    from scipy.spatial import ConvexHull  # 0.4 s, which `from synth import MaskEngine` shouldn't cost

    jaw = MEAN_FACE[2:15]
    beneath = jaw * [1.05, 1.0, 1.0] + [0.0, 0.10, -0.28]
    points = np.concatenate([MEAN_FACE[:17], beneath, MEAN_FACE[27:36], MEAN_FACE[48:60], CHEEKBONES])
    if brow:
        points = np.concatenate([points, MEAN_FACE[17:27], FOREHEAD])
    normals = ConvexHull(points).equations
    upper = normals[normals[:, 2] > 0.05]
    planes = np.stack([-upper[:, 0], -upper[:, 1], -upper[:, 3]], axis=1) / upper[:, 2:3]
    return np.asarray(np.unique(planes.round(9), axis=0))


def envelope_depth(x: FloatArray, y: FloatArray, *, brow: bool = False) -> FloatArray:
    """Depth z of the envelope at head coordinates x, y (same shapes): the soft minimum of its facets' planes.

    Args:
        x: to the picture's right.
        y: down.
        brow: the whole face with brows and forehead, for a mask that sits higher than the nose's bridge.
    """
    planes = _planes(brow)
    heights = planes[:, 0] * x[..., None] + planes[:, 1] * y[..., None] + planes[:, 2]
    lowest = heights.min(-1, keepdims=True)
    # Single precision is exact to a millionth here and twice as fast.
    soft = np.exp(((lowest - heights) / ROUNDING).astype(np.float32)).sum(-1)
    return np.asarray(lowest[..., 0] - ROUNDING * np.log(soft))


@lru_cache(maxsize=2)
def _depth_table(brow: bool) -> FloatArray:
    """(rows of y, columns of x) float32: the envelope's depth at the table's steps."""
    x = np.arange(0.0, TABLE_X + 2 * TABLE_STEP, TABLE_STEP)
    y = np.arange(TABLE_Y[0], TABLE_Y[1] + 2 * TABLE_STEP, TABLE_STEP)
    # As `envelope_depth`, but plane by plane and in single precision, for the time that a process's first mask takes.
    a, b, c = _planes(brow).T[..., None]
    heights = (b * y + c).astype(np.float32)[:, :, None] + (a * x).astype(np.float32)[:, None, :]
    lowest = heights.min(0)
    np.subtract(lowest, heights, out=heights)
    heights /= np.float32(ROUNDING)
    return np.asarray(lowest - np.float32(ROUNDING) * np.log(np.exp(heights, out=heights).sum(0)))


def tabled_depth(x: FloatArray, y: FloatArray, *, brow: bool = False) -> FloatArray:
    """As `envelope_depth` at a fifteenth of its cost, interpolated in a table.

    Before the face it is exact to 0.004 head units, and mostly to 0.0003; at the head's steep sides to 0.015.
    """
    across, down = np.abs(x), y - TABLE_Y[0]
    if across.max() > TABLE_X or down.min() < 0 or down.max() > TABLE_Y[1] - TABLE_Y[0]:
        return envelope_depth(x, y, brow=brow)
    table = _depth_table(brow)
    across, down = across / TABLE_STEP, down / TABLE_STEP
    column, row = across.astype(np.intp), down.astype(np.intp)
    across -= column
    down -= row
    corner, flat, width = row * table.shape[1] + column, table.reshape(-1), table.shape[1]
    upper = flat.take(corner) * (1 - across) + flat.take(corner + 1) * across
    corner += width
    lower = flat.take(corner) * (1 - across) + flat.take(corner + 1) * across
    return np.asarray(upper + (lower - upper) * down)


@dataclass(frozen=True)
class Outline:
    """Where a mask's edges lie on the mean face, in head units; left and right alike before `tilt`.

    Attributes:
        top, bottom: y of the upper and lower edge on the midline.
        top_side, bottom_side: y of the upper and lower corners at the sides.
        top_half, bottom_half: x of those corners.
        peak: how sharply the upper edge bends over the nose (1: like a gable, 3: like a bow).
        belly: likewise of the lower edge around the chin.
        standoff: how far the sheet floats before the envelope at its middle.
        tilt: turn in the plane of the face, degrees clockwise.
        shift: x of the mask's midline, or of its middle where it hangs.
        form: how it stands off the face, see `synth.forms`.
        drapes: below the chin it hangs before the throat, as a form that drapes always does.
        floor: depth z that cloth beside the head doesn't fall behind: it hangs there, free of the head.
        brow: it lies on brows or forehead.
        hangs: -1 or 1 where it hangs from the ear at the picture's left or right alone; else 0.
    """

    top: float
    bottom: float
    top_side: float
    bottom_side: float
    top_half: float
    bottom_half: float
    peak: float = 1.3
    belly: float = 2.0
    standoff: float = 0.03
    tilt: float = 0.0
    shift: float = 0.0
    form: str = "sheet"
    drapes: bool = False
    floor: float = -2.0
    brow: bool = False
    hangs: float = 0.0

    def mirrored(self) -> Outline:
        """The same on the other side of the face."""
        return replace(self, tilt=-self.tilt, shift=-self.shift, hangs=-self.hangs)

    def depth(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Depth z at x, y of what this mask lies on: the head's envelope, or where cloth hangs free that is nearer."""
        depth = tabled_depth(x, y, brow=self.brow)
        if self.drapes or self.form == "drape":
            depth = hang(x, y, depth)
        return soft_maximum(depth, self.floor) if self.floor > -2.0 else depth


@dataclass(frozen=True, eq=False)
class Sheet:
    """A mask's surface as a grid of points; row 0 is its upper edge, column 0 its edge at the picture's left.

    Attributes:
        points: (R, C, 3) head coordinates; x, y and z each lie together in memory, for numpy is slow where the axis it
            goes along is as short as 3.
        normals: (R, C, 3), unit length, pointing away from the head; likewise.
        width: along the sheet at its middle, head units.
        aspect: width over height there, to draw the texture without stretch.
    """

    points: FloatArray
    normals: FloatArray
    width: float
    aspect: float


def sheet(outline: Outline, rows: int = 17, columns: int = 25) -> Sheet:
    """Lays a sheet with these edges over the envelope, its columns evenly spaced along the cloth."""
    across = _rows_across(outline, rows, columns)
    points = _on_envelope(across, outline)
    normals = surface_normals(points)
    # What is pushed together to a strip has no room for its form: it is as flat as any cloth.
    room = min(max((outline.bottom - outline.top) / OPEN, 0.0), 1.0) ** 1.5
    form = room * lift(outline.form, rows, columns) + (1 - room) * lift("sheet", rows, columns)
    points += normals * (room * outline.standoff * form)[..., None]
    width, height = length(points[rows // 2]), length(points[:, columns // 2])
    return Sheet(points, surface_normals(points), width, width / max(height, 1e-6))


def length(line: FloatArray) -> float:
    """Of a line through (N, D) points."""
    steps = line[1:] - line[:-1]
    return float(np.sqrt((steps * steps).sum(1)).sum())


@lru_cache(maxsize=8)
def _shares(count: int) -> FloatArray:
    """(count,) evenly from 0 to 1; not to be written to."""
    shares = np.linspace(0, 1, count)
    shares.flags.writeable = False
    return shares


_ACROSS = np.linspace(0, 1, 49)[None, :]
_ROUNDED = (np.sqrt(_ACROSS**2 + 0.02) - np.sqrt(0.02)) / (np.sqrt(1.02) - np.sqrt(0.02))
"""(1, 49): x of a row's points as a share of its half width, and how far they went from its middle to its side."""


def _rows_across(outline: Outline, rows: int, columns: int) -> FloatArray:
    """(2, rows, columns) x, y before depth: each row a curve from side to side, evenly spaced along the cloth."""
    upper = np.array([outline.top, outline.top_side, outline.top_half, outline.peak])
    lower = np.array([outline.bottom, outline.bottom_side, outline.bottom_half, outline.belly])
    middle, side, half, bend = (upper[:, None] + (lower - upper)[:, None] * _shares(rows))[..., None]
    x, y = _ACROSS * half, middle + (side - middle) * _ROUNDED**bend
    z = outline.depth(x, y)
    squared = [(each[:, 1:] - each[:, :-1]) ** 2 for each in (x, y, z)]
    travelled = np.zeros_like(x)
    np.cumsum(np.sqrt(squared[0] + squared[1] + squared[2]), axis=1, out=travelled[:, 1:])
    travelled /= travelled[:, -1:]
    # Each row on a stretch of its own of one axis: one call instead of one a row.
    apart = 2.0 * np.arange(rows)[:, None]
    wanted, travelled = apart + _shares(columns // 2 + 1), (apart + travelled).ravel()
    found = np.empty((2, rows, columns))
    right, left = found[..., columns // 2 :], found[..., : columns // 2]
    right[0], right[1] = (np.interp(wanted, travelled, each.ravel()) for each in (x, y))
    left[...] = right[..., :0:-1]
    np.negative(left[0], out=left[0])
    return found


def _on_envelope(across: FloatArray, outline: Outline) -> FloatArray:
    """(R, C, 3): the flat outline tilted, shifted and dropped onto the envelope."""
    turn, pivot = math.radians(outline.tilt), (outline.top + outline.bottom) / 2
    cos, sin = math.cos(turn), math.sin(turn)
    x, y = across[0], across[1] - pivot
    placed = np.empty((3, *x.shape))
    placed[0] = x * cos - y * sin + outline.shift
    placed[1] = x * sin + y * cos + pivot
    placed[2] = outline.depth(placed[0], placed[1])
    return placed.transpose(1, 2, 0)


def surface_normals(points: FloatArray) -> FloatArray:
    """(R, C, 3) unit normals of a grid of points, towards the camera of a frontal head."""
    down, right = differences(points)
    normals = cross(right, down)
    normals /= np.maximum(np.sqrt((normals * normals).sum(-1, keepdims=True)), 1e-9)
    return normals


def cross(one: FloatArray, other: FloatArray) -> FloatArray:
    """Their cross product, both (..., 3): numpy's own costs several times as much where they are few."""
    made = np.empty_like(one)
    for x, y, z in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        made[..., x] = one[..., y] * other[..., z] - one[..., z] * other[..., y]
    return made


def differences(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Differences of an (R, C, D) grid downwards and to the right: central ones, one-sided at its edges."""
    return _downwards(points), rightwards(points)


def rightwards(points: FloatArray) -> FloatArray:
    """The second of `differences`."""
    return _downwards(points.swapaxes(0, 1)).swapaxes(0, 1)


def _downwards(points: FloatArray) -> FloatArray:
    found = np.empty_like(points)
    inner = found[1:-1]
    np.subtract(points[2:], points[:-2], out=inner)
    inner *= 0.5
    np.subtract(points[1], points[0], out=found[0])
    np.subtract(points[-1], points[-2], out=found[-1])
    return found
