"""Embeddings kept by content, in one file and the parts of work that was not ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.errors import OutputError
from pipelines import face_cache
from pipelines.face_cache import Embedding, FaceCache

EMBEDDING_SIZE = 16


def vectors(letters: str) -> dict[str, Embedding | None]:
    """Embeddings by hash, in the letters' order; of a capital letter none."""
    return {
        letter * 64: None if letter.isupper() else np.full(EMBEDDING_SIZE, ord(letter), np.float16)
        for letter in letters
    }


def assert_same(cache: FaceCache, expected: dict[str, Embedding | None]) -> None:
    assert cache.known.keys() == expected.keys()
    for name, row in expected.items():
        np.testing.assert_array_equal(cache.known[name], row)
        assert getattr(cache.known[name], "dtype", None) == getattr(row, "dtype", None)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"not a zip"])
def test_a_broken_cache_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.npz").write_bytes(content)
    assert FaceCache.open(tmp_path / "faces.npz", "version").known == {}


def test_the_caches_bytes_do_not_depend_on_the_order_of_work_or_on_its_parts(tmp_path: Path) -> None:
    for name, parts in (("one.npz", ["abCd"]), ("two.npz", ["dC", "b", "a"])):
        cache = FaceCache(tmp_path / name, "version")
        for letters in parts:
            cache.add(vectors(letters))
        cache.merge()
        assert_same(FaceCache.open(tmp_path / name, "version"), vectors("abCd"))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two.npz"]


def test_each_part_holds_what_is_new_and_all_of_them_are_read(tmp_path: Path) -> None:
    cache = FaceCache(tmp_path / "faces.npz", "version")
    cache.add(vectors("ab"))
    cache.merge()
    whole = cache.path.read_bytes()
    for letters in ("c", "D", ""):
        cache.add(vectors(letters))
    assert cache.path.read_bytes() == whole
    assert [len(FaceCache.open(part, "version").known) for part in cache.part_files()] == [1, 1]
    assert_same(FaceCache.open(cache.path, "version"), vectors("abcD"))


def test_parts_that_are_broken_or_of_another_version_count_for_nothing_and_go(tmp_path: Path) -> None:
    old = FaceCache(tmp_path / "faces.npz", "old")
    old.add(vectors("x"))
    cache = FaceCache(tmp_path / "faces.npz", "new")
    cache.add(vectors("a"))
    (cache.parts / "broken.npz").write_bytes(b"PK")
    assert_same(FaceCache.open(cache.path, "new"), vectors("a"))
    assert_same(FaceCache.open(cache.path, "old"), vectors("x"))
    FaceCache.open(cache.path, "new").merge()
    assert not cache.parts.exists()
    assert_same(FaceCache.open(cache.path, "new"), vectors("a"))
    assert FaceCache.open(cache.path, "old").known == {}


def test_two_runs_at_once_lose_nothing_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (FaceCache.open(tmp_path / "faces.npz", "version") for _ in range(2))
    one.add(vectors("a"))
    two.add(vectors("b"))
    one.merge()  # of a part that it had not read when it began
    two.add(vectors("c"))
    two.merge()  # over a file that it had not read
    assert_same(FaceCache.open(tmp_path / "faces.npz", "version"), vectors("abc"))

    write = face_cache._write

    def write_late(file: Path, version: str, known: dict[str, Embedding | None]) -> None:
        if file == one.path:
            two.add(vectors("d"))  # once the parts have been read
        write(file, version, known)

    one.add(vectors("e"))
    monkeypatch.setattr(face_cache, "_write", write_late)
    one.merge()
    assert_same(FaceCache.open(tmp_path / "faces.npz", "version"), vectors("abcde"))


def test_a_kill_while_parts_are_removed_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FaceCache(tmp_path / "faces.npz", "version")
    cache.add(vectors("a"))
    cache.add(vectors("b"))

    def killed(self: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            cache.merge()
    assert_same(FaceCache.open(cache.path, "version"), vectors("ab"))
    FaceCache.open(cache.path, "version").merge()
    assert not cache.parts.exists()


def test_a_folder_that_takes_no_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "faces.parts").write_text("a file")
    with pytest.raises(OutputError, match=r"faces\.parts"):
        FaceCache(tmp_path / "faces.npz", "version").add(vectors("a"))
