"""A trained classifier in one safetensors file, its description as JSON in the file's metadata."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from datasets.atomic import atomic_write
from datasets.labels import N_LABELS, label_name
from models.classifier import build_classifier
from models.errors import CheckpointError, ModelsError
from models.heads import HEADS, Layout
from models.settings import AgeAs, Crop, Head

FORMAT = 1
_KEY = "palette"
_MAX_SIZE = 2048


@dataclass(frozen=True)
class CheckpointConfig:
    """What it takes to build the classifier again and to use it as it was trained.

    Attributes:
        model: timm's name.
        head: `single` or `triple`.
        image_size: side of the square it sees, pixels.
        mean: of each colour, RGB, values 0..1.
        std: likewise.
        most_frequent: the commonest label of its training rows, 0..17.
        origin: where training started from (`scratch`, `file:NAME`, `timm:NAME`).
        licence: of the published weights it started from, where stated.
        epoch: the epoch kept, from 1.
        scores: `macro_f1` and `accuracy` of that epoch on the held-out people.
        parts: the heads it answers, of `models.heads.HEADS`.
        age_as: how it answers the age, of `models.heads.Layout`.
        crop: which square of a photo it sees: from its `middle`, or about its `face`.
        labels: names of the 18 labels, in order.
    """

    model: str
    head: Head
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    most_frequent: int
    origin: str = "scratch"
    licence: str | None = None
    epoch: int = 0
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    parts: tuple[str, ...] = HEADS
    age_as: AgeAs = "classes"
    crop: Crop = "middle"
    labels: tuple[str, ...] = tuple(label_name(label) for label in range(N_LABELS))

    def to_dict(self) -> dict[str, Any]:
        """The description as JSON takes it."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    @property
    def layout(self) -> Layout:
        """What the model's numbers stand for."""
        return Layout(self.head, self.parts, self.age_as)


def save_checkpoint(path: Path, state: dict[str, torch.Tensor], config: CheckpointConfig) -> Path:
    """Writes a model's tensors and its description, atomically; the same in gives the same bytes.

    Returns:
        The path.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    head = json.dumps(config.to_dict(), sort_keys=True)
    with atomic_write(Path(path), durable=True) as temporary:
        temporary.write_bytes(save(tensors, metadata={_KEY: head}))
    return Path(path)


def load_checkpoint(path: Path) -> tuple[nn.Module, CheckpointConfig]:
    """Builds the classifier of a checkpoint, on the CPU and ready to answer.

    Raises:
        CheckpointError: the file is missing or broken, is not one of ours, or its tensors don't fit its model.
    """
    config, tensors = _read(Path(path))
    try:
        network = build_classifier(config.model, config.layout, config.image_size).network
        network.load_state_dict(tensors)
    except (ModelsError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} can't be rebuilt with the timm installed here ({reason})") from error
    return network.eval(), config


def read_config(path: Path) -> CheckpointConfig:
    """The description alone; the same errors as `load_checkpoint`, but for the tensors."""
    return _read(Path(path), with_tensors=False)[0]


def _read(path: Path, *, with_tensors: bool = True) -> tuple[CheckpointConfig, dict[str, torch.Tensor]]:
    from safetensors import safe_open

    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: give the model.safetensors that training wrote")
    try:
        with safe_open(path, framework="pt") as held:
            metadata = held.metadata() or {}
            tensors = {name: held.get_tensor(name) for name in held.keys() if with_tensors}  # noqa: SIM118
    except Exception as error:  # safetensors' own errors, and the system's
        raise CheckpointError(
            f"{path} is not a readable safetensors file ({error}): train again or copy it again"
        ) from error
    if _KEY not in metadata:
        raise CheckpointError(f"{path} was not written by palette train: give its model.safetensors")
    try:
        config = _parse(json.loads(metadata[_KEY]))
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} describes no model this version knows ({error}): train again") from error
    return config, tensors


def _parse(values: dict[str, Any]) -> CheckpointConfig:
    if values.pop("format", None) != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    for name in {"mean", "std", "labels", "parts"} & values.keys():
        values[name] = tuple(values[name])
    config = CheckpointConfig(**values)
    if config.head not in get_args(Head) or not isinstance(config.model, str):
        raise ValueError(f"head {config.head!r} of model {config.model!r}")
    if config.age_as not in get_args(AgeAs) or not config.parts or not set(config.parts) <= set(HEADS):
        raise ValueError(f"parts {config.parts!r}, age as {config.age_as!r}")
    if config.crop not in get_args(Crop):
        raise ValueError(f"crop {config.crop!r}")
    if not isinstance(config.image_size, int) or not 16 <= config.image_size <= _MAX_SIZE:
        raise ValueError(f"image_size {config.image_size!r}")
    if config.labels != CheckpointConfig.labels or config.most_frequent not in range(N_LABELS):
        raise ValueError("its labels are not the 18 of this version")
    if not all(len(three) == 3 and all(map(math.isfinite, three)) for three in (config.mean, config.std)):
        raise ValueError(f"mean {config.mean!r}, std {config.std!r}")
    return config
