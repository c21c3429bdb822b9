"""dlib's face recognition network run by onnxruntime: the same numbers twelve times faster, and what lies before.

dlib multiplies matrices with code of its own where it is built without a BLAS, as its wheels are. Only its weights are
read here; its file keeps each layer's name before the layer's values, and the layers in the order they are applied.

The network (Davis King, 2017; weights in the public domain) is a ResNet of 29 convolutions for faces of 150 pixels,
each followed by a scale and offset that stem from batch normalisation and are folded into the convolution here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import EmbeddingError

if TYPE_CHECKING:
    from onnx import ModelProto

CHIP_SIZE = 150
"""Side in pixels of the pictures that the network takes."""

# Channels of each residual block's two convolutions; those in _HALVING have a stride of 2.
_BLOCKS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
_HALVING = (3, 7, 10, 13)
_FIRST, _EMBEDDING = 32, 128
# What dlib takes from red, green and blue, and then divides by.
_MEAN, _SCALE = (122.782, 117.001, 104.298), 256.0
_CHIPS = "chips"
# Old enough for every onnxruntime that the extra admits.
_OPSET, _FORMAT = 17, 8

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weight (O, I, k, k) and bias (O,) of a convolution."""


class FaceNetwork:
    """The network with its weights, on one thread, so that several processes share a machine's cores.

    Args:
        path: of `dlib_face_recognition_resnet_model_v1.dat`.
        blocks: which of its 14 residual blocks tell what they put out, 0 to 13; each that does costs a little.

    Raises:
        EmbeddingError: the file is another, or onnx or onnxruntime is not installed.
    """

    def __init__(self, path: Path, blocks: Sequence[int] = ()) -> None:
        convolutions, last = read_weights(path)
        try:
            from models.onnx_session import start_built

            self._session: Any = start_built(_Graph(convolutions, last).model(blocks))
        except ModuleNotFoundError as error:
            raise EmbeddingError(
                "running the face network takes onnx and onnxruntime: install the extra `train`"
            ) from error

    def run(self, chips: NDArray[np.uint8]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """What the network makes of faces.

        Args:
            chips: (N, 150, 150, 3) uint8, RGB, faces as `dlib.get_face_chip` aligns them with its padding of 0.25.

        Returns:
            The embeddings, (N, 128) float32, within 1e-5 of dlib's; and of each block asked for (N, C, H, W) float32,
            from 32 channels of 35x35 to 256 of 2x2.
        """
        embeddings, *maps = self._session.run(None, {_CHIPS: chips})
        return embeddings, maps


class _Graph:
    """The network as an ONNX model, put together layer after layer."""

    def __init__(self, convolutions: Sequence[Layer], last: NDArray[np.float32]) -> None:
        self._convolutions, self._last = convolutions, last
        self._nodes: list[Any] = []
        self._held: list[Any] = []

    def model(self, blocks: Sequence[int]) -> ModelProto:
        from onnx import TensorProto, helper

        x = self._add("Cast", _CHIPS, to=TensorProto.FLOAT)
        x = self._add("Sub", x, self._hold(np.array(_MEAN, dtype=np.float32)))
        x = self._add("Mul", x, self._hold(np.array(1 / _SCALE, dtype=np.float32)))
        x = self._convolved(self._add("Transpose", x, perm=[0, 3, 1, 2]), 0, strides=[2, 2])
        x = self._add("MaxPool", self._add("Relu", x), kernel_shape=[3, 3], strides=[2, 2])
        told, side, channels = {}, _halved(_halved(CHIP_SIZE, 7), 3), _FIRST
        for block, wider in enumerate(_BLOCKS):
            x, side = self._block(x, block, channels, side)
            channels = wider
            told[block] = (x, [wider, side, side])
        flat = self._add("ReduceMean", x, axes=[2, 3], keepdims=0)
        shapes = [(self._add("MatMul", flat, self._hold(self._last)), [_EMBEDDING])]
        shapes += [told[block] for block in blocks]
        graph = helper.make_graph(
            self._nodes,
            "face",
            [helper.make_tensor_value_info(_CHIPS, TensorProto.UINT8, ["N", CHIP_SIZE, CHIP_SIZE, 3])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in shapes],
            self._held,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_FORMAT)

    def _block(self, x: str, block: int, channels: int, side: int) -> tuple[str, int]:
        """A residual block on (N, channels, side, side): its output's name and side."""
        first, second, wider = 1 + 2 * block, 2 + 2 * block, _BLOCKS[block]
        if block not in _HALVING:
            y = self._convolved(self._add("Relu", self._convolved(x, first, pads=[1] * 4)), second, pads=[1] * 4)
            return self._add("Relu", self._add("Add", x, y)), side
        y = self._convolved(self._add("Relu", self._convolved(x, first, strides=[2, 2])), second, pads=[1] * 4)
        past = self._add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        # dlib's sum: whichever has fewer channels, rows or columns is zero there.
        mine, theirs = _halved(side, 3), side // 2
        grown = max(mine, theirs)
        y, past = self._grown(y, 0, grown - mine), self._grown(past, wider - channels, grown - theirs)
        return self._add("Relu", self._add("Add", y, past)), grown

    def _convolved(self, x: str, layer: int, **how: list[int]) -> str:
        weight, bias = self._convolutions[layer]
        return self._add("Conv", x, self._hold(weight), self._hold(bias), kernel_shape=list(weight.shape[2:]), **how)

    def _grown(self, x: str, channels: int, sides: int) -> str:
        if not channels and not sides:
            return x
        return self._add("Pad", x, self._hold(np.array([0, 0, 0, 0, 0, channels, sides, sides], dtype=np.int64)))

    def _hold(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._held.append(numpy_helper.from_array(np.ascontiguousarray(values), f"w{len(self._held)}"))
        return str(self._held[-1].name)

    def _add(self, kind: str, *inputs: str, **how: Any) -> str:
        from onnx import helper

        name = f"x{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **how))
        return name


def _halved(side: int, kernel: int) -> int:
    """What a window that moves by 2 and has no margin leaves of a side."""
    return (side - kernel) // 2 + 1


def read_weights(path: Path) -> tuple[list[Layer], NDArray[np.float32]]:
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


def _folded(convolutions: list[NDArray[np.float32]], scales: list[NDArray[np.float32]]) -> Iterator[Layer]:
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
