from __future__ import annotations

import hashlib
import os

import pytest

from datasets.inspecting import Inspected, inspect_photo, inspect_photos, read_ahead
from datasets.photos import PhotoFile, find_photos, read_photo
from datasets.refusals import Refusal
from tests.datasets.builders import encode, picture, save_photo


def test_a_huge_photo_is_decoded_at_the_scale_needed(tmp_path):
    (tmp_path / "huge.jpg").write_bytes(encode(picture(1, (4000, 3000))))
    read = read_photo(tmp_path / "huge.jpg", max_side=256)
    assert read.rgb.shape == (375, 500, 3)
    seen = inspect_photo(PhotoFile(tmp_path / "huge.jpg", "huge.jpg"))
    assert isinstance(seen, Inspected)
    assert (seen.width, seen.height) == (4000, 3000)
    assert seen.phash == read.phash


def test_what_is_hashed_is_what_is_decoded_from_one_reading(tmp_path, monkeypatch):
    path = save_photo(tmp_path / "a.jpg")
    opened = []
    whole = type(path).read_bytes

    def read_bytes(self):
        opened.append(self.name)
        return whole(self)

    monkeypatch.setattr(type(path), "read_bytes", read_bytes)
    seen = inspect_photo(PhotoFile(path, "a.jpg"))
    assert opened == ["a.jpg"]
    assert seen.sha256 == hashlib.sha256(whole(path)).hexdigest()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_in_the_photos_order_and_each_is_its_own(tmp_path, workers):
    for number in range(9):
        save_photo(tmp_path / f"{number}.jpg", seed=number)
    (tmp_path / "4.jpg").write_bytes(b"")
    photos = find_photos(tmp_path)[0]
    told = []
    seen = inspect_photos(photos, workers=workers, batch=2, progress=lambda done, total: told.append((done, total)))
    assert isinstance(seen[4], Refusal)
    assert seen[4].photo_id == "4.jpg"
    hashes = [hashlib.sha256(photo.path.read_bytes()).hexdigest() for photo in photos]
    assert [each.sha256 for each in seen if isinstance(each, Inspected)] == hashes[:4] + hashes[5:]
    assert told == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
    assert inspect_photos([]) == []


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system takes no advice on files")
def test_reading_ahead_asks_for_the_file_and_leaves_nothing_open(tmp_path, monkeypatch):
    path, asked = save_photo(tmp_path / "a.jpg"), []

    def advise(handle, start, length, advice):
        asked.append((handle, os.fstat(handle).st_ino, start, length, advice))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    read_ahead(path)
    ((handle, *told),) = asked
    assert told == [path.stat().st_ino, 0, 0, os.POSIX_FADV_WILLNEED]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_a_pipe_after_a_photo_does_not_block(tmp_path):
    save_photo(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "b.jpg")
    photos = [PhotoFile(tmp_path / name, name) for name in ("a.jpg", "b.jpg")]
    first, second = inspect_photos(photos)
    assert isinstance(first, Inspected)
    assert isinstance(second, Refusal)
    assert second.reason == "unreadable"
