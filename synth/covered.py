"""Telling a lower face that something covers: how its colour and its edges differ from those of the skin above it.

A logistic model over a grid that is laid on the face by its eyes and chin, its left and right halves averaged. Own
work: its weights were trained on 1,490 FairFace photos (CC BY 4.0) and 595 further bare faces, in colour and in gray,
against 600 variants of them with masks of our own, and on 150 drawn faces; no really worn mask was among them. Where
the gate draws its limit was chosen by looking at other 429 bare FairFace photos and at 224 really worn masks: there,
with `synth.gate.skin_below`, it refuses 0.9 % of the bare, four, of whom three hide behind a head, a jacket and a
microphone, and 92 % of the masked faces. Of the bare faces trained on it refuses 0.3 %.
"""

from __future__ import annotations

import cv2
import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.face import Face
from synth.shape import CHIN, LEFT_EYE, RIGHT_EYE
from synth.warp import Region

SIDE = 48
"""Of the aligned face, pixels."""

EYES, EYES_APART, EYES_TO_CHIN = (24.0, 10.0), 18.0, 30.0
"""Where the point between the eyes lies in the aligned face, how far apart the eyes are, and how far off the chin is,
pixels."""

COLUMNS = ((6, 14), (14, 20), (20, 28), (28, 34), (34, 42))
ROWS = ((13, 18), (18, 22), (22, 26), (26, 31), (31, 36), (36, 41), (41, 46))
"""The grid's cells in the aligned face: from a cheek to the other, from below the eyes to the chin."""


def _averages() -> FloatArray:
    """(35, 2304): each row takes the mean of one cell."""
    masks = np.zeros((len(ROWS), len(COLUMNS), SIDE, SIDE), dtype=np.float32)
    for i, (top, bottom) in enumerate(ROWS):
        for j, (left, right) in enumerate(COLUMNS):
            masks[i, j, top:bottom, left:right] = 1 / ((bottom - top) * (right - left))
    return masks.reshape(-1, SIDE * SIDE)


CELLS = _averages()

LIPS = (slice(30, 37), slice(19, 29))
SKIN = ((slice(3, 9), slice(19, 29)), (slice(11, 15), slice(21, 27)))
"""The mouth, and the skin between and above the eyes that the cells are compared with: rows, columns."""

SCALES = np.array([40, 12, 12, 40, 12, 12, 1, 1, 6], dtype=np.float64)
"""What a cell's figures are divided by: difference in L, a, b (8-bit CIE Lab), the same without sign, edges along and
across relative to those around the eyes, spread of a."""

WEIGHTS = np.array(
    (
        (
            (-0.108, +0.354, +0.309, -0.155, -0.416, -0.325, +0.931, +0.209, -0.052),
            (-0.072, -0.091, -0.034, -0.055, -0.020, +0.103, +0.509, +0.308, +0.065),
            (-0.050, -0.167, -0.159, +0.032, +0.093, +0.103, +0.879, -1.053, +0.024),
        ),
        (
            (-0.133, +0.006, -0.060, +0.041, -0.017, +0.074, +0.645, +0.121, -0.119),
            (-0.038, -0.101, -0.122, +0.146, +0.118, +0.197, -0.243, -1.340, -0.005),
            (-0.011, -0.099, -0.058, +0.134, +0.079, +0.099, -0.530, -0.437, +0.021),
        ),
        (
            (-0.028, +0.064, -0.027, -0.160, -0.045, +0.011, +1.943, -0.674, -0.114),
            (-0.085, +0.028, -0.057, -0.032, +0.037, +0.028, +0.092, -0.129, +0.054),
            (+0.008, -0.062, -0.005, +0.092, +0.101, +0.073, -0.536, +1.194, +0.027),
        ),
        (
            (-0.056, +0.029, -0.083, +0.031, -0.029, +0.014, +1.673, -1.006, -0.090),
            (+0.226, -0.203, -0.107, -0.034, +0.142, +0.090, -1.451, -1.561, -0.135),
            (+0.224, -0.353, -0.048, +0.038, +0.119, +0.115, -1.550, -0.150, -0.274),
        ),
        (
            (-0.035, +0.035, -0.015, +0.061, -0.035, -0.033, -0.005, +0.086, -0.120),
            (-0.092, -0.209, -0.221, +0.372, +0.279, +0.160, -1.125, -0.683, -0.232),
            (-0.041, -0.359, -0.229, +0.360, +0.278, +0.244, -1.493, +0.413, -0.354),
        ),
        (
            (-0.001, +0.073, +0.100, -0.009, -0.119, -0.086, +0.064, +0.266, -0.041),
            (+0.060, -0.003, -0.063, -0.004, +0.034, -0.010, -0.884, -0.406, -0.021),
            (+0.017, -0.124, -0.161, +0.132, +0.110, +0.120, -1.309, +0.570, -0.202),
        ),
        (
            (-0.020, +0.102, +0.144, -0.003, -0.115, -0.120, +0.785, +0.225, -0.012),
            (-0.037, +0.086, +0.074, -0.004, -0.120, -0.102, +0.717, -0.114, +0.094),
            (-0.033, +0.066, +0.024, +0.007, -0.104, -0.093, +0.831, -0.072, +0.146),
        ),
    )
)
"""(7, 3, 9): rows downwards; outer, inner and middle column; figures as in `SCALES`."""

