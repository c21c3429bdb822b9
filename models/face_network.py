"""dlib's face recognition network run by torch: the same numbers some five times faster, and what lies before them.

dlib multiplies matrices with code of its own where it is built without a BLAS, as its wheels are. Only its weights are
read here; its file keeps each layer's name before the layer's values, and the layers in the order they are applied.

The network (Davis King, 2017; weights in the public domain) is a ResNet of 29 convolutions for faces of 150 pixels,
each followed by a scale and offset that stem from batch normalisation and are folded into the convolution here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.errors import EmbeddingError

if TYPE_CHECKING:
    import torch

CHIP_SIZE = 150
"""Side in pixels of the pictures that the network takes."""

# Channels of each residual block's two convolutions; those in _HALVING have a stride of 2.
_BLOCKS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
_HALVING = (3, 7, 10, 13)
_FIRST, _EMBEDDING = 32, 128
# What dlib takes from red, green and blue, and then divides by.
_MEAN, _SCALE = (122.782, 117.001, 104.298), 256.0


class FaceNetwork:
    """The network with its weights.

    Args:
        path: of `dlib_face_recognition_resnet_model_v1.dat`.

    Raises:
        EmbeddingError: the file is another, or torch is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import torch
        except ImportError as error:
            raise EmbeddingError("running the face network takes torch: install the extra `train`") from error
        convolutions, last = read_weights(path)
        self._layers = [(torch.from_numpy(weight), torch.from_numpy(bias)) for weight, bias in convolutions]
        self._last = torch.from_numpy(last)

    def run(self, chips: NDArray[np.uint8]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """What the network makes of faces; on one thread, so that several processes share a machine's cores.

        Args:
            chips: (N, 150, 150, 3) uint8, RGB, faces as `dlib.get_face_chip` aligns them with its padding of 0.25.

        Returns:
            The embeddings, (N, 128) float32, within 1e-5 of dlib's; and what each of the 14 blocks puts out, (N, C, H,
            W) float32, from 32 channels of 35x35 to 256 of 2x2.
        """
        import torch

        with _one_thread(), torch.inference_mode():
            maps = list(self._blocks(torch.from_numpy(chips)))
            embeddings = maps[-1].mean((2, 3)) @ self._last
            return embeddings.numpy(), [each.contiguous().numpy() for each in maps]

    def _blocks(self, chips: torch.Tensor) -> Iterator[torch.Tensor]:
        import torch
        import torch.nn.functional as functional

        x = (chips.permute(0, 3, 1, 2).float() - torch.tensor(_MEAN).view(1, 3, 1, 1)) / _SCALE
        x = x.contiguous(memory_format=torch.channels_last)
        x = functional.max_pool2d(functional.conv2d(x, *self._layers[0], stride=2).relu(), 3, 2)
        for block in range(len(_BLOCKS)):
            first, second = self._layers[1 + 2 * block], self._layers[2 + 2 * block]
            if block in _HALVING:
                y = functional.conv2d(functional.conv2d(x, *first, stride=2).relu(), *second, padding=1)
                x = _sum(y, functional.avg_pool2d(x, 2))
            else:
                y = functional.conv2d(functional.conv2d(x, *first, padding=1).relu(), *second, padding=1)
                x = x + y
            x = x.relu()
            yield x


def _sum(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The sum as dlib forms it: whichever has fewer channels, rows or columns is zero there."""
    from torch.nn.functional import pad

    shape = [max(sizes) for sizes in zip(one.shape[1:], other.shape[1:], strict=True)]

    def grown(x: torch.Tensor) -> torch.Tensor:
        channels, rows, columns = (whole - own for whole, own in zip(shape, x.shape[1:], strict=True))
        return pad(x, (0, columns, 0, rows, 0, channels))

    return grown(one) + grown(other)


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def read_weights(path: Path) -> tuple[list[tuple[NDArray[np.float32], NDArray[np.float32]]], NDArray[np.float32]]:
    """The weights in dlib's file.

    Args:
        path: of `dlib_face_recognition_resnet_model_v1.dat`.

    Returns:
        Weight (O, I, k, k) and bias (O,) of each of the 29 convolutions, with the scale that follows in them; and the
        last layer's (256, 128). All float32.

    Raises:
        EmbeddingError: the file is another.
    """
    try:
        stored = Path(path).read_bytes()
        convolutions = [_values(stored, at) for at in _places(stored, b"\x05con_4")]
        scales = [_values(stored, at) for at in _places(stored, b"\x07affine_")]
        last = _values(stored, _after_integers(stored, _places(stored, b"\x04fc_2")[0], 2))
        layers = list(_folded(convolutions, scales))
        return layers, last.reshape(_BLOCKS[-1], _EMBEDDING)
    except (OSError, ValueError, IndexError) as error:
        raise EmbeddingError(
            f"{Path(path).name} is not dlib's face recognition model ({error}): pass the place of "
            "dlib_face_recognition_resnet_model_v1.dat"
        ) from error


def _folded(
    convolutions: list[NDArray[np.float32]], scales: list[NDArray[np.float32]]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    outputs = [_FIRST, *(channels for channels in _BLOCKS for _ in range(2))]
    inputs = [3, *outputs[:-1]]
    sides = [7] + [3] * (len(outputs) - 1)
    for values, scale, to, come, side in zip(convolutions, scales, outputs, inputs, sides, strict=True):
        gain, offset = scale.reshape(2, to)
        weight, bias = values[:-to].reshape(to, come, side, side), values[-to:]
        yield weight * gain[:, None, None, None], bias * gain + offset


def _places(stored: bytes, name: bytes) -> list[int]:
    """Where what follows each layer of a name begins. A name is stored with its length before it."""
    places, at = [], stored.find(name)
    while at >= 0:
        places.append(at + len(name))
        at = stored.find(name, at + len(name))
    return places


def _integer(stored: bytes, at: int) -> tuple[int, int]:
    """An integer as dlib stores it, a byte for its length and then its bytes, the least first; and where it ends."""
    length = stored[at]
    if not 1 <= length <= 8:
        raise ValueError("an integer of unknown form")
    return int.from_bytes(stored[at + 1 : at + 1 + length], "little"), at + 1 + length


def _after_integers(stored: bytes, at: int, count: int) -> int:
    for _ in range(count):
        _, at = _integer(stored, at)
    return at


def _values(stored: bytes, at: int) -> NDArray[np.float32]:
    """A tensor's values, flat: its version, its four sizes, and little-endian float32."""
    version, at = _integer(stored, at)
    if version != 2:
        raise ValueError(f"tensors of version {version}")
    sizes = []
    for _ in range(4):
        size, at = _integer(stored, at)
        sizes.append(size)
    return np.frombuffer(stored, "<f4", int(np.prod(sizes)), at).astype(np.float32)
