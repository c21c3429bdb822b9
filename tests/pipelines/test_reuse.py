"""Reuse: by content, never by path or date."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datasets.errors import OutputError
from pipelines.reuse import DONE, code_digest, folder_digest, forget, is_finished, key_of, mark_finished


def make_folder(root: Path) -> Path:
    (root / "inner").mkdir(parents=True)
    (root / "a.jpg").write_bytes(b"one")
    (root / "inner" / "b 'quoted' 한글.jpg").write_bytes(b"two")
    return root


def test_a_folder_is_known_by_names_and_contents(tmp_path: Path) -> None:
    first, second = make_folder(tmp_path / "first"), make_folder(tmp_path / "second")
    os.utime(second / "a.jpg", (1, 1))
    assert folder_digest(first) == folder_digest(second)
    (second / "a.jpg").write_bytes(b"uno")
    assert folder_digest(first) != folder_digest(second)
    (second / "a.jpg").rename(second / "c.jpg")
    (second / "c.jpg").write_bytes(b"one")
    assert folder_digest(first) != folder_digest(second)


def test_contents_that_move_between_files_are_noticed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, contents in ((first, ("x", "y")), (second, ("y", "x"))):
        folder.mkdir()
        for name, content in zip(("a", "b"), contents, strict=True):
            (folder / name).write_text(content)
    assert folder_digest(first) != folder_digest(second)


def test_links_that_lead_nowhere_do_not_stop_it(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root")
    before = folder_digest(root)
    (root / "dangling.jpg").symlink_to("nowhere")
    (root / "cycle").symlink_to(root)
    assert folder_digest(root) != before


@pytest.mark.timeout(20)
def test_links_to_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root")
    (root / "endless.jpg").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    (root / "pipe.jpg").symlink_to(tmp_path / "pipe")
    known = folder_digest(root)
    (root / "endless.jpg").unlink()
    assert folder_digest(root) != known


def test_an_output_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to .*file: Not a directory"):
        forget(tmp_path / "file")


def test_finished_work_is_known_by_its_key_and_its_bytes(tmp_path: Path) -> None:
    output = tmp_path / "manifest.parquet"
    output.write_bytes(b"rows")
    key = key_of(stage="merge", seed=1)
    assert not is_finished(tmp_path, key)
    mark_finished(tmp_path, key, [output])
    assert is_finished(tmp_path, key)
    assert not is_finished(tmp_path, key_of(stage="merge", seed=2))
    output.write_bytes(b"other rows")
    assert not is_finished(tmp_path, key)
    output.unlink()
    assert not is_finished(tmp_path, key)


def test_work_that_began_again_is_not_finished(tmp_path: Path) -> None:
    mark_finished(tmp_path, "key", [])
    forget(tmp_path)
    assert not is_finished(tmp_path, "key")
    forget(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": "key"}', b'{"key": "key", "outputs": 3}', b"\xff"])
def test_a_broken_mark_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DONE).write_bytes(content)
    assert not is_finished(tmp_path, "key")


def test_keys_differ_by_value_and_not_by_order() -> None:
    assert key_of(a=1, b={"x": 1, "y": 2}) == key_of(b={"y": 2, "x": 1}, a=1)
    assert key_of(a=1) != key_of(a="1")


def test_changing_a_helper_changes_the_code_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "roomlike"
    (package / "deep").mkdir(parents=True)
    for path in (package / "__init__.py", package / "deep" / "__init__.py", package / "deep" / "helper.py"):
        path.write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = code_digest("roomlike")
    (package / "deep" / "helper.py").write_text("CHANGED = True\n")
    code_digest.cache_clear()
    assert code_digest("roomlike") != before
    with pytest.raises(ModuleNotFoundError):
        code_digest("no_such_room")
