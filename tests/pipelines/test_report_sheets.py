from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets.labels import encode_label
from datasets.manifest import make_manifest
from pipelines.report import sheets
from pipelines.report.sheets import Picture
from tests.pipelines.report_builders import draw, population, row, variant

LABELS = {"mask": "wear", "gender": "male", "age": 65.0}
CLASS = encode_label("wear", "male", "60_plus")


def opened(picture: Picture) -> Image.Image:
    head, _, data = picture.uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def one_class(base: int, others: int) -> pd.DataFrame:
    rows = [row("competition", f"{n}.jpg", **LABELS) for n in range(base)]
    styles = {"wear_style": "correct", "mask_type": "kf94"}
    rows += [variant("folder", f"{n}.jpg", "v", **LABELS | styles) for n in range(others)]
    return make_manifest(rows)


@pytest.mark.parametrize(
    ("base", "others", "shown"), [(20, 20, (6, 6)), (2, 20, (2, 10)), (20, 3, (9, 3)), (20, 0, (12, 0)), (0, 5, (0, 5))]
)
def test_base_photos_come_first_and_either_fills_up_for_the_other(
    tmp_path: Path, base: int, others: int, shown: tuple[int, int]
) -> None:
    frame = one_class(base, others)
    draw(tmp_path, frame)
    sheet = sheets.contact_sheets(frame, tmp_path, "competition")[CLASS or 0]
    made = [tile.made for tile in sheet.tiles]
    assert made == [False] * shown[0] + [True] * shown[1]
    assert sheet.note == f"{base} photos, {others} variants"
    assert all(tile.what == ("correct · kf94" if tile.made else "photo") for tile in sheet.tiles)


def test_there_is_a_sheet_for_every_class_and_photos_stand_in_their_own(tmp_path: Path) -> None:
    frame = population(people=12)
    draw(tmp_path, frame)
    labels = frame.set_index("photo_id")["label"]
    made = sheets.contact_sheets(frame, tmp_path, "competition")
    assert [sheet.label for sheet in made] == list(range(18))
    for sheet in made:
        assert {labels[tile.photo_id] for tile in sheet.tiles} <= {sheet.label}
        assert len(sheet.tiles) == min(12, (frame["label"] == sheet.label).sum())


def test_variety_comes_early() -> None:
    rows = [variant("folder", f"{n}.jpg", "v", mask_type="kf94", **LABELS) for n in range(50)]
    rows += [variant("folder", "rare.jpg", "w", mask_type="cloth", **LABELS)]
    ordered = sheets.spread(make_manifest(rows), ["source", "wear_style", "mask_type"])
    assert set(ordered["mask_type"].iloc[:2]) == {"kf94", "cloth"}
    assert len(ordered) == 51


def test_the_choice_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    frame = one_class(30, 30)
    draw(tmp_path, frame)
    again = sheets.contact_sheets(frame.iloc[::-1], tmp_path, "competition")
    assert again == sheets.contact_sheets(frame, tmp_path, "competition")


def test_files_that_cannot_be_read_are_counted_and_replaced(tmp_path: Path) -> None:
    frame = one_class(14, 0)
    draw(tmp_path, frame)
    for path in frame["path"].iloc[:2]:
        (tmp_path / path).write_bytes(b"no picture")
    sheet = sheets.contact_sheets(frame, tmp_path, "competition")[CLASS or 0]
    assert len(sheet.tiles) == 12
    assert not {tile.photo_id for tile in sheet.tiles} & set(frame["photo_id"].iloc[:2])
    none = sheets.contact_sheets(frame, tmp_path / "elsewhere", "competition")[CLASS or 0]
    assert none.tiles == ()
    assert "14 of the files picked can't be read" in none.note


def test_a_thumbnail_fits_its_box_and_carries_no_metadata(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (900, 600, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.fromarray(noise).save(tmp_path / "a.jpg", exif=exif, comment=b"secret")
    picture = sheets.thumbnail(tmp_path, "a.jpg")
    assert picture is not None
    with opened(picture) as small:
        assert small.size == (picture.width, picture.height) == (133, 200)
        assert not small.getexif()
        assert "comment" not in small.info
    # 18 sheets of 12 thumbnails of this kind stay below 8 MB.
    assert len(picture.uri) * 18 * 12 < 8_000_000


def test_a_small_photo_is_not_blown_up(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    picture = sheets.thumbnail(tmp_path, "a.png")
    assert picture is not None
    assert (picture.width, picture.height) == (40, 30)


@pytest.mark.parametrize("relative", ["../outside.png", "link.png", "a\x00b.png", "", ".", "x" * 5000])
def test_no_path_leaves_its_root(tmp_path: Path, relative: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "outside.png")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    assert sheets.thumbnail(root, relative) is None


def test_refused_photos_are_shown_where_their_file_is_found(tmp_path: Path) -> None:
    for name, colour in (("root/photos/folder/a.png", "red"), ("else/b.png", "blue"), ("root/c.png", "lime")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), colour).save(tmp_path / name)
    ids = ["folder:a.png#nose_out-1", "folder:b.png", "folder:c.png", "folder:gone.png", "no colon", "folder:"]
    shown = sheets.refused_pictures(tmp_path / "root", ids, {"folder:b.png": tmp_path / "else/b.png"})
    assert [photo_id for photo_id, _ in shown] == ids[:3]
    colours = [opened(picture).convert("RGB").getpixel((20, 20)) for _, picture in shown]
    assert [int(np.argmax(colour)) for colour in colours] == [0, 2, 1]  # red, blue, green
