"""The one module that runs onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import OnnxError, SettingsError
from models.settings import Device

if TYPE_CHECKING:
    from onnx import ModelProto

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
_ERRORS_ONLY: Final = 3


def start_session(path: Path, device: Device) -> Any:
    """An onnxruntime session; `OMP_NUM_THREADS` is obeyed where it is set.

    Raises:
        ModuleNotFoundError: the extra `onnx` is not installed.
        OnnxError: the file is missing or no ONNX model.
        SettingsError: a GPU was asked for and this onnxruntime has none.
    """
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "cuda" and _CUDA not in there:
        raise SettingsError("device is cuda, and onnxruntime sees no GPU here: choose auto or cpu")
    if not Path(path).is_file():
        raise OnnxError(f"no model at {path}: give the file that palette export-model wrote")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
    providers = [_CPU] if device == "cpu" else [each for each in (_CUDA, _CPU) if each in there]
    try:
        return onnxruntime.InferenceSession(Path(path).read_bytes(), options, providers=providers)
    except Exception as error:  # onnxruntime raises a dozen kinds on damaged files
        raise OnnxError(f"{path} is no ONNX model that can be read ({str(error).splitlines()[0][:200]})") from error


def start_built(model: ModelProto) -> Any:
    """A session of a model that was put together just now, on one thread of the processor.

    Raises:
        ModuleNotFoundError: onnxruntime is not installed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=[_CPU])


def run_session(session: Any, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """What a model of ours says of (N, size, size, 3) uint8 RGB, by the names of its outputs."""
    names, given = [output.name for output in session.get_outputs()], session.get_inputs()[0].name
    return {
        name: np.asarray(each, dtype=np.float64)
        for name, each in zip(names, session.run(names, {given: pixels}), strict=True)
    }
