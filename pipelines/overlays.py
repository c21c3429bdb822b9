"""Photos with what a classifier looks at laid over them, for contact sheets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from models.data import Examples
    from models.settings import Device
    from models.team import Team

STRENGTH: Final = 0.55
"""How much of a pixel is colour at most; the rest stays photo."""

_BATCH: Final = 16


def overlay(rgb: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a photo coloured where it speaks loudest; where nothing speaks it stays as it is.

    Args:
        rgb: (H, W, 3) uint8.
        heat: (H, W) of 0..1.

    Raises:
        ValueError: The two are of different sizes.
    """
    import cv2
    import numpy as np

    if rgb.shape[:2] != heat.shape:
        raise ValueError(f"a photo of {rgb.shape[:2]} pixels needs as much heat, not {heat.shape}")
    levels = np.clip(heat * 255, 0, 255).round().astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    share = (STRENGTH * np.clip(heat, 0, 1))[:, :, None]
    mixed: NDArray[np.uint8] = (rgb * (1 - share) + colours * share).round().astype(np.uint8)
    return mixed


def explained(
    team: Team,
    examples: Examples,
    codes: NDArray[np.int64] | None = None,
    *,
    device: Device = "auto",
) -> dict[int, Image.Image]:
    """Return photos as the classifier sees them, coloured where it sees its answer.

    Of each run in a team the first fold is asked; the heat of several runs is averaged, of those that see the photo cut
    as the first does.

    Args:
        team: Of `models.team.open_run`.
        examples: The photos.
        codes: (N, 3) the answers to explain, -1 for the model's own; None for its own throughout.
        device: auto, cpu or cuda.

    Returns:
        Pictures by row; photos that can't be read are left out.

    Raises:
        ModelsError: A checkpoint can't be read, or Grad-CAM can't look into a model.
    """
    import numpy as np
    from PIL import Image

    from models.checkpoint import load_checkpoint, read_config
    from models.devices import choose_device

    where = choose_device(device)
    counted = set(team.blend.needed(team.groups))
    firsts = {member.group: member for member in reversed(team.members) if member.group in counted}
    pixels: dict[int, NDArray[np.uint8]] = {}
    heats: dict[int, list[NDArray[np.float32]]] = {}
    crop = None
    for member in reversed(firsts.values()):
        if crop not in (None, read_config(member.checkpoint).crop):
            continue
        network, config = load_checkpoint(member.checkpoint)
        crop = config.crop
        for row, rgb, heat in _of_member(network.to(where), config, examples, codes):
            pixels.setdefault(row, rgb)
            heats.setdefault(row, []).append(_sized(heat, pixels[row].shape[0]))
    mean = {row: np.stack(several).mean(axis=0) for row, several in heats.items()}
    return {row: Image.fromarray(overlay(pixels[row], heat)) for row, heat in sorted(mean.items())}


def _of_member(
    network: Any, config: Any, examples: Examples, codes: NDArray[np.int64] | None
) -> list[tuple[int, NDArray[np.uint8], NDArray[np.float32]]]:
    """Row, pixels and heat of each photo that can be read, (S, S, 3) and (S, S)."""
    import torch

    from models.attribution import grad_cam
    from models.data import PhotoDataset, make_loader
    from models.sampling import InOrder
    from models.transforms import PhotoTransform

    size, where = config.image_size, next(network.parameters()).device
    mean, std = (torch.tensor(three, device=where).reshape(1, 3, 1, 1) for three in (config.mean, config.std))
    cut = examples if config.crop == "face" else replace(examples, boxes=None)
    dataset = PhotoDataset(cut, PhotoTransform(size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), size, "explain")
    found = []
    for batch in make_loader(dataset, InOrder(len(examples)), _BATCH, 0):
        if not len(batch.index):
            continue
        wanted = None if codes is None else codes[batch.index]
        seen = (batch.images.to(where) - mean) / std
        heat = grad_cam(network, seen, wanted, layout=config.layout)
        rgb = (batch.images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        found += list(zip(batch.index.tolist(), rgb, heat, strict=True))
    return found


def _sized(heat: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    import cv2

    if heat.shape[0] == side:
        return heat
    resized: NDArray[np.float32] = cv2.resize(heat, (side, side), interpolation=cv2.INTER_LINEAR)
    return resized
