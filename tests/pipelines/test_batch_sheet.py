"""What training reads, looked at and made ready: the sheet of a batch, the faces, the packed photos."""

from __future__ import annotations

import hashlib
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.boxes import FACES
from models.pack_index import INDEX
from pipelines import batch_sheet, cli
from pipelines.batch_sheet import TILE, label_line, origin_line
from pipelines.training_photos import packing_line, prepare_photos
from synth.sheet import CAPTION, GAP
from tests.models.builders import colour_rows, save_rows
from tests.pipelines.builders import QUICK_TRAINING


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return save_rows(tmp_path / "data", colour_rows(tmp_path / "data", people_per_cell=4))


@pytest.mark.parametrize("name", ["batch.png", "batch.JPG"])
def test_a_batch_is_shown_and_nothing_is_trained(
    manifest: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "out", tmp_path / name
    arguments = ["train", str(manifest), "--out", str(out), "--show-batch", str(file), "--image-size", "32"]
    assert cli.run([*arguments, "--batch-size", "12", "--augment", "none", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["photos"], told["side"]) == (12, 32)
    with Image.open(file) as sheet:
        assert sheet.format == ("PNG" if name.endswith("png") else "JPEG")
        assert sheet.size == (GAP + 8 * (TILE[0] + GAP), GAP + 2 * (TILE[1] + CAPTION + GAP))
        # The mask of a colour-coded photo is a band of one of three colours in its middle, and is so on the sheet.
        band = np.asarray(sheet.convert("RGB"))[GAP + TILE[1] // 2, GAP + TILE[0] // 2].astype(int)
    assert band.max() - np.sort(band)[1] > 100
    assert not out.exists()


def test_the_first_epoch_s_side_is_what_is_shown(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(manifest), "--show-batch", str(tmp_path / "a.png"), "--image-size", "32", "--json"]
    assert cli.run([*arguments, "--sizes", "24:0.5,32"]) == 0
    assert json.loads(capsys.readouterr().out)["side"] == 24


def test_a_mixed_batch_is_shown_mixed(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Any] = []
    monkeypatch.setattr(batch_sheet, "save_sheet", lambda given, *_: rows.extend(given))
    arguments = ["train", str(manifest), "--show-batch", str(tmp_path / "a.png"), "--image-size", "32", "--json"]
    assert cli.run([*arguments, "--mix", "mixup", "--mix-chance", "1"]) == 0
    mixed = json.loads(capsys.readouterr().out)["mixed"]
    assert set(mixed) == {"mask", "gender", "age_group"}
    assert 0 < mixed["mask"] < 1
    assert all(tile.detail.startswith("+ ") for row in rows for tile in row)
    assert cli.run([*arguments, "--mix", "none"]) == 0
    assert json.loads(capsys.readouterr().out)["mixed"] is None
    assert rows[-1][-1].detail == "sample, real"


@pytest.mark.parametrize("name", ["batch.gif", "batch"])
def test_another_suffix_is_refused(
    manifest: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["train", str(manifest), "--show-batch", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.startswith("error: expected a file ending in .png")


def test_photos_that_are_gone_are_told_not_shown(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (manifest.parent / "photos").iterdir():
        path.unlink()
    assert cli.run(["train", str(manifest), "--show-batch", str(tmp_path / "a.png"), "--image-size", "32"]) == 1
    assert "none of the first batch's photos could be read" in capsys.readouterr().err


def test_captions_say_label_and_origin() -> None:
    assert label_line(("wear", None, "60_plus")) == "wear ? 60_plus"
    assert origin_line("aaf", False) == "aaf, real"
    assert origin_line("aaf", True) == "aaf, synthetic"


def test_training_packs_first_and_says_what_it_takes(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(manifest), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    arguments += ["--image-size", "32", "--epochs", "1", "--model", "test_resnet", "--device", "cpu", "--workers", "0"]
    assert cli.run(arguments) == 0
    assert "packing 72 of 72 photos into" in capsys.readouterr().err
    assert cli.run([*arguments, "--epochs", "2"]) == 0
    assert "packing" not in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_1(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 0))
    assert cli.run(["train", str(manifest), "--cache", str(tmp_path / "cache"), "--workers", "1"]) == 1
    assert "has 0.0 GB free" in capsys.readouterr().err.splitlines()[-1]


def test_faces_and_pack_are_made_once(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from pipelines import face_boxes
    from pipelines.settings import TrainFlowSettings

    monkeypatch.setattr(face_boxes, "_find", lambda rgb, sha256, cache: [])
    here = partial(face_boxes.boxes_of_manifest, isolated=False)
    monkeypatch.setattr(face_boxes, "boxes_of_manifest", here)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    training = replace(QUICK_TRAINING, crop="face", cache=tmp_path / "cache", workers=1)
    settings = TrainFlowSettings(manifest=manifest, out=tmp_path / "out", training=training)
    lines: list[str] = []
    for _ in range(2):
        prepare_photos(settings, tell=lines.append)
    assert len(lines) == 1
    assert "OMP_NUM_THREADS" not in os.environ  # training may use every core
    assert (manifest.parent / FACES).is_file()
    (index,) = (tmp_path / "cache").rglob(INDEX)
    assert index.read_text().count('"key"') == 72


def test_photos_of_every_fold_that_is_held_out_are_packed_before(tmp_path: Path) -> None:
    from dataclasses import replace

    from pipelines.settings import TrainFlowSettings

    # A variant that teaches nothing is read where its own fold is held out, and nowhere else.
    rows = colour_rows(tmp_path / "data", people_per_cell=4)
    at = next(at for at, each in enumerate(rows) if each["fold"] == 1)
    variant = {**rows[at], "photo_id": f"{rows[at]['photo_id']}#x", "parent_id": rows[at]["photo_id"]}
    file = tmp_path / "data" / "photos" / "variant.png"
    Image.new("RGB", (32, 40), "red").save(file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    rows.append({**variant, "recipe_id": "r", "path": "photos/variant.png", "sha256": sha256})
    manifest = save_rows(tmp_path / "data", rows)
    training = replace(QUICK_TRAINING, cache=tmp_path / "cache", workers=1, synthetic_weight=0.0)
    prepare_photos(TrainFlowSettings(manifest=manifest, out=tmp_path / "out", training=training, folds="all"))
    (index,) = (tmp_path / "cache").rglob(INDEX)
    assert sha256 in index.read_text()


def test_sizes_are_told_in_units_people_know() -> None:
    from models.packed import PackingPlan

    line = packing_line(PackingPlan(Path("cache/280px-1"), 250_000, 200_000, 47_000_000_000, 62_500_000_000))
    assert line == "packing 200,000 of 250,000 photos into cache/280px-1: 47.0 GB, of 62.5 GB free"
