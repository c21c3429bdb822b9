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
        `sheet`, `photos` on it, `side` in pixels of what the network sees, `refusals` by reason, and `mixed`: by how
        much each label is still a photo's own, None where the batch is not mixed.

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
        "mixed": {name: round(share, 3) for name, share in preview.shares.items()} if preview.partners else None,
        "refusals": dict(Counter(each.reason for each in preview.refusals).most_common()),
    }


def _tiles(preview: Preview) -> list[Tile]:
    from PIL import Image

    from synth.sheet import Tile

    details = [origin_line(source, bool(made)) for source, made in zip(preview.sources, preview.synthetic, strict=True)]
    if preview.partners:
        details = [f"+ {label_line(words)}" for words in preview.partners]
    return [
        Tile(Image.fromarray(image), label_line(words), detail)
        for image, words, detail in zip(preview.images, preview.words, details, strict=True)
    ]


def label_line(words: tuple[str | None, ...]) -> str:
    """Say what a photo is labelled as, such as `not_wear female 30_to_59`; `?` for what is missing."""
    return " ".join(word or "?" for word in words)


def origin_line(source: str, synthetic: bool) -> str:
    """Say where a photo comes from, and whether the mask engine made it."""
    return f"{source}, {'synthetic' if synthetic else 'real'}"
