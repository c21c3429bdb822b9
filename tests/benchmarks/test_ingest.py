from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import ingest
from benchmarks.ingest import KINDS, RUNS, Rate, decode_photo, drop, floor_photo, make_photos, processor_times, rate_of
from datasets.inspecting import inspect_photo
from datasets.photos import PhotoFile, find_photos
from tests.datasets.builders import save_photo


def test_a_rate_leaves_the_workers_first_batches_out() -> None:
    marks = [(8, 10.0), (16, 10.5), (24, 11.0), (32, 11.5)]
    assert rate_of(marks, 1, 2.0) == Rate(16.0, 32.0)
    assert rate_of(marks, 2, 2.0) == Rate(16.0, 32.0)


def test_the_floor_hashes_the_bytes_that_ingesting_hashes(tmp_path: Path) -> None:
    photo = PhotoFile(save_photo(tmp_path / "a.jpg"), "a.jpg")
    assert floor_photo(photo) == getattr(inspect_photo(photo), "sha256", None)
    assert decode_photo(photo) == (64, 48, 3)


def test_made_photos_have_twelve_megapixels_and_differ(tmp_path: Path) -> None:
    first, second = make_photos(tmp_path, 2)
    assert first.read_bytes() != second.read_bytes()
    for path in (first, second):
        with Image.open(path) as image:
            assert image.size == ingest.SIZE
        assert 1_000_000 < path.stat().st_size < 4_000_000


def test_every_kind_of_run_goes_through_all_photos(tmp_path: Path) -> None:
    for number in range(20):
        save_photo(tmp_path / f"{number:02d}.jpg", seed=number)
    photos = find_photos(tmp_path)[0]
    drop([photo.path for photo in photos])
    assert set(RUNS) == set(KINDS) == set(processor_times(photos[:2]))
    for kind in KINDS:
        done: list[tuple[int, int]] = []
        RUNS[kind](photos, 1, lambda *told, done=done: done.append(told))  # type: ignore[misc]
        assert done == [(8, 20), (16, 20), (20, 20)]


@pytest.mark.parametrize("folder", ["none", "few"])
def test_no_photos_to_run_on(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_photo(tmp_path / "few" / "a.jpg")
    monkeypatch.setattr(sys, "argv", ["ingest", str(tmp_path / folder)])
    assert ingest.main() == 2
    assert capsys.readouterr().err.count("\n") == 1
