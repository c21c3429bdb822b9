"""A contact sheet: some photos' variants side by side, with their names, as one picture to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE = (144, 192)
GAP = 6
CAPTION = 30
PAPER, INK, FAINT = (250, 250, 248), (30, 30, 30), (120, 120, 120)
MAX_ROWS, MAX_COLUMNS = 14, 8


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet, its file or the picture itself, and the two lines under it."""

    path: Path | Image.Image
    title: str
    detail: str


def contact_sheet(rows: Sequence[Sequence[Tile]], size: tuple[int, int] = TILE) -> Image.Image:
    """Draws rows of tiles; rows and columns beyond what a page holds are left out evenly.

    Args:
        rows: one a photo, its variants as tiles. Tiles whose picture can't be opened stay empty.
        size: width and height of a tile's picture, pixels.
    """
    shown = _evenly(rows, MAX_ROWS)
    columns = max((min(len(row), MAX_COLUMNS) for row in shown), default=1)
    step_x, step_y = size[0] + GAP, size[1] + CAPTION + GAP
    sheet = Image.new("RGB", (GAP + columns * step_x, GAP + max(len(shown), 1) * step_y), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)  # at 11 its spaces are two pixels, and words run together
    for top, row in enumerate(shown):
        for left, tile in enumerate(row[:MAX_COLUMNS]):
            corner = (GAP + left * step_x, GAP + top * step_y)
            sheet.paste(_thumbnail(tile.path, size), corner)
            for line, (text, colour) in enumerate(((tile.title, INK), (tile.detail, FAINT))):
                place = (corner[0] + 1, corner[1] + size[1] + 2 + 13 * line)
                draw.text(place, _fit(text, font, size[0]), fill=colour, font=font)
    return sheet


def _evenly(rows: Sequence[Sequence[Tile]], most: int) -> list[Sequence[Tile]]:
    if len(rows) <= most:
        return list(rows)
    return [rows[index * len(rows) // most] for index in range(most)]


def _thumbnail(path: Path | Image.Image, size: tuple[int, int]) -> Image.Image:
    if isinstance(path, Image.Image):
        return ImageOps.fit(path.convert("RGB"), size, Image.Resampling.LANCZOS)
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * size[0], 2 * size[1]))
            return ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS)
    except OSError:
        return Image.new("RGB", size, (225, 225, 225))


def _fit(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """The text, or its beginning and an ellipsis where it is wider than a tile."""
    if font.getlength(text) <= width - 2:
        return text
    text = text[: width // 2]  # no glyph is narrower than two pixels
    while text and font.getlength(text + "…") > width - 2:
        text = text[:-1]
    return text + "…"
