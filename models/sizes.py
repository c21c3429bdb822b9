"""The resolution schedule: small squares first, since most is learned from them at a part of the cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from models.errors import SettingsError

if TYPE_CHECKING:
    from models.settings import TrainSettings

SMALLEST: Final = 16
_STEP: Final = 16
_EXAMPLE: Final = "such as 64:0.5,96 for half of the epochs at 64 pixels and the rest at 96"


def parse_sizes(text: str, image_size: int) -> tuple[tuple[int, float], ...]:
    """The sides of a schedule, pixels, each with the share of the epochs after which it ends; the last with 1.

    Args:
        text: `side:share` joined by commas, the last a side alone; a side in pixels, or as `50%` of `image_size` in
            steps of 16 pixels; empty for `image_size` throughout.
        image_size: side that is evaluated and predicted at, which no other may exceed: photos are kept for that one.

    Raises:
        SettingsError: it isn't in that form, a side or a share is out of its range, or the shares leave nothing.
    """
    if not text.strip():
        return ((image_size, 1.0),)
    parts = [part.strip() for part in text.split(",")]
    steps, ended = [], 0.0
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        side, colon, share = part.partition(":")
        if bool(colon) == last:
            what = "the last side runs to the end and has no share" if last else f"{part!r} lacks its share of epochs"
            raise SettingsError(f"sizes must be {_EXAMPLE}, not {text!r}: {what}")
        ended = 1.0 if last else ended + _share(share, text)
        steps.append((_side(side, image_size, text), ended))
    if len(steps) > 1 and steps[-2][1] >= 1.0 - 1e-9:
        raise SettingsError(
            f"sizes must leave epochs for the last side, {_EXAMPLE}; the shares in {text!r} sum to 1 or more"
        )
    return tuple(steps)


def size_at(epoch: int, settings: TrainSettings) -> int:
    """Side in pixels of the squares that training sees in an epoch, counted from 0: the same in a run that goes on."""
    for side, ended in parse_sizes(settings.sizes, settings.image_size):
        # Rounded down, so that the last side always has an epoch.
        if ended == 1.0 or epoch < math.floor(ended * settings.epochs + 1e-9):
            return side
    raise AssertionError("the last side ends with the run")


def _side(text: str, image_size: int, whole: str) -> int:
    text = text.strip()
    if text.endswith("%") and text[:-1].isdecimal() and 0 < int(text[:-1]) <= 100:
        # To the nearest step that nets halve evenly, and never beyond what is evaluated at.
        side = _STEP * round(image_size * int(text[:-1]) / 100 / _STEP)
        return image_size if text == "100%" else min(max(side, SMALLEST), image_size)
    if not text.isdecimal() or not SMALLEST <= int(text) <= image_size:
        raise SettingsError(
            f"sizes must have sides from {SMALLEST} to image_size ({image_size}), {_EXAMPLE}; "
            f"{text!r} in {whole!r} is none"
        )
    return int(text)


def _share(text: str, whole: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0.0 < share < 1.0:
        raise SettingsError(f"sizes must have shares between 0 and 1, {_EXAMPLE}; {text!r} in {whole!r} is none")
    return share
