"""Landmarks kept on disk: what comes back is what was put, whatever happened to the files meanwhile."""

from __future__ import annotations

import shutil
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from synth import Face
from synth.errors import OutputError
from synth.landmark_cache import LandmarkCache, cache_key


def key(number: int) -> str:
    return cache_key(f"photo {number}", (100, 80, 3), "finder")


def faces(number: int, count: int = 1) -> list[Face]:
    rng = np.random.default_rng(number)
    return [Face(rng.uniform(0, 500, 4), rng.uniform(-9, 500, (68, 2)), rng.normal(), "hog", 0.1) for _ in range(count)]


def alike(one: list[Face] | None, two: list[Face]) -> bool:
    return one is not None and [_values(face) for face in one] == [_values(face) for face in two]


def _values(face: Face) -> tuple[object, ...]:
    return face.box.tolist(), face.landmarks.tolist(), face.score, face.detector, face.spread


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_was_put_comes_back_to_the_last_bit(tmp_path: Path, count: int) -> None:
    cache = LandmarkCache(tmp_path / "deep" / "er")
    assert cache.get(key(1)) is None
    cache.put(key(1), faces(1, count))
    assert alike(cache.get(key(1)), faces(1, count))
    assert alike(LandmarkCache(tmp_path / "deep" / "er").get(key(1)), faces(1, count))


@pytest.mark.parametrize("other", [("photo 2", (9, 9), "f"), ("photo 1", (9, 8), "f"), ("photo 1", (9, 9), "g")])
def test_another_photo_size_or_finder_is_another_key(other: tuple[str, tuple[int, ...], str]) -> None:
    assert cache_key("photo 1", (9, 9), "f") != cache_key(*other)


@pytest.mark.parametrize("cut", [1, 2, 40, 900])
def test_a_record_cut_short_is_forgotten_and_spoils_no_other(tmp_path: Path, cut: int) -> None:
    # One file for all, so that records follow one another.
    keys = ["ab" + key(number)[2:] for number in range(3)]
    cache = LandmarkCache(tmp_path)
    for number in (0, 1):
        cache.put(keys[number], faces(number))
    file = tmp_path / "ab.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    again = LandmarkCache(tmp_path)
    assert alike(again.get(keys[0]), faces(0))
    assert again.get(keys[1]) is None
    again.put(keys[2], faces(2))
    assert alike(LandmarkCache(tmp_path).get(keys[2]), faces(2))


@pytest.mark.parametrize(
    "garbage",
    [b"\x00\xff" * 50, b'{"key":"', b"[1,2]", b'{"key":"%s","faces":[{"box":[1]}]}', b'{"key":"%s","faces":[7]}'],
)
def test_garbage_is_no_face(tmp_path: Path, garbage: bytes) -> None:
    wanted = key(0)
    (tmp_path / f"{wanted[:2]}.jsonl").write_bytes(garbage.replace(b"%s", wanted.encode()) + b"\n")
    cache = LandmarkCache(tmp_path)
    assert cache.get(wanted) is None
    cache.put(wanted, faces(0))
    assert alike(LandmarkCache(tmp_path).get(wanted), faces(0))


def test_points_that_are_no_numbers_are_no_face(tmp_path: Path) -> None:
    cache = LandmarkCache(tmp_path)
    broken = faces(0)[0]
    broken.landmarks[3, 1] = np.nan
    cache.put(key(0), [broken])
    assert cache.get(key(0)) is None


def _write(folder: Path, start: int) -> None:
    cache = LandmarkCache(folder)
    for number in range(start, start + 40):
        cache.put("ab" + key(number)[2:], faces(number))


def test_workers_may_write_at_once(tmp_path: Path) -> None:
    context = get_context("fork")
    workers = [context.Process(target=_write, args=(tmp_path, 40 * each)) for each in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    cache = LandmarkCache(tmp_path)
    assert all(alike(cache.get("ab" + key(number)[2:]), faces(number)) for number in range(120))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file.*choose another"):
        LandmarkCache(tmp_path / "file")


def test_a_folder_that_was_cleared_away_is_made_again(tmp_path: Path) -> None:
    cache = LandmarkCache(tmp_path / "cache")
    cache.put(key(0), faces(0))
    shutil.rmtree(tmp_path / "cache")
    assert cache.get(key(0)) is None
    cache.put(key(0), faces(0))
    assert alike(cache.get(key(0)), faces(0))


def test_a_disk_that_takes_no_more_is_said(tmp_path: Path) -> None:
    cache = LandmarkCache(tmp_path)
    (tmp_path / f"{key(0)[:2]}.jsonl").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        cache.put(key(0), faces(0))
