"""The weights of dlib's face detection network, read out of dlib's file.

The file (`mmod_human_face_detector.dat`, Davis King, 2017; in the public domain) is what `dlib::serialize` makes of the
network (dlib/dnn/core.h, layers.h, loss.h and input.h; Boost licence): each part's name before its values, the
detector's settings first and then the layers in the order they are applied, from the picture on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synth.arrays import FloatArray
from synth.errors import ModelFileError
from synth.pyramid import Float32Array

LAYERS = ((3, 16, 5), (16, 32, 5), (32, 32, 5), (32, 45, 5), (45, 45, 5), (45, 45, 5), (45, 1, 9))
"""Channels in, channels out and side of each convolution's filters."""


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution with the scale and offset that follow in it.

    Attributes:
        weight: (k, k, I, O) float32, row, column, channel in, channel out.
        bias: (O,) float32.
        stride: pixels between one place and the next.
        padding: pixels of zeros on every side.
    """

    weight: Float32Array
    bias: Float32Array
    stride: int
    padding: int


@dataclass(frozen=True, eq=False)
class Stored:
    """What the file says.

    Attributes:
        window: side in pixels of the faces that the network answers to.
        overlap: of two findings whose boxes share more of the box around both, one is dropped; 0 to 1.
        mean: (3,) float32, taken from red, green and blue.
        layers: the convolutions in order; all but the last are followed by a ReLU.
    """

    window: int
    overlap: float
    mean: Float32Array
    layers: tuple[Convolution, ...]


def read_network(path: Path) -> Stored:
    """The network in dlib's file.

    Raises:
        ModelFileError: the file is another, or can't be read.
    """
    try:
        return _read(_Reader(Path(path).read_bytes()))
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise ModelFileError(
            f"{Path(path).name} is not dlib's face detection model ({error}): install the package "
            "face-recognition-models anew"
        ) from error


def _read(stored: _Reader) -> Stored:
    stored.skip_past(b"loss_mmod_")
    stored.version(1)
    width, height = stored.integer(), stored.integer()
    if width != height or width < 1:
        raise ValueError(f"a window of {width}x{height} pixels")
    # What a false alarm, a missed face and a match counted for in training; only the overlaps count now.
    _, _, _, overlap, covered = (stored.real() for _ in range(5))
    if not 0 < overlap < 1 or covered != 1:
        raise ValueError(f"overlaps of {overlap} and {covered}")
    stored.skip_past(b"input_rgb_image_pyramid")
    mean = np.array([stored.real() for _ in range(3)], dtype=np.float32)
    return Stored(width, overlap, mean, tuple(_layer(stored, each) for each in LAYERS))


def _layer(stored: _Reader, form: tuple[int, int, int]) -> Convolution:
    come, to, side = form
    stored.skip_past(b"con_4")
    values = stored.tensor(to * come * side * side + to)
    filters, *sides, stride, across, padding, beside = (stored.integer() for _ in range(7))
    if filters != to or sides != [side, side] or stride != across or padding != beside or stride < 1 or padding < 0:
        raise ValueError("a convolution of another form")
    weight, bias = values[:-to].reshape(to, come, side, side).astype(np.float64), values[-to:].astype(np.float64)
    if form is not LAYERS[-1]:
        gain, offset = _scale(stored, to)
        weight, bias = weight * gain[:, None, None, None], bias * gain + offset
    ordered = np.ascontiguousarray(weight.transpose(2, 3, 1, 0), dtype=np.float32)
    return Convolution(ordered, bias.astype(np.float32), stride, padding)


def _scale(stored: _Reader, channels: int) -> tuple[FloatArray, FloatArray]:
    """(channels,) scale and offset of a batch normalisation: what its running means and variances make of it."""
    stored.skip_past(b"bn_con2")
    gamma, beta = stored.tensor(2 * channels).astype(np.float64).reshape(2, channels)
    for _ in range(2):  # where the two lie among those values
        stored.version(1)
        for _ in range(4):
            stored.integer()
    for _ in range(2):  # means and deviations of the last batch that it was trained with
        stored.tensor()
    means, variances = stored.tensor(channels).astype(np.float64), stored.tensor(channels).astype(np.float64)
    for _ in range(2):  # how many batches it saw, and how many count
        stored.integer()
    *_, least = (stored.real() for _ in range(5))
    if not (variances + least > 0).all():
        raise ValueError("variances below zero")
    gain = gamma / np.sqrt(variances + least)
    return gain, beta - gain * means


class _Reader:
    """Reads dlib's values one after the other."""

    def __init__(self, stored: bytes) -> None:
        self._stored, self._at = stored, 0

    def skip_past(self, name: bytes) -> None:
        """To what follows the next such name, which is stored with its length before it."""
        self._at = self._stored.index(bytes([len(name)]) + name, self._at) + 1 + len(name)

    def integer(self) -> int:
        """A byte for its length, of which the highest bit is the sign, and then its bytes, the least first."""
        head = self._stored[self._at]
        length = head & 0x7F
        if not 1 <= length <= 8 or self._at + length >= len(self._stored):
            raise ValueError("an integer of unknown form")
        value = int.from_bytes(self._stored[self._at + 1 : self._at + 1 + length], "little")
        self._at += 1 + length
        return -value if head & 0x80 else value

    def version(self, expected: int) -> None:
        found = self.integer()
        if found != expected:
            raise ValueError(f"values of version {found}")

    def real(self) -> float:
        """A number as its digits, a whole number, and the power of two that they are multiplied by."""
        digits, power = self.integer(), self.integer()
        if abs(power) > 1000:
            raise ValueError("a number that is none")
        return float(digits * 2.0**power)

    def tensor(self, count: int | None = None) -> Float32Array:
        """Its values, flat: its version, its four sizes, and little-endian float32; so many, if that is told."""
        self.version(2)
        sizes = [self.integer() for _ in range(4)]
        found = int(np.prod(sizes))
        if found < 0 or (count is not None and found != count):
            raise ValueError(f"{found} values instead of {count}")
        values = np.frombuffer(self._stored, "<f4", found, self._at)
        if not np.isfinite(values).all():
            raise ValueError("values that are no numbers")
        self._at += 4 * found
        return values.astype(np.float32)
