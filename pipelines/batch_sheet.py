"""A sheet of the first batch that training would see, for `palette train --show-batch`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.contact_sheets import in_rows, save_sheet
from pipelines.errors import SettingsError
from pipelines.settings import TrainFlowSettings

if TYPE_CHECKING:
    from models.preview import Preview
    from synth.sheet import Tile

SUFFIXES: Final = (".png", ".jpg", ".jpeg")
COLUMNS: Final = 8
TILE: Final = (168, 168)
"""Pixels of a cell; square, as what a network sees is."""


def show_batch(settings: TrainFlowSettings, file: Path) -> dict[str, Any]:
    """Write the sheet and train nothing.

    Args:
        settings: What would be learned from, and how.
        file: To write, a PNG or JPEG by its suffix.

    Returns:
        `sheet`, `photos` on it, `side` in pixels of what the network sees, and `refusals` by reason.

    Raises:
        SettingsError: The suffix is another.
        ModelsError: The manifest can't be learned from, or no photo of the batch can be read.
        DatasetsError: There is no manifest, or the file can't be written.
    """
    from models.preview import first_batch
    from models.splits import split_manifest
    from synth.sheet import MAX_ROWS

    if file.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"expected a file ending in {', '.join(SUFFIXES)} for --show-batch, got {file}")
    train = split_manifest(settings.manifest, settings.training).train
    preview = first_batch(train, settings.training, MAX_ROWS * COLUMNS)
    save_sheet(in_rows(_tiles(preview), COLUMNS), file, TILE)
    side = int(preview.images.shape[1])
    return {
        "sheet": file,
        "photos": len(preview.images),
        "side": side,
        "refusals": dict(Counter(each.reason for each in preview.refusals).most_common()),
    }


def _tiles(preview: Preview) -> list[Tile]:
    from PIL import Image

    from synth.sheet import Tile

    return [
        Tile(Image.fromarray(image), label_line(words), origin_line(photo_id))
        for image, words, photo_id in zip(preview.images, preview.words, preview.photo_ids, strict=True)
    ]


def label_line(words: tuple[str | None, ...]) -> str:
    """Say what a photo is labelled as, such as `not_wear female 30_to_59`; `?` for what is missing."""
    return " ".join(word or "?" for word in words)


def origin_line(photo_id: str) -> str:
    """Say where a photo comes from, and whether a mask was drawn on it."""
    source = photo_id.partition(":")[0]
    return f"{source}, {'synthetic' if '#' in photo_id else 'real'}"
