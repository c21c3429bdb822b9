"""Untrained checkpoints of known differences, and photos to ask them about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from models.checkpoint import CheckpointConfig, save_checkpoint
from models.classifier import build_classifier
from models.data import Examples
from models.heads import HEADS, Layout
from models.settings import AgeAs, Crop, Head
from tests.models.builders import colour_coded


def checkpoint_at(
    path: Path,
    seed: int = 0,
    head: Head = "single",
    parts: tuple[str, ...] = HEADS,
    *,
    age_as: AgeAs = "classes",
    image_size: int = 32,
    model: str = "test_resnet",
    crop: Crop = "middle",
) -> Path:
    """An untrained model's checkpoint; the seed decides its weights. Its last layer is made to answer with decision."""
    torch.manual_seed(seed)
    built = build_classifier(model, Layout(head, parts, age_as), image_size)
    state = built.network.state_dict()
    for name in [name for name in state if name.startswith(("fc.", "head."))][-2:]:
        state[name] = state[name] + 0.5 * torch.randn(state[name].shape)
    config = CheckpointConfig(model, head, image_size, built.mean, built.std, 4, parts=parts, age_as=age_as, crop=crop)
    return save_checkpoint(path, state, config)


def photos_at(folder: Path, count: int = 6, seed: int = 0) -> Examples:
    """Colour-coded photos, as examples of which nothing is known."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{at}.png" for at in range(count)]
    for at, path in enumerate(paths):
        Image.fromarray(colour_coded(at % 18, rng)).save(path)
    return Examples.unlabelled(paths, [path.name for path in paths])
