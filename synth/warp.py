"""From head to picture and from picture to texture: thin-plate splines solved once and evaluated on a coarse lattice.

Thin-plate splines: Bookstein, "Principal warps", PAMI 1989.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from synth.arrays import BoolArray, FloatArray
from synth.pose import Pose
from synth.shape import MEAN_FACE

LATTICE, CELLS = 4, 20
"""A spline is evaluated at lattice points so many pixels apart, or further where that makes more cells than this along
a region's longer side; between them it is interpolated by cubics."""

KNOTS = 2, 2
"""Of how many rows and columns of a sheet's grid one is a knot of the spline: it is smooth in between. With half as
many the texture moves by 0.3 pixels, but by 10 near the outline of the head, where a mask's rim is dented then."""

EVERY = 3
"""Of how many pixels across and down one is looked at for folds, which are many times wider."""

SEEN = 0.08
"""Facing cosine from which a point tells where the texture belongs: nearer the outline of the head, and behind it, the
map from the picture has no answer, or two."""

TURNED = 12.0
"""Yaw from which a head has a far side, degrees."""

CHIN_POINTS = slice(5, 12)

FINER = 4
"""How much finer than the sheet's grid its outline in the picture is drawn."""

STIFFNESS = 0.01
"""Smoothing of the landmarks' residuals: a landmark that errs alone by a few pixels doesn't dent the mask."""


