from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.errors import OutputError, PhotoError
from models import packed as packed_module
from models.data import Examples, PhotoDataset, make_loader, with_packed
from models.heads import to_codes
from models.pack_index import INDEX, PHOTOS
from models.packed import Wanted, pack_folder, plan_packing
from models.sampling import BalancedSampler
from models.squares import read_square, stored_side
from models.transforms import PhotoTransform
from tests.models.packing_builders import SIDE, assert_same, four_photos, pack_photos, photo


@pytest.fixture
def photos(tmp_path: Path) -> list[Wanted]:
    return four_photos(tmp_path)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photos that are read, as they are."""
    names: list[str] = []

    def read(path: Path, *rest: object) -> object:
        names.append(path.name)
        return read_square(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(packed_module, "read_square", read)
    return names


@pytest.mark.parametrize("workers", [1, 2])
def test_a_packed_square_is_the_photo_s_own_bit_for_bit(tmp_path: Path, photos: list[Wanted], workers: int) -> None:
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE, workers=workers), photos)


def test_squares_are_read_without_copying_and_not_written_to(tmp_path: Path, photos: list[Wanted]) -> None:
    packed = pickle.loads(pickle.dumps(pack_photos(tmp_path / "cache", photos, SIDE)))
    square = packed.square(0)
    assert isinstance(square.base, np.memmap) or isinstance(square, np.memmap)
    assert not square.flags.writeable
    assert len(pickle.dumps(packed)) < 2000  # the map doesn't travel


def test_only_what_is_new_is_read(tmp_path: Path, photos: list[Wanted], monkeypatch: pytest.MonkeyPatch) -> None:
    names = watched(monkeypatch)
    pack_photos(tmp_path / "cache", photos[:2], SIDE)
    packed = pack_photos(tmp_path / "cache", [*photos[1:], photos[1]], SIDE)
    assert names == ["a.png", "b.jpg", "c.png", "d.jpg"]
    assert_same(packed, [*photos[1:], photos[1]])
    pack_photos(tmp_path / "cache", photos, SIDE + 1)
    assert len(names) == 8  # another side is another pack


def test_the_same_photo_about_another_face_is_another_square(tmp_path: Path, photos: list[Wanted]) -> None:
    other = dataclasses.replace(photos[3], box=(0.5, 0.2, 0.2, 0.3))
    packed = pack_photos(tmp_path / "cache", [photos[3], other], SIDE)
    assert_same(packed, [photos[3], other])


def test_refusals_are_kept_and_no_photo_is_opened_twice(
    tmp_path: Path, photos: list[Wanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = watched(monkeypatch)
    (tmp_path / "text.png").write_text("not a photo")
    bad = Wanted(tmp_path / "text.png", hashlib.sha256(b"not a photo").hexdigest())
    for _ in range(2):
        packed = pack_photos(tmp_path / "cache", [photos[0], bad], SIDE)
        with pytest.raises(PhotoError) as caught:
            packed.square(1)
        assert caught.value.reason == "not_an_image"
        assert_same(packed, photos[:1])
    assert names == ["a.png", "text.png"]


@pytest.mark.parametrize("content", [None, b"not a photo", "other.png"])
def test_a_file_that_is_not_the_one_meant_is_not_packed_under_its_name(
    tmp_path: Path, photos: list[Wanted], content: bytes | str | None
) -> None:
    if content is None:
        photos[0].path.unlink()
    elif isinstance(content, bytes):
        photos[0].path.write_bytes(content)
    else:
        shutil.copy(photo(tmp_path / content, 9).path, photos[0].path)
    packed = pack_photos(tmp_path / "cache", photos, SIDE)
    assert packed.square(0) is None
    restored = photo(photos[0].path, 0)
    assert restored == photos[0]
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)


def test_a_photo_that_ends_its_process_is_refused_in_this_run_only(
    tmp_path: Path, photos: list[Wanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_crash(function: object, tasks: list[object], *, crashed: object, **_: object) -> object:
        yield [crashed(each) for each in tasks]  # type: ignore[operator]

    with monkeypatch.context() as patch:
        patch.setattr(packed_module, "stream_files", all_crash)
        with pytest.raises(PhotoError, match="crashed"):
            pack_photos(tmp_path / "cache", photos, SIDE).square(0)
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)


def test_a_photo_larger_than_was_said_is_not_written_over_its_neighbour_s_room(
    tmp_path: Path, photos: list[Wanted]
) -> None:
    larger = dataclasses.replace(photos[0], size=(10, 10))
    packed = pack_photos(tmp_path / "cache", [larger, photos[1]], SIDE)
    assert packed.square(0) is None
    assert_same(packed.part(1, 2), photos[1:2])


def test_a_photo_too_large_for_the_memory_of_one_run_is_tried_again(
    tmp_path: Path, photos: list[Wanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> object:
        raise PhotoError("too_large", "not enough memory")

    with monkeypatch.context() as patch:
        patch.setattr(packed_module, "read_square", full)
        with pytest.raises(PhotoError, match="not enough memory"):
            pack_photos(tmp_path / "cache", photos, SIDE).square(0)
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"[]", b'{"key":"x"}', b'{"key":"x","at":-1,"side":2}', b'{"key":"x","at":"a"}']
)
def test_strange_lines_of_an_index_are_passed_over(tmp_path: Path, photos: list[Wanted], line: bytes) -> None:
    pack_photos(tmp_path / "cache", photos, SIDE)
    with (pack_folder(tmp_path / "cache", SIDE) / INDEX).open("ab") as index:
        index.write(line + b"\n")
    assert_same(pack_photos(tmp_path / "cache", photos, SIDE), photos)


def test_what_it_takes_is_told_before_and_is_what_it_took(tmp_path: Path, photos: list[Wanted]) -> None:
    plan = plan_packing(tmp_path / "cache", [*photos, photos[0]], SIDE)
    assert (plan.photos, plan.new) == (4, 4)
    assert plan.bytes == 3 * (3 * SIDE**2 + 20**2)
    assert not plan.folder.exists()
    pack_photos(tmp_path / "cache", photos, SIDE)
    assert (plan.folder / PHOTOS).stat().st_size == plan.bytes
    assert plan_packing(tmp_path / "cache", photos, SIDE).bytes == 0


def test_a_disk_that_is_too_full_is_told_before_anything_is_read(
    tmp_path: Path, photos: list[Wanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = watched(monkeypatch)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(packed_module.shutil, "disk_usage", lambda _: usage(10, 10, 1000))
    with pytest.raises(OutputError, match="GB free"):
        pack_photos(tmp_path / "cache", photos, SIDE)
    assert names == []


def test_a_cache_that_can_not_be_made_is_one_clear_error(tmp_path: Path, photos: list[Wanted]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        pack_photos(tmp_path / "file", photos, SIDE)


def test_the_index_says_what_lies_where(tmp_path: Path, photos: list[Wanted]) -> None:
    pack_photos(tmp_path / "cache", photos, SIDE)
    lines = (pack_folder(tmp_path / "cache", SIDE) / INDEX).read_text().split()
    told = {each["key"]: (each["at"], each["side"]) for each in map(json.loads, lines)}
    assert told[photos[0].sha256] == (0, SIDE)
    assert told[photos[2].sha256][1] == 20


def test_progress_counts_what_is_packed(tmp_path: Path, photos: list[Wanted]) -> None:
    told: list[tuple[int, int]] = []
    pack_photos(tmp_path / "cache", photos, SIDE, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4)


@pytest.fixture
def examples(photos: list[Wanted], tmp_path: Path) -> Examples:
    """The four photos and one that is text."""
    (tmp_path / "text.png").write_text("not a photo")
    paths = (*(each.path for each in photos), tmp_path / "text.png")
    boxes = np.full((5, 4), np.nan, dtype=np.float32)
    boxes[3] = (0.1, 0.2, 0.2, 0.3)
    return dataclasses.replace(
        Examples.unlabelled(paths, [f"s:{row}" for row in range(5)]),
        codes=to_codes(np.arange(5)),
        sha256=tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths),
        sizes=np.array([*(each.size for each in photos), (1, 1)], dtype=np.int32),
        boxes=boxes,
    )


@pytest.mark.parametrize("augment", ["none", "light", "strong", "faces"])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_packed_or_not(tmp_path: Path, examples: Examples, augment: str, workers: int) -> None:
    size = 32
    (packed,) = with_packed([examples], tmp_path / "cache", size)
    assert packed.packed is not None
    read = []
    for each in (examples, packed):
        transform = PhotoTransform(size, (0.5,) * 3, (0.5,) * 3, augment)  # type: ignore[arg-type]
        dataset = PhotoDataset(each, transform, size, "train")
        sampler = BalancedSampler(each.codes, 0.0, seed=2)
        read.append(list(make_loader(dataset, sampler, 5, workers)))
    for direct, from_pack in zip(*read, strict=True):
        assert len(direct.index)
        torch.testing.assert_close(direct.images, from_pack.images, rtol=0, atol=0)
        np.testing.assert_array_equal(direct.index, from_pack.index)
        assert direct.refusals == from_pack.refusals


def test_sets_are_packed_in_one_go_and_keep_their_rows(tmp_path: Path, examples: Examples) -> None:
    def rows(begin: int, end: int) -> Examples:
        part = slice(begin, end)
        assert examples.sizes is not None
        assert examples.boxes is not None
        return dataclasses.replace(
            Examples.unlabelled(examples.paths[part], examples.photo_ids[part]),
            sha256=examples.sha256[part],
            sizes=examples.sizes[part],
            boxes=examples.boxes[part],
        )

    nameless = dataclasses.replace(rows(0, 2), sha256=())
    first, empty, last, unknown = with_packed([rows(0, 2), rows(2, 2), rows(2, 5), nameless], tmp_path / "cache", 32)
    assert unknown.packed is None
    assert len(empty) == 0
    assert [first.packed.square(0).shape, last.packed.square(0).shape] == [(40, 40, 3), (20, 20, 3)]  # type: ignore[union-attr]
    with pytest.raises(PhotoError):
        last.packed.square(2)  # type: ignore[union-attr]


def test_squares_of_another_side_are_not_taken(tmp_path: Path, examples: Examples) -> None:
    (packed,) = with_packed([examples], tmp_path / "cache", 32)
    transform = PhotoTransform(64, (0.5,) * 3, (0.5,) * 3)
    assert PhotoDataset(packed, transform, 64, "train").square(1).shape == (stored_side(64), stored_side(64), 3)
