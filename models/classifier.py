"""The classifier: a timm model by name, with as many numbers for a photo as its layout has."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from models.errors import UnknownModelError, WeightsError
from models.heads import Layout
from models.weights import load_weights

_EXAMPLES = "Names look like resnet18 or efficientnet_b3"


@dataclass(frozen=True)
class Built:
    """A model ready to train, and what it needs to know of itself.

    Attributes:
        network: maps (B, 3, S, S) float32, normalised RGB, to (B, `layout.n_outputs`) logits.
        mean: of each colour, to subtract, for values 0..1; the model's own from timm.
        std: to divide by.
        origin: where its weights came from: `scratch`, `file:NAME`, or `timm:NAME`.
        licence: of the published weights, where timm states one.
    """

    network: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    origin: str
    licence: str | None


def build_classifier(
    model: str,
    layout: Layout,
    image_size: int,
    *,
    pretrained: bool = False,
    weights: Path | None = None,
    any_size: bool = False,
) -> Built:
    """Builds a classifier by a timm model's name.

    Heads are one last layer, as wide as they need: linear answers from one shared body.

    Args:
        model: with or without timm's tag of the weights, as in `resnet18.a1_in1k`.
        layout: what its numbers stand for.
        image_size: side of the square it will see, pixels; models of a fixed size are built for it.
        pretrained: start from timm's published weights, fetched from its hub.
        weights: start from a local file.
        any_size: let a model that is made for one size take other sizes, too; its weights are the same.

    Raises:
        UnknownModelError: timm has no such model, or it can't be built for that size.
        WeightsError: weights could not be fetched or don't fit.
    """
    check_model_name(model)
    network = _create(model, layout, image_size, pretrained, any_size)
    origin = f"timm:{model}" if pretrained else "scratch"
    if weights is not None:
        load_weights(network, weights)
        origin = f"file:{Path(weights).name}"
    config: dict[str, Any] = network.pretrained_cfg
    return Built(
        network=network,
        mean=_three(config.get("mean"), (0.485, 0.456, 0.406)),
        std=_three(config.get("std"), (0.229, 0.224, 0.225)),
        origin=origin,
        licence=config.get("license") if pretrained else None,
    )


def check_model_name(model: str) -> None:
    """Raises UnknownModelError, with the nearest names, unless timm knows the model.

    Names that make timm read elsewhere (`hf-hub:`, `local-dir:`) are no model's names.
    """
    base, _, tag = model.partition(".")
    if ":" in model or "/" in model or not timm.is_model(base):
        raise UnknownModelError(f"timm has no model named {model!r}. {_nearest(base)}")
    if tag and model not in timm.list_pretrained(f"{base}.*"):
        tags = ", ".join(timm.list_pretrained(f"{base}.*")) or "none"
        raise UnknownModelError(f"{base} has no weights tagged {tag!r}; its tags: {tags}")


def _nearest(name: str) -> str:
    known = timm.list_models()
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.6) or [each for each in known if name and name in each]
    return f"Near it: {', '.join(near[:5])}" if near else _EXAMPLES


def _create(model: str, layout: Layout, image_size: int, pretrained: bool, any_size: bool) -> Any:
    options: dict[str, Any] = {"num_classes": layout.n_outputs}
    known = timm.get_pretrained_cfg(model)
    if known is not None and known.fixed_input_size:
        options["img_size"] = image_size
        if any_size:
            options["dynamic_img_size"] = True
    try:
        network = timm.create_model(model, pretrained=pretrained, **options)
    except Exception as error:  # timm, torch and the hub raise a dozen kinds
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        if pretrained:
            raise WeightsError(
                f"the published weights of {model} could not be fetched ({reason}): "
                "give a local file with weights, or train from scratch"
            ) from error
        raise UnknownModelError(f"{model} can't be built for photos of {image_size} pixels ({reason})") from error
    try_out(network, model, image_size)
    return network


def try_out(network: nn.Module, model: str, image_size: int) -> None:
    """One photo through the network, so that a size it can't take shows now and not after the photos are read.

    Raises:
        UnknownModelError: it takes no photos of that size.
    """
    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, image_size, image_size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise UnknownModelError(
            f"{model} does not take photos of {image_size} x {image_size} pixels ({reason}): choose another image_size"
        ) from error


def _three(values: Any, default: tuple[float, float, float]) -> tuple[float, float, float]:
    if values is None or len(values) != 3:
        return default
    return float(values[0]), float(values[1]), float(values[2])