@dataclass(frozen=True, eq=False)
class Spline:
    """A thin-plate spline from the plane to D values, fitted at N points; coordinates are scaled to order one."""

    centres: FloatArray
    weights: FloatArray
    affine: FloatArray
    origin: FloatArray
    scale: float

    def __call__(self, points: FloatArray) -> FloatArray:
        """(M, 2) points to (M, D) values, their bend in single precision (`on_lattice`)."""
        local = (points - self.origin) / self.scale
        near, (x, y, weights) = local.astype(np.float32), self._single
        squared, other = near[:, :1] - x, near[:, 1:] - y
        squared *= squared
        other *= other
        squared += other
        return np.asarray(_kernel(squared) @ weights + local @ self.affine[1:] + self.affine[0])

    @cached_property
    def _single(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(N,) x and y of the centres and (N, D) their weights, float32."""
        x, y = self.centres.T.astype(np.float32)
        return x, y, self.weights.astype(np.float32)

    def on_lattice(self, xs: FloatArray, ys: FloatArray) -> FloatArray:
        """(len(ys), len(xs), D) float32 values at all crossings of columns at `xs` and rows at `ys`.

        In single precision, four times as fast: exact to about 1e-5 of the values' range.
        """
        x, y = (xs - self.origin[0]) / self.scale, (ys - self.origin[1]) / self.scale
        x_squared = ((x[:, None] - self.centres[:, 0]) ** 2).astype(np.float32)
        y_squared = ((y[:, None] - self.centres[:, 1]) ** 2).astype(np.float32)
        squared = (y_squared[:, None] + x_squared[None]).reshape(-1, len(self.centres))
        bent = (_kernel(squared) @ self.weights.astype(np.float32)).reshape(len(ys), len(xs), -1)
        flat = self.affine[0] + x[None, :, None] * self.affine[1] + y[:, None, None] * self.affine[2]
        return np.asarray(bent + flat.astype(np.float32))


def _kernel(squared: FloatArray) -> FloatArray:
    # Cut off on both sides, which numpy does in half the time.
    bent = squared.clip(1e-12, 1e30)
    if bent.dtype == np.float64:
        cv2.log(bent, dst=bent)  # exact to the last digit, in a third of the time
    else:
        np.log(bent, out=bent)
    bent *= squared
    return np.asarray(bent)


def fit_spline(points: FloatArray, values: FloatArray, stiffness: float = 0.0) -> Spline:
    """The smoothest surface through `values` (N, D) at `points` (N, 2); `stiffness` > 0 lets it miss them a little."""
    x, y = points[:, 0], points[:, 1]
    origin, scale = points.mean(0), max(float(x.max() - x.min()), float(y.max() - y.min())) or 1.0
    local, n = (points - origin) / scale, len(points)
    squared, other = local[:, :1] - local[:, 0], local[:, 1:] - local[:, 1]
    squared *= squared
    other *= other
    squared += other
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _kernel(squared)
    system.ravel()[: n * (n + 3) : n + 4] += stiffness
    system[:n, n] = system[n, :n] = 1
    system[:n, n + 1 :], system[n + 1 :, :n] = local, local.T
    target = np.zeros((n + 3, values.shape[1]))
    target[:n] = values
    solved = _solve(system, target)
    return Spline(local, solved[:n], solved[n:], origin, scale)


def _solve(system: FloatArray, target: FloatArray) -> FloatArray:
    """Direct where that is exact; least squares, ten times slower, where points coincide or all lie on one line."""
    # OpenCV's own takes half the time of numpy's.
    found, solved = cv2.solve(system, target, flags=cv2.DECOMP_LU)
    if found and np.abs(system @ solved - target).max() < 1e-6 * max(1.0, float(np.abs(target).max())):
        return np.asarray(solved)
    return np.asarray(np.linalg.lstsq(system, target, rcond=1e-12)[0])


class HeadToPicture:
    """Head coordinates to pixels of one photo: the pose, then a smooth warp that brings the mean face to this face's
    landmarks.

    Args:
        pose: of the head.
        landmarks: (68, 2), x, y in pixels.
    """

    def __init__(self, pose: Pose, landmarks: FloatArray) -> None:
        self.pose, self.landmarks = pose, landmarks
        expected = pose.project(MEAN_FACE)
        self._residual = fit_spline(expected, (landmarks - expected) / pose.pixels_per_unit, STIFFNESS)

    def __call__(self, points: FloatArray) -> FloatArray:
        """(..., 3) head coordinates to (..., 2) pixels x, y."""
        flat = self.pose.project(points).reshape(-1, 2)
        # Far from every landmark a spline runs away; a face is not a quarter of a head unit off its mean.
        residual = self._residual(flat).clip(-0.35, 0.35) * self.pose.pixels_per_unit
        return np.asarray((flat + residual).reshape(*points.shape[:-1], 2))

    def facing(self, points: FloatArray, normals: FloatArray) -> FloatArray:
        """(...,) cosine between each normal and the way to the camera: positive is seen, negative is hidden."""
        seen = self.pose.to_camera(points)
        along = (self.pose.turned(normals) * seen).sum(-1)
        return np.asarray(-along / np.sqrt((seen * seen).sum(-1)))

    @cached_property
    def far_side(self) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """The outline of the landmarks, open towards the near side and the throat, of a head that is turned.

        Returns:
            (E, 2) unit normals of its edges, pointing inwards, (E,) the edges' places along them, pixels, and (E,) how
            far each moves along it when the outline grows by a pixel on the far side. None for a head that isn't
            turned, which has no far side.
        """
        yaw, _, roll = self.pose.angles
        if abs(yaw) < TURNED:
            return None
        unit, points, turn = self.pose.pixels_per_unit, self.landmarks, np.radians(roll)
        far = np.sign(yaw) * np.array([np.cos(turn), np.sin(turn)])
        down = np.array([-np.sin(turn), np.cos(turn)])
        outer = np.concatenate([points, points[CHIN_POINTS] + 2.0 * unit * down])
        corners = np.concatenate([outer, outer - 3.0 * unit * far]).astype(np.float32)
        hull = cv2.convexHull(corners, clockwise=False)[:, 0].astype(np.float64)
        edges = np.roll(hull, -1, axis=0) - hull
        inwards = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
        inwards /= np.maximum(np.linalg.norm(edges, axis=1), 1e-9)[:, None]
        inwards *= np.sign(((hull.mean(0) - hull) * inwards).sum(1, keepdims=True))
        return inwards, (hull * inwards).sum(1), inwards @ far


class Region(NamedTuple):
    """A rectangle of a photo in pixels: columns x0 to x1, rows y0 to y1, ends excluded."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """In pixels."""
        return self.y1 - self.y0

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an (H, W, ...) array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def within(self, other: Region) -> tuple[slice, slice]:
        """To index an array over another region that this one lies in."""
        return (
            slice(self.y0 - other.y0, self.y1 - other.y0),
            slice(self.x0 - other.x0, self.x1 - other.x0),
        )

    def cut(self, other: Region) -> Region:
        """What both have in common; its width or height is not above 0 where that is nothing."""
        return Region(max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1))

    @classmethod
    def around(cls, points: FloatArray, margin: float, shape: tuple[int, ...]) -> Region:
        """The pixels within `margin` of the (..., 2) points, cut at a photo of `shape` (H, W, ...)."""
        # Each by itself: along the longer axis of a narrow array numpy takes four times as long.
        x, y = points[..., 0], points[..., 1]
        x0, y0, x1, y1 = float(x.min()), float(y.min()), float(x.max()), float(y.max())
        height, width = shape[:2]

        def within(value: float, limit: int) -> float:
            # In this order of arguments what is not a number becomes 0.
            return min(max(0.0, value), limit)

        return cls(
            math.floor(within(x0 - margin, width)),
            math.floor(within(y0 - margin, height)),
            math.ceil(within(x1 + margin + 1, width)),
            math.ceil(within(y1 + margin + 1, height)),
        )


def texture_map(
    placed: FloatArray,
    seen: FloatArray,
    region: Region,
    least: float = SEEN,
    size: tuple[float, float] = (1, 1),
    corner: float = 0.0,
) -> FloatArray:
    """Where in the texture each pixel of a region looks, as (height, width, 2) float32 u, v in 0..1 (beyond: outside).

    Args:
        placed: (R, C, 2) pixels of the sheet's grid points.
        seen: (R, C) facing cosine; hidden points would fold the map and are left out.
        region: the pixels wanted.
        least: facing cosine from which points are used.
        size: what u and v are multiplied by: with a texture's width and height they count its texels.
        corner: what is added to both then.
    """
    knots, texture = _knots(*placed.shape[:2])
    usable = knots & (seen > least)
    spline = fit_spline(placed[usable], texture[usable])
    step = max(float(LATTICE), max(region.width, region.height) / CELLS)
    # One cell beyond the region on each side: a cubic leans on its neighbours' neighbours.
    xs = region.x0 + step * np.arange(-1, int(region.width / step) + 3)
    ys = region.y0 + step * np.arange(-1, int(region.height / step) + 3)
    coarse = spline.on_lattice(xs, ys) * np.array(size, dtype=np.float32) + np.float32(corner)
    cubic = _cubic(max(region.height, region.width), step)
    down, across = cubic[: region.height, : len(ys)], cubic[: region.width, : len(xs)]
    return np.asarray(cv2.merge([down @ np.ascontiguousarray(coarse[..., axis]) @ across.T for axis in (0, 1)]))


@lru_cache(maxsize=4)
def _knots(rows: int, columns: int) -> tuple[BoolArray, FloatArray]:
    """Which points of a sheet's grid are knots, (R, C), and all points' u, v, (R, C, 2); not to be written to."""
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    row, column = np.arange(rows)[:, None], np.arange(columns)[None]
    knots = (row % KNOTS[0] == 0) & (column % KNOTS[1] == 0)
    return np.asarray(knots), np.stack([u, v], axis=-1)


@lru_cache(maxsize=256)
def _cubic(pixels: int, step: float) -> FloatArray:
    """(pixels, cells) float32 weights of Catmull and Rom's cubic (1974): pixels from lattice values `step` apart.

    The lattice begins one cell before the first pixel and ends two after the last. (OpenCV's own interpolation knows
    32 places between two values only: far too few between two of a lattice.) Not to be written to.
    """
    cells = int(pixels / step) + 4
    at = np.arange(pixels) / step + 1
    first = at.astype(np.intp)
    t = at - first
    weights = np.zeros((pixels, cells), dtype=np.float32)
    flat, start = weights.reshape(-1), np.arange(pixels) * cells + first
    flat[start - 1] = ((-0.5 * t + 1.0) * t - 0.5) * t
    flat[start] = (1.5 * t - 2.5) * t * t + 1.0
    flat[start + 1] = ((-1.5 * t + 2.0) * t + 0.5) * t
    flat[start + 2] = (0.5 * t - 0.5) * t * t
    return weights


def visible_cover(placed: FloatArray, seen: FloatArray, region: Region) -> FloatArray:
    """Share of each pixel of a region that the seen side of the sheet covers: (height, width) float32 in 0..1.

    Args:
        placed: (R, C, 2) pixels of the sheet's grid points.
        seen: (R, C) facing cosine.
        region: the pixels wanted.
    """
    rows, columns = ((side - 1) * FINER + 1 for side in seen.shape)
    grid = np.empty((*seen.shape, 3), dtype=np.float32)
    grid[..., :2], grid[..., 2] = placed - [region.x0, region.y0], seen
    finer = np.array([[1 / FINER, 0, 0], [0, 1 / FINER, 0]], dtype=np.float64)
    grid = cv2.warpAffine(grid, finer, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    front = (grid[..., 2] > 0).astype(np.uint8)
    outlines = cv2.findContours(front, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    double = np.zeros((region.height * 2, region.width * 2), dtype=np.uint8)
    for outline in outlines:
        u, v = outline[:, 0, 0], outline[:, 0, 1]
        corners = (grid[v, u, :2] + 0.5) * 2 - 0.5
        cv2.fillPoly(double, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_8, shift=4)
    cover = cv2.resize(double, (region.width, region.height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.LUT(cover, _SHARES))


_SHARES = np.arange(256, dtype=np.float32) / np.float32(255)
"""Of full cover, by level."""


def within_head(placed: FloatArray, to_picture: HeadToPicture, beyond: float) -> FloatArray | float:
    """How far inside a turned head's outline points lie, in head units; negative beyond its far side.

    What reaches further past the far cheek than a mask stands off the face would hang in the air. Nothing lies outside
    on the near side and beneath the chin.

    Args:
        placed: (R, C, 2) pixels of a sheet's grid points.
        to_picture: head coordinates to pixels.
        beyond: how far a mask may reach past the landmarks on the far side, in head units.

    Returns:
        (R, C); infinity for a head that isn't turned, which has no far side, and for a sheet whose middle lies outside:
        it hangs beside the face, held by something else.
    """
    outline = to_picture.far_side
    if outline is None:
        return np.inf
    unit, (inwards, at, grown) = to_picture.pose.pixels_per_unit, outline
    inside = (placed @ inwards.T - (at + beyond * unit * grown)).min(-1) / unit
    return np.inf if inside[len(inside) // 2, inside.shape[1] // 2] < 0 else np.asarray(inside)


def folds(mapping: FloatArray, alpha: FloatArray) -> float:
    """Share of the mask's pixels at which the map runs backwards, that is, the sheet is folded over itself."""
    u, v = (np.ascontiguousarray(mapping[::EVERY, ::EVERY, axis]) for axis in (0, 1))
    if min(u.shape) < 2:
        return 0.0
    across, down, here = np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[:-1, :-1]
    turning = (u[across] - u[here]) * (v[down] - v[here]) - (v[across] - v[here]) * (u[down] - u[here])
    inside = alpha[::EVERY, ::EVERY][here] > 0.5
    looked = np.count_nonzero(inside)
    return np.count_nonzero((turning <= 0) & inside) / looked if looked else 0.0
