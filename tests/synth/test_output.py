from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synth.output import TEMPORARY_SUFFIX, remove_parts, write_jpeg
from tests.synth.builders import paint

RGB = paint(size=(150, 170), unit=45).rgb


def test_what_is_written_is_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    written = write_jpeg(RGB, path, 92)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == written.sha256
    assert (written.width, written.height, written.size) == (150, 170, path.stat().st_size)
    assert len(written.phash) == 16
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (150, 170), "RGB")
        assert np.abs(np.asarray(image).astype(int) - RGB).mean() < 3


def test_it_carries_no_metadata(tmp_path: Path) -> None:
    write_jpeg(RGB, tmp_path / "a.jpg", 92)
    with Image.open(tmp_path / "a.jpg") as image:
        assert dict(image.getexif()) == {}
        assert not {"exif", "icc_profile", "comment", "xmp", "photoshop"} & set(image.info)


def test_the_same_picture_and_quality_are_the_same_bytes(tmp_path: Path) -> None:
    sums = {write_jpeg(RGB, tmp_path / f"{name}.jpg", 92).sha256 for name in "ab"}
    assert len(sums) == 1
    assert write_jpeg(RGB, tmp_path / "c.jpg", 60).size < write_jpeg(RGB, tmp_path / "d.jpg", 95).size


def test_a_file_that_is_there_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("before")
    write_jpeg(RGB, tmp_path / "a.jpg", 92)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_where_it_cannot_be_put_in_place_the_old_stays_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.jpg").write_text("before")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_jpeg(RGB, tmp_path / "a.jpg", 92)
    assert (tmp_path / "a.jpg").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_only_parts_are_removed(tmp_path: Path) -> None:
    kept = [tmp_path / "a.jpg", tmp_path / ".hidden", tmp_path / f"visible{TEMPORARY_SUFFIX}"]
    parts = [tmp_path / f".12-ab{TEMPORARY_SUFFIX}", tmp_path / "deep" / "er" / f".3-cd{TEMPORARY_SUFFIX}"]
    for path in (*kept, *parts):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert remove_parts(tmp_path) == 2
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in parts)
    assert remove_parts(tmp_path / "none") == 0
