"""What a camera and a file format have done to a photo: its blur, its grain, its JPEG quality; and doing it again."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from synth.arrays import FloatArray, RgbImage

LARGEST = 256
"""Pixels of a face's longer side that are looked at: its middle tells as much as all of it."""

TILE = 256
"""Side of the piece of noise that all grain is cut from, in pixels."""

BLOCK = 8
"""Side of JPEG's blocks, in pixels (ITU-T T.81)."""

BLOCKY = 1.1
"""Steps across the borders of 8-pixel blocks relative to steps within them, from which on a photo may be a JPEG of
visible loss: at quality 85 half of them lie above, of photos that were shrunk since, 6 %."""

QUALITIES = (20, 30, 40, 50, 60, 70, 75, 80, 85, 90)
"""JPEG qualities that are tried; all but the ends can be found. Measured on 60 photos shrunk to 360 pixels and saved at
30 to 80: found within 5 on 99 %, never on one that was not saved or was resized since."""

STEPS = np.array(
    (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    )
)
"""Quantisation of luminance at quality 50 (ITU-T T.81, table K.1); libjpeg scales it to the other qualities."""

ROUNDED = 0.8
"""How far a coefficient may lie off a multiple of its step because pixels are whole numbers."""

DIP = 0.75
"""Change at the right quality relative to its neighbours', at most."""

TOLD_FROM = 128
"""Pixels of the piece's side that a photo's quality is told from."""


def sharpness(face: RgbImage, unit: float) -> tuple[float, float]:
    """Blur (Gaussian sigma, pixels, 0.45..3) and grain (standard deviation, sRGB levels, 0..12) of a face.

    Blur: steep edges of a picture blurred by sigma have a ratio of gradient to re-blurred gradient that grows with
    sharpness; inverted for a Gaussian edge (Zhuo and Sim, "Defocus map estimation", 2011).

    Args:
        face: (h, w, 3) uint8, RGB.
        unit: pixels of a head unit.
    """
    gray = cv2.cvtColor(_middle(face), cv2.COLOR_RGB2GRAY).astype(np.float32)
    again = cv2.GaussianBlur(gray, (0, 0), 1.0)
    slope, softer = _gradient(gray), _gradient(again)
    # Of every third row: where the threshold lies needs no more.
    some = slope[::3].ravel()
    least = int(0.97 * (some.size - 1))
    steep = slope >= np.partition(some, least)[least]
    ratio = float(np.median(slope[steep] / np.maximum(softer[steep], 1e-3))) if steep.any() else 1.5
    blur = 1.0 / np.sqrt(max(ratio**2 - 1, 0.05))
    return float(np.clip(blur, 0.45, 3.0)), float(np.clip(_noise(gray, unit), 0.0, 12.0))


def _noise(gray: FloatArray, unit: float) -> float:
    """Standard deviation of the noise: the high-pass (Immerkaer, "Fast noise variance estimation", 1996) of the
    smoothest blocks that are neither black nor white, less what a face's own detail brings."""
    high = np.abs(cv2.filter2D(gray, -1, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)))
    size = gray.shape[1] // BLOCK, gray.shape[0] // BLOCK
    if min(size) < 2:
        return 0.0
    whole = slice(0, size[1] * BLOCK), slice(0, size[0] * BLOCK)
    means = cv2.resize(high[whole], size, interpolation=cv2.INTER_AREA)
    levels = cv2.resize(gray[whole], size, interpolation=cv2.INTER_AREA)
    lit = (levels > 12) & (levels < 243)
    # The mean of the smoothest sixth is 0.87 of all blocks' in pure noise. In a face of 40 pixels pores and lashes are
    # as fine as noise: they come to 1.5 levels there, and to less the larger a face is.
    smooth = float(np.percentile(means[lit] if lit.sum() > 4 else means, 15)) * np.sqrt(np.pi / 2) / 6 / 0.87
    return float(np.sqrt(max(smooth**2 - min(38.0 / unit, 1.5) ** 2, 0.0)))


def _middle(face: RgbImage) -> RgbImage:
    height, width = face.shape[:2]
    y, x = max(height - LARGEST, 0) // 2, max(width - LARGEST, 0) // 2
    return face[y : y + LARGEST, x : x + LARGEST]


def _gradient(gray: FloatArray) -> FloatArray:
    return np.asarray(cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)))


