"""dlib's face detection network in numpy: the same findings some ten times faster.

dlib multiplies matrices with code of its own where it is built without a BLAS, as its wheels are; numpy's have one.
Only the weights are read out of dlib's file (`synth.network_file`). What is done with them follows dlib's
`cnn_face_detection_model_v1` (tools/python/src/cnn_face_detector.cpp, dlib/dnn/loss.h: `loss_mmod_`; Boost licence):
three convolutions that halve the sides, three that don't, and one that tells a score for every eighth pixel of a canvas
on which the picture lies in all sizes (`synth.pyramid`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.network_file import Convolution, read_network
from synth.pyramid import Float32Array, drawn, laid_out

DIGITS = 4
"""Decimals that scores are kept to: further ones depend on how the BLAS shares its sums between threads."""

SCALE = 256.0
"""What dlib divides colours by once their mean is taken off."""

STRIPE = 2**18
"""So many numbers are written side by side for one product of matrices: as many as the processor's cache holds."""


class FaceNetwork:
    """The network with its weights.

    Args:
        path: of `mmod_human_face_detector.dat`.

    Raises:
        ModelFileError: the file is another.
    """

    def __init__(self, path: Path) -> None:
        self._stored = read_network(path)

    def find(self, rgb: RgbImage) -> list[tuple[FloatArray, float]]:
        """The faces in a picture, the surest first.

        Args:
            rgb: (H, W, 3) uint8, RGB, of at least 32 pixels a side.

        Returns:
            Box (left, top, right, bottom; whole pixels, the last two within the box) and score, above 0, of each.
        """
        layout = laid_out(*rgb.shape[:2])
        picture = (rgb.astype(np.float32) - self._stored.mean) / np.float32(SCALE)
        scores = np.round(self._scores(drawn(picture, layout)).astype(np.float64), DIGITS)
        rows, columns = np.nonzero(scores > 0)
        middles = self._middles(np.stack([columns, rows], axis=1))
        half = (self._stored.window - 1) / 2
        boxes = layout.to_picture(np.hstack([middles - half, middles + half]))
        return list(self._apart(boxes, scores[rows, columns]))

    def _scores(self, x: Float32Array) -> Float32Array:
        """(h, w) of a canvas (H, W, 3)."""
        for layer in self._stored.layers[:-1]:
            x = convolved(x, layer, 0)
        return convolved(x, self._stored.layers[-1])[:, :, 0]

    def _middles(self, places: FloatArray) -> FloatArray:
        """(N, 2) places x, y among the scores to the pixels of the canvas that they look at the middle of."""
        for layer in reversed(self._stored.layers):
            places = places * layer.stride - layer.padding + len(layer.weight) // 2
        return places

    def _apart(self, boxes: FloatArray, scores: FloatArray) -> Iterator[tuple[FloatArray, float]]:
        """Without those that overlap with a surer one."""
        left = np.argsort(-scores, kind="stable")
        while len(left):
            best, left = left[0], left[1:]
            yield boxes[best], float(scores[best])
            left = left[_overlaps(boxes[best], boxes[left]) <= self._stored.overlap]


def _overlaps(box: FloatArray, others: FloatArray) -> FloatArray:
    """Area shared with each of (N, 4) other boxes, as a share of the smallest box around both."""

    def area(low: FloatArray, high: FloatArray) -> FloatArray:
        return np.asarray(np.maximum(high - low + 1, 0).prod(axis=1))

    low, high = others[:, :2], others[:, 2:]
    shared = area(np.maximum(low, box[:2]), np.minimum(high, box[2:]))
    return shared / area(np.minimum(low, box[:2]), np.maximum(high, box[2:]))


def convolved(x: Float32Array, layer: Convolution, least: float = -np.inf) -> Float32Array:
    """A convolution as products of matrices, a stripe of rows at a time.

    Args:
        x: (H, W, I) float32.
        layer: the convolution.
        least: what lower values are raised to.

    Returns:
        (h, w, O) float32.
    """
    side, _, channels, out = layer.weight.shape
    step, edge = layer.stride, layer.padding
    x = np.pad(x, ((edge, edge), (edge, edge), (0, 0))) if edge else np.ascontiguousarray(x)
    height, width = ((size - side) // step + 1 for size in x.shape[:2])
    down, across, single = x.strides
    # Pixels of a row that a filter meets lie side by side, all their channels together.
    seen = np.lib.stride_tricks.as_strided(
        x, (height, width, side, side * channels), (down * step, across * step, down, single), writeable=False
    )
    weight = layer.weight.reshape(-1, out)
    rows = max(STRIPE // (width * len(weight)), 1)
    result = np.empty((height, width, out), dtype=np.float32)
    for first in range(0, height, rows):
        stripe = result[first : first + rows].reshape(-1, out)
        np.matmul(seen[first : first + rows].reshape(-1, len(weight)), weight, out=stripe)
        stripe += layer.bias
        np.maximum(stripe, least, out=stripe)
    return result