LIPS_WEIGHT, OFFSET = -0.287, +0.595


def cover_score(rgb: RgbImage, face: Face) -> float:
    """How much a lower face looks covered, as a logit: the gate refuses it above `Gate.max_cover`.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        face: in its pixels.
    """
    lab = cv2.cvtColor(_aligned(rgb, face.landmarks), cv2.COLOR_RGB2Lab).astype(np.float32)
    skin = np.median(np.concatenate([lab[part].reshape(-1, 3) for part in SKIN]), axis=0)
    edges = np.stack([np.abs(cv2.Sobel(lab[..., 0], cv2.CV_32F, *along)) / 8 for along in ((0, 1), (1, 0))], axis=-1)
    around_eyes = float(edges[2:14, 8:40].mean(axis=(0, 1)).sum()) + 2
    seen = np.concatenate([lab - skin, edges / around_eyes, (lab[..., 1:2] - skin[1]) ** 2], axis=-1)
    means = CELLS @ seen.reshape(SIDE * SIDE, 6)
    spread = np.sqrt(np.maximum(means[:, 5:] - means[:, 1:2] ** 2, 0))
    figures = np.concatenate([means[:, :3], np.abs(means[:, :3]), means[:, 3:5], spread], axis=1) / SCALES
    cells = figures.reshape(len(ROWS), len(COLUMNS), len(SCALES))
    halves = np.stack([(cells[:, 0] + cells[:, 4]) / 2, (cells[:, 1] + cells[:, 3]) / 2, cells[:, 2]], axis=1)
    lips = np.clip((lab[LIPS][..., 1].max() - skin[1]) / 12, -3, 3)
    return float((np.clip(halves, -3, 3) * WEIGHTS).sum() + lips * LIPS_WEIGHT + OFFSET)


def _aligned(rgb: RgbImage, points: FloatArray) -> RgbImage:
    """The face with its eyes and chin in fixed places: (48, 48, 3)."""
    left, right = points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)
    middle, apart = (left + right) / 2, float(np.linalg.norm(right - left))
    across = (right - left) / max(apart, 1e-6)
    height = float(np.linalg.norm(points[CHIN] - middle))
    # The eyes of a turned head are close together; its face is not as narrow.
    width = max(apart, 0.495 * height)
    axes = np.array([across * width / EYES_APART, np.array([-across[1], across[0]]) * height / EYES_TO_CHIN]).T
    matrix = np.hstack([axes, (middle - axes @ np.array(EYES))[:, None]])
    coarse = int(width / EYES_APART)
    source = rgb
    if width / EYES_APART > 1.6:
        # Many pixels to one would alias. No more of the photo is blurred than is looked at.
        corners = np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]]) @ axes.T + matrix[:, 2]
        near = Region.around(corners, coarse + 2, rgb.shape)
        if near.width and near.height:
            matrix[:, 2] -= [near.x0, near.y0]
            source = cv2.blur(np.ascontiguousarray(rgb[near.slices]), (coarse, coarse))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(source, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE))
