"""What holds a mask: loops to the ears or straps behind the head, hidden by the head's own side as it turns away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synth.arrays import BoolArray, FloatArray
from synth.errors import SynthUsageError
from synth.surface import Sheet
from synth.warp import HeadToPicture, Region, within_head

EAR = np.array([0.85, 0.10, -0.70])
"""Where a loop goes behind the root of an ear, head units; the right ear of the picture. Just behind landmark 16."""

EAR_LOBE = np.array([0.835, 0.40, -0.68])

ABOVE_EAR = np.array([0.84, -0.12, -0.84])
"""Where the upper strap of a mask without ear loops goes into the hair."""

NAPE = np.array([0.80, 0.62, -0.80])
"""Where the lower one goes round to the nape."""

ENDS: dict[str, tuple[FloatArray, FloatArray] | None] = {
    "ears": (EAR, EAR_LOBE),
    "head": (ABOVE_EAR, NAPE),
    "none": None,
}
"""What a mask can be attached to, and where its upper and its lower cords end."""

STARTS = {"ears": (0.07, 0.93), "head": (0.36, 0.66), "none": (0.0, 1.0)}
"""v on the mask's side edge where they start: at the corners, or on the shoulders of a cup."""

SAG = 0.02
"""How far a cord hangs below the straight line between its ends, head units."""

DANGLE, BULGE = 0.30, 0.10
"""How far a loop that nothing holds reaches down, and how much wider on each side than its ends it is, head units."""

BEHIND = 0.35
"""Cosine to the camera under which the side of the head begins to hide a cord; at 0 it is hidden. The cheek before an
ear is rounded, so that a cord goes out of sight little by little."""

OFF_CHEEK = 0.05
"""How far past the far cheek's outline a cord may lie, head units: it runs over the cheek's roundness."""

AXIS_DEPTH = -0.75
"""Depth z of the upright line that the cheeks are round about, head units: between the ears."""

SUPERSAMPLED = 4
STEPS = 13

THINNEST = 0.7
"""Width in pixels below which a cord is drawn fainter, not thinner."""

SPREAD = 0.8
"""What a cord is wider on each side than its width says, in pixels of the larger picture: so much its soft edge, drawn
hard here, takes on skin. OpenCV fills the pixels on both edges, half a one of it."""

LEAST = 4
"""Opacity, of 255, below which a piece of a cord is not drawn."""


@dataclass(frozen=True)
class Strap:
    """What holds a mask.

    Attributes:
        attach: `ears`, `head` (two straps behind the head) or `none`.
        width: of a cord, head units; a loop wider than 0.045 is cut from the mask's own sheet and narrows to the ear.
        seen: share of each cord's length that no hair hides.
    """

    attach: str = "ears"
    width: float = 0.03
    seen: float = 1.0

    def __post_init__(self) -> None:
        if self.attach not in ENDS:
            raise SynthUsageError(f"unknown way to attach a mask {self.attach!r}: expected one of {', '.join(ENDS)}")


@dataclass(frozen=True, eq=False)
class Cords:
    """The cords in a piece of a photo.

    Attributes:
        alpha: (h, w) float32 in 0..1, 0 along the borders but where those are the wanted region's.
        brightness: (h, w) float32: a round cord is lighter on its upper side.
        region: the photo's pixels that they lie on.
    """

    alpha: FloatArray
    brightness: FloatArray
    region: Region


