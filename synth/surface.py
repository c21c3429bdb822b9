"""The surface a mask hangs on: the convex front of the lower head, in head coordinates.

A worn mask is a sheet stretched over nose, cheeks and chin: it touches what sticks out and bridges what lies between.
That is the upper concave envelope of the face's points. Being convex, it hides itself exactly where its normal turns
away from the camera, so that the far side of a turned head needs no depth buffer.
"""

from __future__ import annotations

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
        depth = envelope_depth(x, y, brow=self.brow)
        if self.drapes or self.form == "drape":
            depth = hang(x, y, depth)
        return soft_maximum(depth, self.floor) if self.floor > -2.0 else depth


@dataclass(frozen=True, eq=False)
class Sheet:
    """A mask's surface as a grid of points; row 0 is its upper edge, column 0 its edge at the picture's left.

    Attributes:
        points: (R, C, 3) head coordinates.
        normals: (R, C, 3), unit length, pointing away from the head.
        aspect: width over height along the sheet at its middle, to draw the texture without stretch.
    """

    points: FloatArray
    normals: FloatArray
    aspect: float


def sheet(outline: Outline, rows: int = 17, columns: int = 25) -> Sheet:
    """Lays a sheet with these edges over the envelope, its columns evenly spaced along the cloth."""
    across = _rows_across(outline, rows, columns)
    points = _on_envelope(across, outline)
    normals = surface_normals(points)
    # What is pushed together to a strip has no room for its form: it is as flat as any cloth.
    room = float(np.clip((outline.bottom - outline.top) / OPEN, 0, 1)) ** 1.5
    form = room * lift(outline.form, rows, columns) + (1 - room) * lift("sheet", rows, columns)
    points = points + normals * (room * outline.standoff * form)[..., None]
    width = np.linalg.norm(np.diff(points[rows // 2], axis=0), axis=1).sum()
    height = np.linalg.norm(np.diff(points[:, columns // 2], axis=0), axis=1).sum()
    return Sheet(points, surface_normals(points), float(width / max(height, 1e-6)))


def _edge(v: FloatArray, upper: float, lower: float) -> FloatArray:
    return np.asarray(upper + (lower - upper) * v)


def _rows_across(outline: Outline, rows: int, columns: int) -> FloatArray:
    """(rows, columns, 2) x, y before depth: each row a curve from side to side, evenly spaced along the cloth."""
    v = np.linspace(0, 1, rows)[:, None]
    middle, side = _edge(v, outline.top, outline.bottom), _edge(v, outline.top_side, outline.bottom_side)
    half, bend = _edge(v, outline.top_half, outline.bottom_half), _edge(v, outline.peak, outline.belly)
    s = np.linspace(0, 1, 49)[None, :]
    rounded = np.sqrt(s**2 + 0.02) - np.sqrt(0.02)
    curve = (rounded / rounded[:, -1:]) ** bend
    x, y = s * half, middle + (side - middle) * curve
    length = np.hypot(np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)), np.diff(outline.depth(x, y), axis=1))
    travelled = np.concatenate([np.zeros((rows, 1)), np.cumsum(length, axis=1)], axis=1)
    travelled /= travelled[:, -1:]
    wanted = np.linspace(0, 1, columns // 2 + 1)
    right = np.stack(
        [[np.interp(wanted, t, row) for t, row in zip(travelled, a, strict=True)] for a in (x, y)], axis=-1
    )
    left = right[:, :0:-1] * [-1.0, 1.0]
    return np.concatenate([left, right], axis=1)


def _on_envelope(across: FloatArray, outline: Outline) -> FloatArray:
    """(R, C, 3): the flat outline tilted, shifted and dropped onto the envelope."""
    turn = np.radians(outline.tilt)
    pivot = np.array([0.0, (outline.top + outline.bottom) / 2])
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    placed = (across - pivot) @ spin + pivot + [outline.shift, 0.0]
    return np.concatenate([placed, outline.depth(placed[..., 0], placed[..., 1])[..., None]], axis=-1)


def surface_normals(points: FloatArray) -> FloatArray:
    """(R, C, 3) unit normals of a grid of points, towards the camera of a frontal head."""
    down, right = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normals = np.cross(right, down)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return np.asarray(normals)
