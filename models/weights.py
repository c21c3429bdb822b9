"""Weights from a local file, fitted to a model that may have another number of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.errors import WeightsError

_WRAPPERS = ("state_dict_ema", "state_dict", "model_state_dict", "model_ema", "model")
_PREFIXES = ("module.", "_orig_mod.", "network.", "backbone.", "model.")
# Under half of the model filled means weights of another model, not another head.
_MIN_SHARE = 0.5

State = dict[str, torch.Tensor]


def load_weights(model: nn.Module, path: Path) -> list[str]:
    """Fills a model from a file, all but what differs in shape (the classes of another task, say).

    Args:
        model: changed in place.
        path: safetensors, or a torch state dict (read with `weights_only=True`, so that it can run no code).

    Returns:
        Names of the model's tensors that the file did not fill.

    Raises:
        WeightsError: the file is missing or broken, or fills less than half of the model.
    """
    held = {_bare(name): tensor for name, tensor in read_state(path).items()}
    wanted = model.state_dict()
    fitting = {name: held[name] for name, mine in wanted.items() if name in held and held[name].shape == mine.shape}
    filled = sum(wanted[name].numel() for name in fitting)
    total = sum(tensor.numel() for tensor in wanted.values())
    if filled < _MIN_SHARE * total:
        raise WeightsError(
            f"{path} fills {filled / max(total, 1):.0%} of the model: it holds another model's weights. "
            "Name the model they were trained with"
        )
    model.load_state_dict(fitting, strict=False)
    return sorted(set(wanted) - set(fitting))


def read_state(path: Path) -> State:
    """Tensors by name from a safetensors or torch file.

    Raises:
        WeightsError: the file is missing, broken, or holds anything but tensors.
    """
    if not Path(path).is_file():
        raise WeightsError(f"no weights at {path}: give a safetensors file or a torch state dict")
    try:
        held = _read_safetensors(path) if Path(path).suffix == ".safetensors" else _read_torch(path)
    except Exception as error:  # the two readers raise a dozen kinds on damaged files
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path} holds no readable weights ({reason[:200]})") from error
    for key in _WRAPPERS:
        if isinstance(held, dict) and isinstance(held.get(key), dict):
            held = held[key]
            break
    tensors = {name: value for name, value in held.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no tensors by name: give a safetensors file or a torch state dict")
    return tensors


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _read_torch(path: Path) -> Any:
    held = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(held, dict):
        raise TypeError(f"it holds a {type(held).__name__}, not tensors by name")
    return held


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