def cords(worn: Sheet, attach: str = "ears", hangs: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """The cords of a mask: four, from its edge to where they go out of sight; three where it hangs, and none where
    nothing holds it.

    Args:
        worn: the mask's sheet.
        attach: see `Strap`.
        hangs: -1 or 1 where the mask hangs from the ear of that side by the loop of its upper end, while its
            other loop dangles below it; else 0.

    Returns:
        (K,) the sides, -1 at the picture's left, 1 at its right; (K, N, 3) the lines, head coordinates.
    """
    ends, rows = ENDS[attach], len(worn.points)
    if hangs:
        upper, lower = (0, -1) if hangs > 0 else (-1, 0)
        starts, sides = worn.points[[1, rows - 2], upper], np.array([hangs] * 3)
        taut = _cords(starts, EAR * np.stack([sides[:2], [1.0, 1.0], [1.0, 1.0]], axis=1))
        return sides, np.concatenate([taut, _dangling(worn, lower)[None]])
    if ends is None:
        return np.zeros(0), np.zeros((0, STEPS, 3))
    at = [round(v * (rows - 1)) for v in STARTS[attach]]
    # From half a column inside the edge, so that no gap opens between a cord and the mask's rounded corner.
    starts = np.concatenate([0.5 * (worn.points[at, edge] + worn.points[at, inner]) for edge, inner in _SIDES])
    return _BOTH, _cords(starts, np.stack([*ends, *ends]) * _MIRRORED)


def _dangling(worn: Sheet, column: int) -> FloatArray:
    """(N, 3) head coordinates of the loop that nothing holds, from corner to corner of the sheet's lower end.

    Its last points lie beneath the sheet, where `draw_loops` lets every cord fade.
    """
    rows, inside = len(worn.points), 3 if column == 0 else -4
    one, other = worn.points[1, column], worn.points[rows - 2, column]
    turn = np.linspace(0, np.pi, STEPS - 2)[:, None]
    across = 0.5 * (one - other)
    across = across * (1 + BULGE / max(float(np.linalg.norm(across)), 1e-6) * np.sin(turn) ** 2)
    loop = 0.5 * (one + other) + across * np.cos(turn) + DANGLE * np.sin(turn) * [0.0, 1.0, 0.0]
    beneath = worn.points[rows // 2, inside]
    return np.concatenate([loop, [0.5 * (other + beneath), beneath]])


_BOTH = np.array([-1.0, -1.0, 1.0, 1.0])
_SIDES = (0, 1), (-1, -2)
_MIRRORED = np.stack([_BOTH, np.ones(4), np.ones(4)], axis=1)
_ALONG = np.linspace(0, 1, STEPS)


def _cords(starts: FloatArray, ends: FloatArray) -> FloatArray:
    """(K, N, 3) head coordinates of cords that lie on the cheek between two points each, (K, 3).

    The cheek is as round as a cylinder that stands upright within the head; on one the shortest way is a helix.
    """
    side = np.sign(ends[:, :1])
    (angle, radius), (last_angle, last_radius) = _around(starts, side), _around(ends, side)
    turned, away = angle + (last_angle - angle) * _ALONG, radius + (last_radius - radius) * _ALONG
    lines = np.empty((len(starts), STEPS, 3))
    lines[..., 0] = side * away * np.sin(turned)
    lines[..., 1] = starts[:, 1:2] + (ends - starts)[:, 1:2] * _ALONG + SAG * np.sin(np.pi * _ALONG)
    lines[..., 2] = AXIS_DEPTH + away * np.cos(turned)
    return lines


def _around(points: FloatArray, side: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Angle and distance of (K, 3) points about the upright line within the head, each (K, 1)."""
    x, z = side * points[:, :1], points[:, 2:] - AXIS_DEPTH
    return np.arctan2(x, z), np.hypot(x, z)


def _side_normals(line: FloatArray) -> FloatArray:
    """(..., 3) normals of the cheek under a cord: the rounder towards the front the further it is from the ear."""
    forward = ((line[..., 2] - EAR[2]) / 0.6).clip(0, 1)
    turn = np.radians(24 + 40 * forward)
    normals = np.zeros_like(line)
    normals[..., 0], normals[..., 2] = np.sign(line[..., 0]) * np.cos(turn), np.sin(turn)
    return normals


def draw_loops(
    held: tuple[FloatArray, FloatArray],
    to_picture: HeadToPicture,
    region: Region,
    strap: Strap,
    placed: FloatArray | None = None,
    margin: int = 0,
) -> list[Cords]:
    """Draws the cords a photo shows.

    Args:
        held: of `cords`.
        to_picture: head coordinates to pixels.
        region: to draw in.
        strap: what holds the mask.
        placed: (K, N, 2) pixels of the cords' points, where they are known.
        margin: clear pixels to leave around them.

    Returns:
        Those of each side; those of both sides in one piece where the pieces would overlap. None where none are seen.
    """
    sides, points = held
    if not len(sides):
        return []
    placed = to_picture(points) if placed is None else placed
    if not np.isfinite(placed).all():
        return []
    shown = (to_picture.facing(points, _side_normals(points)) / BEHIND).clip(0, 1)
    # Beyond the far cheek there is nothing that a cord could lie on.
    shown *= np.asarray(within_head(placed, to_picture, OFF_CHEEK)) > 0
    # Hair or the ear itself lies over the end, so that no cord stops short in the open.
    shown *= ((strap.seen - _ALONG) / 0.18 + 0.15).clip(0, 1)
    widths = strap.width * to_picture.pose.pixels_per_unit * np.ones(STEPS)
    if strap.attach == "ears" and strap.width > 0.045:
        widths *= np.interp(_ALONG, [0, 0.5, 1], [1.35, 0.8, 0.65])
    lines = (placed - [region.x0, region.y0] + 0.5) * SUPERSAMPLED - 0.5
    edges = _edges(lines, np.maximum(widths, THINNEST) * SUPERSAMPLED)
    # A cord thinner than a pixel is fainter, not wider.
    levels = np.rint(127.5 * (shown[:, :-1] + shown[:, 1:]) * np.minimum(widths[:-1] / THINNEST, 1.0)).astype(np.intp)
    seen = levels >= LEAST
    there = [part for part in (sides < 0, sides > 0) if seen[part].any()]
    parts = [(part, _rectangle(edges[part], seen[part], region, margin)) for part in there]
    if len(parts) == 2 and _overlap(parts[0][1], parts[1][1]):
        both = parts[0][0] | parts[1][0]
        parts = [(both, _rectangle(edges[both], seen[both], region, margin))]
    return [_drawn(edges[part], levels[part], region, box) for part, box in parts if box.width > 0 and box.height > 0]


def _rectangle(edges: NDArray[np.int32], seen: BoolArray, region: Region, margin: int) -> Region:
    """Around the seen pieces, (K, N - 1), of bands, (K, N, 2, 2) of `_edges`; cut at the region, in its pixels."""
    pixel = 16 * SUPERSAMPLED
    ends = np.concatenate([edges[:, :-1][seen], edges[:, 1:][seen]])
    x, y = ends[..., 0], ends[..., 1]
    x0, y0 = (int(axis.min()) // pixel - 2 - margin for axis in (x, y))
    x1, y1 = (int(axis.max()) // pixel + 3 + margin for axis in (x, y))
    return Region(x0, y0, x1, y1).cut(Region(0, 0, region.width, region.height))


def _overlap(one: Region, other: Region) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


_SHARES = np.arange(256, dtype=np.float32) * np.float32(1 / 255)
"""Of full opacity, by level."""


def _drawn(edges: NDArray[np.int32], levels: NDArray[np.intp], region: Region, box: Region) -> Cords:
    """Draws bands in a rectangle of the region.

    Args:
        edges: (K, N, 2, 2) of `_edges`.
        levels: (K, N - 1) opacity of each piece, in 0..255.
        region: that is drawn in.
        box: the rectangle, in its pixels.
    """
    plate = np.zeros((box.height * SUPERSAMPLED, box.width * SUPERSAMPLED), dtype=np.uint8)
    edges = edges - np.array([box.x0, box.y0], dtype=np.int32) * (16 * SUPERSAMPLED)
    # The strongest last: where two cords meet the fainter doesn't hide the other.
    one, other = edges[:, :, 0], edges[:, ::-1, 1]
    for level, cord, first, last in sorted(_runs(levels)):
        ring = np.concatenate((one[cord, first : last + 1], other[cord, STEPS - 1 - last : STEPS - first]))
        cv2.fillPoly(plate, (ring,), level, cv2.LINE_8, shift=4)
    drawn = cv2.LUT(cv2.resize(plate, (box.width, box.height), interpolation=cv2.INTER_AREA), _SHARES)
    lit = cv2.Sobel(drawn, cv2.CV_32F, 0, 1, scale=0.25 / 4)
    lit.clip(-0.25, 0.25, out=lit)
    lit += np.float32(0.92)
    where = Region(region.x0 + box.x0, region.y0 + box.y0, region.x0 + box.x1, region.y0 + box.y1)
    return Cords(drawn, lit, where)


def _runs(levels: NDArray[np.intp]) -> Iterator[tuple[int, int, int, int]]:
    """Level, cord, first and last point of the stretches of one opacity that can be seen."""
    for cord, row in enumerate(levels.tolist()):
        first = 0
        for last in range(1, len(row) + 1):
            if last == len(row) or row[last] != row[first]:
                if row[first] >= LEAST:
                    yield row[first], cord, first, last
                first = last


def _edges(lines: FloatArray, widths: FloatArray) -> NDArray[np.int32]:
    """(K, N, 2, 2) both edges of bands along lines, in sixteenths of a pixel, as OpenCV fills them.

    Args:
        lines: (K, N, 2) pixels.
        widths: (N,) of the bands there, pixels.
    """
    along = np.empty_like(lines)
    np.subtract(lines[:, 2:], lines[:, :-2], out=along[:, 1:-1])
    along[:, 0], along[:, -1] = lines[:, 1] - lines[:, 0], lines[:, -1] - lines[:, -2]
    along /= np.maximum(np.sqrt((along * along).sum(-1, keepdims=True)), 1e-9)
    aside = along[..., ::-1] * [-1.0, 1.0] * (0.5 * widths + SPREAD)[:, None]
    return np.asarray(np.round(np.stack([lines - aside, lines + aside], axis=2) * 16), dtype=np.int32)
