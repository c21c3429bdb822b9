"""Where models looked when they were wrong: Grad-CAM over the photos of the worst sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.scoring.inputs import Scored

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from models.checkpoint import CheckpointConfig
    from models.data import Examples
    from models.settings import Crop

_DEEPEST = 0.6
"""How much of a photo the loudest place covers."""


def overlays(scored: Scored, rows: Sequence[int]) -> dict[int, Image.Image]:
    """Photos as their model saw them, tinted where they speak for what was answered.

    Each photo is shown to the model that answered it. Photos that can't be read, those of folds whose model is not at
    hand, and models that Grad-CAM can't look into are left out.

    Args:
        scored: With the manifest's rows.
        rows: Which to show.
    """
    shown: dict[int, Image.Image] = {}
    if scored.rows is None or scored.folds is None:
        return shown
    for fold, checkpoint in sorted(scored.checkpoints.items()):
        shown |= _of_one_model(scored, [row for row in rows if scored.folds[row] == fold], checkpoint)
    return shown


def _of_one_model(scored: Scored, rows: Sequence[int], checkpoint: Path) -> dict[int, Image.Image]:
    import torch

    from models.attribution import grad_cam
    from models.checkpoint import load_checkpoint
    from models.data import PhotoDataset
    from models.errors import AttributionError
    from models.sampling import Draw
    from models.transforms import PhotoTransform

    if not rows:
        return {}
    network, config = load_checkpoint(checkpoint)
    transform = PhotoTransform(config.image_size, config.mean, config.std)
    photos = PhotoDataset(_examples(scored, rows, config.crop), transform, config.image_size, "score")
    shown = {}
    for at, row in enumerate(rows):
        image = photos[Draw(at, 0)].image
        if image is None:
            continue
        batch = torch.from_numpy(image)[None]
        try:
            heat = grad_cam(network, batch, scored.answers[row][None], layout=config.layout)[0]
        except AttributionError:
            return {}
        shown[row] = tinted(_rgb(batch[0], config), heat)
    return shown


def _examples(scored: Scored, rows: Sequence[int], crop: Crop) -> Examples:
    """The rows as the model reads them: cut about the face where it was trained so."""
    from dataclasses import replace

    from models.boxes import read_boxes
    from models.data import Examples

    assert scored.rows is not None  # noqa: S101  looked at by overlays
    root, chosen = scored.root or Path(), scored.rows.iloc[list(rows)]
    ids = tuple(map(str, chosen["photo_id"]))
    examples = Examples.unlabelled([root / str(path) for path in chosen["path"]], ids)
    if crop != "face":
        return examples
    return replace(examples, boxes=read_boxes(root, ids, tuple(map(str, chosen["sha256"]))))


def _rgb(image: torch.Tensor, config: CheckpointConfig) -> NDArray[np.float64]:
    """(S, S, 3) RGB of 0..1 of a normalised (3, S, S) photo."""
    raw = image.double().numpy().transpose(1, 2, 0) * np.array(config.std) + np.array(config.mean)
    clipped: NDArray[np.float64] = np.clip(raw, 0.0, 1.0)
    return clipped


def tinted(rgb: NDArray[np.float64], heat: NDArray[np.float32]) -> Image.Image:
    """A photo, tinted from dark to bright where heat is, on a tile's paper.

    Args:
        rgb: (S, S, 3) of 0..1.
        heat: (S, S) of 0..1; where it is 0 the photo stays as it is.
    """
    from matplotlib import colormaps
    from PIL import Image, ImageOps

    from synth.sheet import PAPER, TILE

    share = (_DEEPEST * heat.astype(np.float64))[:, :, None]
    colours = np.asarray(colormaps["inferno"](heat))[:, :, :3]
    mixed = np.rint(255 * (rgb * (1 - share) + colours * share)).astype(np.uint8)
    return ImageOps.pad(Image.fromarray(mixed), TILE, Image.Resampling.LANCZOS, color=PAPER)
