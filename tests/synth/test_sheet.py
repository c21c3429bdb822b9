from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from synth.output import write_jpeg
from synth.sheet import CAPTION, GAP, MAX_COLUMNS, MAX_ROWS, TILE, Tile, contact_sheet


def tiles(folder: Path, count: int, level: int = 40, name: str = "a.jpg") -> list[Tile]:
    path = folder / f"{level}.jpg"
    write_jpeg(np.full((60, 50, 3), level, np.uint8), path, 90)
    return [Tile(path, "correct kf94", name)] * count


def size(rows: int, columns: int) -> tuple[int, int]:
    return GAP + columns * (TILE[0] + GAP), GAP + rows * (TILE[1] + CAPTION + GAP)


def test_one_row_a_photo_and_one_column_a_variant(tmp_path: Path) -> None:
    sheet = contact_sheet([tiles(tmp_path, 3, name="ü 한글 " + "long " * 30), tiles(tmp_path, 2)])
    assert sheet.size == size(2, 3)
    assert sheet.getpixel((GAP + 10, GAP + 10)) == (40, 40, 40)


def test_a_page_holds_so_many_and_shows_them_from_all_over(tmp_path: Path) -> None:
    rows = [tiles(tmp_path, 12, level) for level in range(0, 250, 5)]
    sheet = contact_sheet(rows)
    assert sheet.size == size(MAX_ROWS, MAX_COLUMNS)
    step = TILE[1] + CAPTION + GAP
    levels = [sheet.getpixel((GAP + 20, GAP + 20 + step * row))[0] for row in range(MAX_ROWS)]
    assert levels == sorted(levels)
    assert levels[-1] > 200


def test_nothing_to_show_is_a_sheet_too() -> None:
    assert isinstance(contact_sheet([]), Image.Image)


def test_a_picture_that_cannot_be_opened_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("no picture")
    sheet = contact_sheet([[Tile(tmp_path / "broken.jpg", "a", "b"), Tile(tmp_path / "none.jpg", "a", "b")]])
    assert sheet.size == size(1, 2)


def test_the_same_tiles_give_the_same_picture(tmp_path: Path) -> None:
    rows = [tiles(tmp_path, 3)]
    assert contact_sheet(rows).tobytes() == contact_sheet(rows).tobytes()


def test_a_tile_may_hold_the_picture_itself() -> None:
    sheet = contact_sheet([[Tile(Image.new("RGB", (60, 50), (40, 40, 40)), "TYPE 1", "male, 25")]])
    assert sheet.size == size(1, 1)
    assert sheet.getpixel((GAP + 10, GAP + 10)) == (40, 40, 40)


def test_tiles_may_be_of_another_shape(tmp_path: Path) -> None:
    sheet = contact_sheet([tiles(tmp_path, 3)], (100, 100))
    assert sheet.size == (GAP + 3 * (100 + GAP), GAP + 100 + CAPTION + GAP)
