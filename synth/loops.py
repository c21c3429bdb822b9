"""What holds a mask: loops to the ears or straps behind the head, hidden by the head's own side as it turns away."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synth.arrays import FloatArray
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
class Loops:
    """The cords in a region of the photo.

    Attributes:
        alpha: (height, width) float32 in 0..1.
        brightness: (height, width) float32: the round cord is lighter on its upper side.
    """

    alpha: FloatArray
    brightness: FloatArray


def cords(worn: Sheet, attach: str = "ears", hangs: float = 0.0) -> list[tuple[float, FloatArray]]:
    """The cords as (side, (N, 3) head coordinates); side is -1 at the picture's left, 1 at its right.

    Four of them, from the mask's edge to where they go out of sight; none where nothing holds the mask.

    Args:
        worn: the mask's sheet.
        attach: see `Strap`.
        hangs: -1 or 1 where the mask hangs from the ear of that side by the loop of its upper end; else 0. The other
            loop dangles below it: three cords.
    """
    ends, rows = ENDS[attach], len(worn.points)
    if hangs:
        upper, lower = (0, -1) if hangs > 0 else (-1, 0)
        taut = [(hangs, _cord(worn.points[row, upper], EAR * [hangs, 1.0, 1.0])) for row in (1, rows - 2)]
        return [*taut, (hangs, _dangling(worn, lower))]
    if ends is None:
        return []
    starts = [round(v * (rows - 1)) for v in STARTS[attach]]
    found = []
    for side, column, inner in ((-1.0, 0, 1), (1.0, -1, -2)):
        # From half a column inside the edge, so that no gap opens between a cord and the mask's rounded corner.
        edge = worn.points[:, column] + 0.5 * (worn.points[:, inner] - worn.points[:, column])
        for start, end in zip(starts, ends, strict=True):
            found.append((side, _cord(edge[start], end * [side, 1.0, 1.0])))
    return found


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


def _cord(start: FloatArray, end: FloatArray) -> FloatArray:
    """(N, 3) head coordinates of a cord that lies on the cheek between two points.

    The cheek is as round as a cylinder that stands upright within the head; on one the shortest way is a helix.
    """
    t = np.linspace(0, 1, STEPS)
    side, (start_z, end_z) = np.sign(end[0]), (start[2] - AXIS_DEPTH, end[2] - AXIS_DEPTH)
    around = np.array([np.arctan2(side * start[0], start_z), np.arctan2(side * end[0], end_z)])
    away = np.array([np.hypot(start[0], start_z), np.hypot(end[0], end_z)])
    angle, radius = around[0] + np.diff(around) * t, away[0] + np.diff(away) * t
    height = start[1] + (end[1] - start[1]) * t + SAG * np.sin(np.pi * t)
    return np.stack([side * radius * np.sin(angle), height, AXIS_DEPTH + radius * np.cos(angle)], axis=1)


def _side_normals(line: FloatArray) -> FloatArray:
    """(..., 3) normals of the cheek under a cord: the rounder towards the front the further it is from the ear."""
    forward = np.clip((line[..., 2] - EAR[2]) / 0.6, 0, 1)
    turn = np.radians(24 + 40 * forward)
    normals = np.stack([np.sign(line[..., 0]) * np.cos(turn), np.zeros_like(turn), np.sin(turn)], axis=-1)
    return np.asarray(normals)


def draw_loops(
    held: list[tuple[float, FloatArray]],
    to_picture: HeadToPicture,
    region: Region,
    strap: Strap,
    placed: FloatArray | None = None,
) -> Loops:
    """Draws the cords a photo shows.

    Args:
        held: of `cords`.
        to_picture: head coordinates to pixels.
        region: to draw in.
        strap: what holds the mask.
        placed: (K, N, 2) pixels of the cords' points, where they are known.
    """
    alpha = np.zeros((region.height, region.width), dtype=np.float32)
    brightness = np.full_like(alpha, 0.92)
    if not held:
        return Loops(alpha, brightness)
    # All cords in one call each: what the splines and the pose cost is mostly the call.
    points = np.stack([line for _, line in held])
    placed = to_picture(points) if placed is None else placed
    if not np.isfinite(placed).all():
        return Loops(alpha, brightness)
    shown = np.clip(to_picture.facing(points, _side_normals(points)) / BEHIND, 0, 1)
    # Beyond the far cheek there is nothing that a cord could lie on.
    shown *= np.asarray(within_head(placed, to_picture, OFF_CHEEK)) > 0
    along = np.linspace(0, 1, STEPS)
    # Hair or the ear itself lies over the end, so that no cord stops short in the open.
    shown *= np.clip((strap.seen - along) / 0.18 + 0.15, 0, 1)
    widths = strap.width * to_picture.pose.pixels_per_unit * np.ones(STEPS)
    if strap.attach == "ears" and strap.width > 0.045:
        widths *= np.interp(along, [0, 0.5, 1], [1.35, 0.8, 0.65])
    lines = (placed - [region.x0, region.y0] + 0.5) * SUPERSAMPLED - 0.5
    pieces = _strips(lines, np.maximum(widths, THINNEST) * SUPERSAMPLED)
    # A cord thinner than a pixel is fainter, not wider.
    levels = 127.5 * (shown[:, :-1] + shown[:, 1:]) * np.minimum(widths[:-1] / THINNEST, 1.0)
    sides = np.array([side for side, _ in held])
    for side in (-1.0, 1.0):
        there = (levels >= LEAST) & (sides == side)[:, None]
        if there.any():
            _lay(alpha, brightness, pieces[there], levels[there])
    return Loops(alpha, brightness)


def _lay(alpha: FloatArray, brightness: FloatArray, pieces: NDArray[np.int32], levels: FloatArray) -> None:
    """Lays the cords of one side into the region, working only in the rectangle around them.

    Args:
        alpha, brightness: (height, width), changed in place.
        pieces: (M, 4, 2) of `_strips`.
        levels: (M,) opacity of each, in 0..255.
    """
    pixel = 16 * SUPERSAMPLED
    low, high = pieces.min((0, 1)) // pixel - 2, pieces.max((0, 1)) // pixel + 3
    (x0, y0), (x1, y1) = np.maximum(low, 0).tolist(), np.minimum(high, alpha.shape[::-1]).tolist()
    if x0 >= x1 or y0 >= y1:
        return
    plate = np.zeros(((y1 - y0) * SUPERSAMPLED, (x1 - x0) * SUPERSAMPLED), dtype=np.uint8)
    pieces = pieces - np.array([x0 * pixel, y0 * pixel], dtype=np.int32)
    # The strongest last: where two cords meet the fainter doesn't hide the other.
    for place in np.argsort(levels, kind="stable").tolist():
        cv2.fillConvexPoly(plate, pieces[place], round(float(levels[place])), cv2.LINE_8, shift=4)
    drawn = cv2.resize(plate, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA).astype(np.float32)
    drawn *= np.float32(1 / 255)
    within = np.s_[y0:y1, x0:x1]
    lit = np.clip(cv2.Sobel(drawn, cv2.CV_32F, 0, 1, scale=0.25 / 4), -0.25, 0.25) + np.float32(0.92)
    np.copyto(brightness[within], lit, where=drawn > alpha[within])
    np.maximum(alpha[within], drawn, out=alpha[within])


def _strips(lines: FloatArray, widths: FloatArray) -> NDArray[np.int32]:
    """(K, N - 1, 4, 2) corners of the pieces of bands along lines, in sixteenths of a pixel, as OpenCV fills them.

    Args:
        lines: (K, N, 2) pixels.
        widths: (N,) of the bands there, pixels.
    """
    along = np.empty_like(lines)
    np.subtract(lines[:, 2:], lines[:, :-2], out=along[:, 1:-1])
    along[:, 0], along[:, -1] = lines[:, 1] - lines[:, 0], lines[:, -1] - lines[:, -2]
    along /= np.maximum(np.sqrt((along * along).sum(-1, keepdims=True)), 1e-9)
    aside = along[..., ::-1] * [-1.0, 1.0] * (0.5 * widths + SPREAD)[:, None]
    edges = np.round(np.stack([lines - aside, lines + aside], axis=2) * 16).astype(np.int32)
    return np.concatenate([edges[:, :-1], edges[:, 1:, ::-1]], axis=2)