def jpeg_quality(rgb: RgbImage) -> int | None:
    """The JPEG quality (libjpeg's scale, one of `QUALITIES`) a picture went through, told from its pixels.

    Saving a JPEG's picture anew changes it least at the quality it had (Farid, "Exposing digital forgeries from JPEG
    ghosts", 2009): its coefficients are multiples of that quality's steps. The steps at the borders of blocks say
    whether there is anything to find.

    Args:
        rgb: (H, W, 3) uint8, RGB; blocks must begin at its first row and column.

    Returns:
        None where no blocks are seen: a photo of high quality, without loss, or resized since.
    """
    if min(rgb.shape[:2]) < 48:
        return None
    y, x = (max(side - TOLD_FROM, 0) // 32 * 16 for side in rgb.shape[:2])
    part = np.ascontiguousarray(rgb[y : y + TOLD_FROM, x : x + TOLD_FROM])
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    if _blockiness(gray) < BLOCKY:
        return None
    changed = _changes(gray)
    dips = changed[1:-1] / np.maximum(0.5 * (changed[:-2] + changed[2:]), 1e-6)
    # Steps of a quality that divide the right one's make a dip as well: the coarsest is meant.
    found = np.flatnonzero((dips < DIP) & (dips < dips.min() + 0.2))
    return QUALITIES[1 + int(found[0])] if len(found) else None


def _blockiness(gray: RgbImage) -> float:
    """Mean step across block borders over mean step elsewhere, of an (h, w) uint8 picture."""
    ratios = []
    for axis in (0, 1):
        before, after = (gray[:, :-1], gray[:, 1:]) if axis == 0 else (gray[:-1], gray[1:])
        means = cv2.reduce(cv2.absdiff(after, before), axis, cv2.REDUCE_AVG, dtype=cv2.CV_64F).ravel()
        border = np.arange(len(means)) % BLOCK == BLOCK - 1
        ratios.append(float(means[border].mean()) / max(float(means[~border].mean()), 0.05))
    return 0.5 * sum(ratios)


@lru_cache(maxsize=1)
def _transform() -> tuple[FloatArray, FloatArray]:
    """(64, 64) float32, a block's pixels to its coefficients, and (Q, 64) float32, the steps at each quality."""
    at = np.arange(BLOCK)
    cosines = np.sqrt(2 / BLOCK) * np.cos((2 * at + 1) * at[:, None] * np.pi / (2 * BLOCK))
    cosines[0] /= np.sqrt(2)
    scales = [5000 // quality if quality < 50 else 200 - 2 * quality for quality in QUALITIES]
    steps = [np.clip((STEPS.ravel() * scale + 50) // 100, 1, 255) for scale in scales]
    return np.kron(cosines, cosines).T.astype(np.float32), np.array(steps, dtype=np.float32)


def _changes(gray: RgbImage) -> FloatArray:
    """(Q,) how far the coefficients of an (h, w) uint8 picture's blocks lie off each quality's steps, on average."""
    height, width = (side // BLOCK for side in gray.shape)
    tiles = gray[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK).swapaxes(1, 2)
    transform, steps = _transform()
    found = (tiles.reshape(-1, BLOCK * BLOCK).astype(np.float32) - np.float32(128)) @ transform
    changed = []
    for step in steps:
        off = found / step
        off -= np.rint(off)
        off *= step
        np.abs(off, out=off)
        off -= np.float32(ROUNDED)
        changed.append(float(off.clip(0, 255, out=off).mean()))
    return np.array(changed)


def as_jpeg(rgb: RgbImage, quality: int) -> RgbImage:
    """A picture after a JPEG of this quality (4:2:0): (h, w, 3) uint8, RGB, the same size."""
    encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB))


def as_enlarged_jpeg(rgb: RgbImage, quality: int, zoom: float) -> RgbImage:
    """A picture with the marks of a JPEG that was resized after it was opened: (h, w, 3) uint8, RGB, the same size.

    Only the marks are resized: the picture stays as sharp as it is.

    Args:
        rgb: (h, w, 3) uint8, RGB.
        quality: of the JPEG.
        zoom: how many times it was enlarged since.
    """
    height, width = rgb.shape[:2]
    size = max(round(width / zoom), 8), max(round(height / zoom), 8)
    # Between a half and twice the size two pixels are interpolated; means of many take seven times as long.
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if zoom > 2 else cv2.INTER_LINEAR)
    marks = cv2.addWeighted(as_jpeg(small, quality), 1.0, small, -1.0, 128.0)
    marks = cv2.resize(marks, (width, height), interpolation=cv2.INTER_AREA if zoom < 0.5 else cv2.INTER_LINEAR)
    return np.asarray(cv2.addWeighted(rgb, 1.0, marks, 1.0, -128.0))


@lru_cache(maxsize=4)
def _tile(coloured: bool, soft: bool) -> FloatArray:
    """(2 TILE, 2 TILE, 3) float32 noise of unit strength that repeats after TILE pixels, always the same.

    Mostly alike in all channels, as sensors' noise is once a camera has made a picture of it.
    """
    rng = np.random.default_rng(1996)
    mixed = np.repeat(rng.standard_normal((TILE, TILE, 1), dtype=np.float32), 3, axis=2)
    if coloured:
        mixed += np.float32(0.35) * rng.standard_normal((TILE, TILE, 3), dtype=np.float32)
    if soft:
        around = cv2.copyMakeBorder(mixed, 4, 4, 4, 4, cv2.BORDER_WRAP)
        # A blurred white noise is weaker by 2 sqrt(pi) sigma.
        mixed = cv2.GaussianBlur(around, (0, 0), 0.6)[4:-4, 4:-4] * np.float32(2 * np.sqrt(np.pi) * 0.6)
    return np.tile(mixed, (2, 2, 1))


def grain(shape: tuple[int, ...], *, coloured: bool, soft: bool, rng: np.random.Generator) -> FloatArray:
    """(h, w, 3) float32 noise like a camera's, of unit strength in its brightness; not to be written to.

    Args:
        shape: (h, w).
        coloured: whether the channels differ.
        soft: whether neighbouring pixels are alike, as in a photo that isn't sharp to the pixel.
        rng: where in a large piece of noise it is cut from.
    """
    tile = _tile(coloured, soft)
    dy, dx = (int(value) for value in rng.integers(0, TILE, 2))
    beyond = max(dy + shape[0], dx + shape[1]) - len(tile)
    if beyond > 0:
        tile = np.tile(tile[:TILE, :TILE], (3 + beyond // TILE, 3 + beyond // TILE, 1))
    return tile[dy : dy + shape[0], dx : dx + shape[1]]
