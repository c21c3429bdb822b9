"""From a surface given as a grid of points to pixels: which grid place each pixel shows, nearest surface first."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from datasets.portraits.camera import Floats


@dataclass(frozen=True)
class Visible:
    """The part of a surface that the camera sees, in a window of the picture.

    Attributes:
        window: rows and columns of the picture, as slices.
        col, row: (h, w) float32, place in the surface's grid.
        cover: (h, w) float32, 0 or 1.
    """

    window: tuple[slice, slice]
    col: Floats
    row: Floats
    cover: Floats

    def sample(self, values: Floats) -> Floats:
        """Sample an array given on the surface's grid, (rows, cols) or (rows, cols, 1 to 4 channels)."""
        return np.asarray(cv2.remap(values, self.col, self.row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    def sample_texture(self, values: Floats, grid: tuple[int, int]) -> Floats:
        """Sample an array that spans the same surface as a ``grid`` of (rows, cols), but at another resolution."""
        rows = np.float32((values.shape[0] - 1) / (grid[0] - 1))
        cols = np.float32((values.shape[1] - 1) / (grid[1] - 1))
        mode = cv2.BORDER_REPLICATE
        return np.asarray(cv2.remap(values, self.col * cols, self.row * rows, cv2.INTER_LINEAR, borderMode=mode))


def rasterise(
    pixels: Floats, depth: Floats, size: tuple[int, int], shown: npt.NDArray[np.bool_] | None = None
) -> Visible | None:
    """Find what each pixel sees of a surface.

    Grid points facing the camera are written back to front into the four pixels around them; one Newton step on the
    grid's own derivative then makes the place exact to a fraction of a grid cell. The grid must be about as dense as
    the pixels.

    Args:
        pixels: (rows, cols, 2) float32, projected x and y.
        depth: (rows, cols) float32, larger is nearer.
        size: (width, height) of the picture.
        shown: (rows, cols) bool; points that are not drawn may be left out.

    Returns:
        The visible part, or None where nothing falls into the picture.
    """
    steps = _steps(pixels)
    turned = steps[0] * steps[3] - steps[1] * steps[2]
    inside = (turned > 1e-3) & _within(pixels, size)
    if shown is not None:
        inside &= shown
    points = np.flatnonzero(inside)
    if points.size == 0:
        return None
    points = points[_far_to_near(depth.ravel()[points])]
    flat = pixels.reshape(-1, 2)[points]
    corner = np.floor(flat).astype(np.int32)
    low, high = corner.min(axis=0), corner.max(axis=0) + 2
    nearest = _write(points, corner - low, (int(high[1] - low[1]), int(high[0] - low[0])))
    start, stop = np.maximum(low, 0), np.minimum(high, size)
    if (stop <= start).any():
        return None
    nearest = nearest[start[1] - low[1] : stop[1] - low[1], start[0] - low[0] : stop[0] - low[0]]
    low, high = start, stop
    window = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
    return _refine(nearest, pixels, steps, turned, window)


def _steps(pixels: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Derivatives of x and y by column and by row: x_col, x_row, y_col, y_row."""
    x, y = pixels[..., 0], pixels[..., 1]
    return np.gradient(x, axis=1), np.gradient(x, axis=0), np.gradient(y, axis=1), np.gradient(y, axis=0)


def _within(pixels: Floats, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    x, y = pixels[..., 0], pixels[..., 1]
    margin = 4  # so that a sparse grid still reaches the picture's edge
    return np.asarray((x >= -margin) & (y >= -margin) & (x < size[0] + margin) & (y < size[1] + margin))


def _far_to_near(depth: Floats) -> npt.NDArray[np.intp]:
    span = float(depth.max() - depth.min()) + 1e-6
    levels = ((depth - depth.min()) * (65535 / span)).astype(np.uint16)
    return np.argsort(levels, kind="stable")  # a radix sort on 16 bits


def _write(
    points: npt.NDArray[np.intp], corner: npt.NDArray[np.int32], shape: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Write each point's number into the four pixels around it; later (nearer) points win. -1 where none fell."""
    nearest = np.full(shape[0] * shape[1], -1, np.int64)
    base = corner[:, 1] * shape[1] + corner[:, 0]
    places = base[:, None] + np.array([0, 1, shape[1], shape[1] + 1], np.int32)
    ok = places.ravel() < nearest.size
    nearest[places.ravel()[ok]] = np.repeat(points, 4)[ok]
    return _close(nearest.reshape(shape))


def _close(nearest: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give a pixel between points the number of a neighbour; the outline stays where it is."""
    hit = (nearest >= 0).astype(np.uint8)
    edged = cv2.copyMakeBorder(hit, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(edged, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))[3:-3, 3:-3]
    neighbour = cv2.dilate(nearest.astype(np.float32), np.ones((5, 5), np.uint8))  # exact below 2**24 points
    return np.where((hit == 0) & (closed > 0), neighbour.astype(np.int64), nearest)


def _refine(
    nearest: npt.NDArray[np.int64],
    pixels: Floats,
    steps: tuple[Floats, Floats, Floats, Floats],
    turned: Floats,
    window: tuple[slice, slice],
) -> Visible:
    hit = np.flatnonzero(nearest.ravel() >= 0)
    point = nearest.ravel()[hit]
    rows, cols = pixels.shape[:2]
    width = nearest.shape[1]
    gap_x = (hit % width + window[1].start).astype(np.float32) - pixels[..., 0].ravel()[point]
    gap_y = (hit // width + window[0].start).astype(np.float32) - pixels[..., 1].ravel()[point]
    x_col, x_row, y_col, y_row = (step.ravel()[point] for step in steps)
    area = turned.ravel()[point]
    col = np.clip((gap_x * y_row - gap_y * x_row) / area, -2.5, 2.5) + (point % cols)
    row = np.clip((gap_y * x_col - gap_x * y_col) / area, -2.5, 2.5) + (point // cols)
    place = np.zeros((2, nearest.size), np.float32)
    place[0, hit], place[1, hit] = col, row
    cover = np.zeros(nearest.size, np.float32)
    cover[hit] = (col > -0.5) & (col < cols - 0.5) & (row > -0.5) & (row < rows - 0.5)
    shape = nearest.shape
    return Visible(window, place[0].reshape(shape), place[1].reshape(shape), cover.reshape(shape))
