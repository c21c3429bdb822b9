"""A pack that several write at once, that crashes, is killed or cut short."""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from datasets.errors import PhotoError
from datasets.workers import BATCH
from models import pack_index
from models import packed as packed_module
from models.pack_index import INDEX, PHOTOS
from models.packed import Wanted, pack_folder, plan_packing
from tests.models.packing_builders import SIDE, assert_same, four_photos, pack_photos, photo


@pytest.fixture
def photos(tmp_path: Path) -> list[Wanted]:
    return four_photos(tmp_path)


def test_a_run_killed_at_any_instant_leaves_nothing_false_behind(tmp_path: Path, photos: list[Wanted]) -> None:
    whole = tmp_path / "whole"
    pack_photos(whole, photos, SIDE)
    folder = pack_folder(whole, SIDE)
    pixels, index = (folder / PHOTOS).read_bytes(), (folder / INDEX).read_bytes()
    # Pixels are on the disk before their line is: any part of the index, over at least the pixels it speaks of.
    for length in range(0, len(index), 7):
        cache = tmp_path / f"cut{length}"
        cut = pack_folder(cache, SIDE)
        cut.mkdir(parents=True)
        (cut / INDEX).write_bytes(index[:length])
        (cut / PHOTOS).write_bytes(pixels)
        assert_same(pack_photos(cache, photos, SIDE), photos)
        shutil.rmtree(cache)


def test_a_process_killed_while_it_packs_leaves_a_pack_to_go_on_from(tmp_path: Path, photos: list[Wanted]) -> None:
    child = os.fork()
    if child == 0:
        pack_index._FLUSH_BYTES = 1  # type: ignore[misc]
        pack_photos(tmp_path / "cache", photos[:2], SIDE)

        def die(*_: object) -> None:
            os._exit(9)

        packed_module._sha256 = die  # type: ignore[assignment]
        packed_module.read_square = die  # type: ignore[assignment]
        pack_photos(tmp_path / "cache", photos, SIDE)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert plan_packing(tmp_path / "cache", photos, SIDE).new == 2
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)


def test_workers_left_at_work_by_an_error_write_nothing_over_what_is_packed_next(tmp_path: Path) -> None:
    def give_up(*_: object) -> None:
        raise KeyboardInterrupt

    first = [photo(tmp_path / f"a{at}.png", at) for at in range(BATCH)]  # one task's
    for at in range(4):
        photo(tmp_path / f"large{at}.png", at, (1200, 1200))
    one = [Wanted(each, hashlib.sha256(each.read_bytes()).hexdigest()) for each in sorted(tmp_path.glob("large*"))]
    slow = [dataclasses.replace(one[at % 4], box=(0.0, 0.0, 0.4, 0.4 + at / 1000)) for at in range(2 * BATCH)]
    with pytest.raises(KeyboardInterrupt):
        pack_photos(tmp_path / "cache", [*first, *slow], SIDE, workers=2, progress=give_up)
    others = [photo(tmp_path / f"b{at}.png", 100 + at) for at in range(2 * BATCH)]
    packed = pack_photos(tmp_path / "cache", others, SIDE)
    for worker in multiprocessing.active_children():
        worker.join()
    assert_same(packed, others)


class Deadly(type(Path())):  # type: ignore[misc]
    """A path that ends the process it is sent to."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (9,)


def test_a_photo_that_ends_its_process_does_not_end_this_one(tmp_path: Path, photos: list[Wanted]) -> None:
    bad = dataclasses.replace(photos[1], path=Deadly(photos[1].path))
    packed = packed_module.pack_photos(tmp_path / "cache", [photos[0], bad, photos[2]], SIDE, workers=1)
    with pytest.raises(PhotoError, match="crashed"):
        packed.square(1)
    assert_same(pack_photos(tmp_path / "cache", [photos[0], photos[2]], SIDE), [photos[0], photos[2]])


def test_two_processes_that_pack_at_once_do_it_one_after_another(tmp_path: Path, photos: list[Wanted]) -> None:
    inside, go = tmp_path / "inside", tmp_path / "go"

    def hold(*_: object) -> None:
        inside.touch()
        while not go.exists():
            time.sleep(0.01)

    child = os.fork()
    if child == 0:
        try:
            pack_photos(tmp_path / "cache", photos[:2], SIDE, progress=hold)
        finally:
            os._exit(0)
    while not inside.exists():
        time.sleep(0.01)
    release = threading.Timer(0.3, go.touch)
    release.start()
    packed = pack_photos(tmp_path / "cache", photos[2:], SIDE)
    release.join()
    os.waitpid(child, 0)
    assert_same(packed, photos[2:])
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)


def test_a_kill_loses_no_more_than_what_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_index, "_FLUSH_BYTES", 1)
    many = [photo(tmp_path / f"{at}.png", at) for at in range(BATCH + 1)]
    child = os.fork()
    if child == 0:
        pack_photos(tmp_path / "cache", many, SIDE, progress=lambda *_: os._exit(9))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert plan_packing(tmp_path / "cache", many, SIDE).new == 1


def test_no_more_than_a_hundred_megabytes_wait_for_the_disk(tmp_path: Path) -> None:
    record = pack_index.Record(0, 6000)
    (tmp_path / PHOTOS).touch()
    os.truncate(tmp_path / PHOTOS, record.length)  # takes nothing of the disk
    pack_index.PendingRecords(tmp_path).add("key", record)
    assert pack_index.read_index(tmp_path) == {"key": record}


def test_what_no_line_speaks_of_is_cut_off_and_room_is_made_for_every_photo(
    tmp_path: Path, photos: list[Wanted]
) -> None:
    folder = pack_folder(tmp_path / "cache", SIDE)
    folder.mkdir(parents=True)
    (folder / PHOTOS).write_bytes(b"x" * 100_000)
    photos[2].path.write_bytes(b"not a photo")
    need = plan_packing(tmp_path / "cache", photos[:3], SIDE).bytes
    pack_photos(tmp_path / "cache", photos[:3], SIDE)
    pixels = (folder / PHOTOS).read_bytes()
    assert len(pixels) == need
    assert set(pixels[2 * SIDE**2 * 3 :]) == {0}


def test_pixels_cut_short_are_packed_anew(tmp_path: Path, photos: list[Wanted]) -> None:
    pack_photos(tmp_path / "cache", photos, SIDE)
    file = pack_folder(tmp_path / "cache", SIDE) / PHOTOS
    with file.open("r+b") as handle:
        handle.truncate(file.stat().st_size - 1)
    assert plan_packing(tmp_path / "cache", photos, SIDE).new == 1
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)


def test_pixels_that_were_lost_are_not_believed_once_others_lie_there(tmp_path: Path, photos: list[Wanted]) -> None:
    pack_photos(tmp_path / "cache", photos[:2], SIDE)
    file = pack_folder(tmp_path / "cache", SIDE) / PHOTOS
    with file.open("r+b") as handle:
        handle.truncate(SIDE * SIDE * 3)  # the second's
    pack_photos(tmp_path / "cache", photos[2:], SIDE)
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)
