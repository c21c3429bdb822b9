"""Where in a photo a model sees what it answers: Grad-CAM (Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2).

Works on any timm model: on maps of convolutions as they are, on tokens of transformers laid out as the grid they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from datasets.labels import N_LABELS
from models.chances import chances_of
from models.errors import AttributionError, SettingsError
from models.heads import AGE, HEADS, MISSING, Layout, to_codes
from models.years import between, group_chances, unscaled

SMALLEST: Final = 4
"""Cells along a side that a map should have at least to tell places apart; an earlier map is taken where it hasn't."""

_LEAST: Final = 1e-6


def grad_cam(
    network: nn.Module,
    images: torch.Tensor,
    codes: NDArray[np.int64] | None = None,
    *,
    layout: Layout,
    head: str | None = None,
) -> NDArray[np.float32]:
    """How much each place of each photo speaks for an answer.

    Args:
        network: of timm, with the layout's numbers; its mode and parameters stay as they are.
        images: (B, 3, S, S) float32, normalised, on the network's device.
        codes: (B, 3) the answers to explain, of `models.heads`; the model's own where None, and where a code is -1.
        layout: what the network's numbers stand for.
        head: `mask`, `gender` or `age_group`; None for all that the model answers together.

    Returns:
        (B, S, S) float32 of 0..1, 1 at the place of each photo that speaks loudest; all 0 where nothing speaks for it.

    Raises:
        SettingsError: the model doesn't answer that head.
        AttributionError: the network has no feature map that its answer depends on.
    """
    answered = HEADS if layout.head == "single" else layout.parts
    if head is not None and head not in answered:
        raise SettingsError(f"the model answers {', '.join(answered)}, not {head!r}")
    forward_features, forward_head = (getattr(network, f"forward_{name}", None) for name in ("features", "head"))
    if forward_features is None or forward_head is None:
        raise AttributionError(f"{type(network).__name__} does not give its features as timm's models do")
    if not len(images):
        return np.zeros((0, *images.shape[2:]), dtype=np.float32)
    was_training = network.training
    network.eval()
    try:
        with torch.enable_grad(), _kept_maps(network) as maps:
            features = forward_features(images.detach().clone().requires_grad_(True))
            logits = forward_head(features)
            score = _score(logits, _wanted(logits, codes, layout), layout, head)
            held = [features, *reversed(maps)]
            slopes = torch.autograd.grad(score.sum(), held, allow_unused=True)
    finally:
        network.train(was_training)
    return _heat(*_choose(network, held, slopes), images.shape[-1])


def _wanted(logits: torch.Tensor, codes: NDArray[np.int64] | None, layout: Layout) -> torch.Tensor:
    own = chances_of(logits, layout).codes()
    chosen = own if codes is None else np.where(codes == MISSING, own, codes)
    return torch.from_numpy(chosen).to(logits.device)


def _score(logits: torch.Tensor, codes: torch.Tensor, layout: Layout, head: str | None) -> torch.Tensor:
    """(B,) what speaks for the answer: logits, or logarithms of chances where ages are years or borders."""
    pieces = layout.split(logits)
    if layout.head == "single":
        labels = torch.from_numpy(to_codes(np.arange(N_LABELS))).to(codes.device)
        columns = [at for at, name in enumerate(HEADS) if head in (None, name)]
        agree = (labels[None, :, columns] == codes[:, None, columns]).all(dim=2)  # (B, 18) classes of that answer
        return pieces["label"].masked_fill(~agree, -torch.inf).logsumexp(dim=1)
    total = logits.new_zeros(len(logits))
    for at, name in enumerate(HEADS):
        if name in layout.parts and head in (None, name):
            total = total + _of_head(name, pieces).gather(1, codes[:, at : at + 1])[:, 0]
    return total


def _of_head(name: str, pieces: dict[str, torch.Tensor]) -> torch.Tensor:
    if name in pieces:
        return pieces[name]
    assert name == AGE  # noqa: S101
    if "older" in pieces:
        return between(pieces["older"].sigmoid()).clamp_min(_LEAST).log()
    return group_chances(unscaled(pieces["years"][:, 0])).clamp_min(_LEAST).log()


@contextmanager
def _kept_maps(network: nn.Module) -> Iterator[list[torch.Tensor]]:
    """What the stages give that timm names as a model's features, in the order they are passed."""
    info: Any = getattr(network, "feature_info", None) or []
    names = dict.fromkeys(each["module"] for each in info if isinstance(each, dict) and each.get("module"))
    modules = dict(network.named_modules())
    kept: list[torch.Tensor] = []

    def keep(module: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.requires_grad:
            kept.append(output)

    handles = [modules[name].register_forward_hook(keep) for name in names if name in modules]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _choose(
    network: nn.Module, held: list[torch.Tensor], slopes: tuple[torch.Tensor | None, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The latest map that the answer depends on and that tells places apart, (B, C, H, W), and its slopes.

    A transformer that answers from its class token has slopes on other tokens one block before its end only.
    """
    lay_out = _grid_of(network)
    best: tuple[torch.Tensor, torch.Tensor] | None = None
    for features, slope in zip(held, slopes, strict=True):
        if slope is None:
            continue
        pair = lay_out(features.detach()), lay_out(slope)
        if pair[0] is None or pair[1] is None or not bool(pair[1].abs().amax() > 0):
            continue
        found = pair[0].float(), pair[1].float()
        if best is None or min(found[0].shape[2:]) > min(best[0].shape[2:]):
            best = found
        if min(best[0].shape[2:]) >= SMALLEST:
            break
    if best is None:
        raise AttributionError(f"{type(network).__name__} has no feature map that its answer depends on")
    return best


def _grid_of(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor | None]:
    """Lays features out as (B, C, H, W); None for those that are no map."""
    channels_last = getattr(network, "output_fmt", None) == "NHWC"
    prefix: int | None = getattr(network, "num_prefix_tokens", None)

    def lay_out(features: torch.Tensor) -> torch.Tensor | None:
        if features.ndim == 4:
            return features.permute(0, 3, 1, 2) if channels_last else features
        if features.ndim != 3:
            return None
        count = features.shape[1]
        before = count - math.isqrt(count) ** 2 if prefix is None else prefix
        side = math.isqrt(max(count - before, 0))
        if side == 0 or side * side != count - before:
            return None
        return features[:, before:].transpose(1, 2).reshape(len(features), -1, side, side)

    return lay_out


def _heat(features: torch.Tensor, slopes: torch.Tensor, size: int) -> NDArray[np.float32]:
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    heat = (weights * features).sum(dim=1, keepdim=True).relu()
    grown = functional.interpolate(heat, size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    loudest = grown.amax(dim=(1, 2), keepdim=True)
    shares: NDArray[np.float32] = torch.where(loudest > 0, grown / loudest, grown).cpu().numpy().astype(np.float32)
    return shares
