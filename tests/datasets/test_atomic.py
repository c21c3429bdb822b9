from __future__ import annotations

import stat

import pytest

from datasets.atomic import atomic_write
from datasets.errors import OutputError
from tests.datasets.builders import as_nobody, open_folder


def test_replaces_in_one_step(tmp_path):
    target = tmp_path / "new" / "a.txt"
    for text in ("first", "second"):
        with atomic_write(target, durable=True) as temporary:
            assert temporary.parent == target.parent
            assert temporary.name.startswith(".")
            temporary.write_text(text)
        assert target.read_text() == text
    assert [entry.name for entry in target.parent.iterdir()] == ["a.txt"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail():
        with atomic_write(target) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert target.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_what_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), atomic_write(tmp_path / "file" / "a"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write"), atomic_write(tmp_path / "folder"):
        pass
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


def test_folder_without_permission():
    with open_folder() as folder:
        folder.chmod(0o555)
        with as_nobody(), pytest.raises(OutputError, match="Permission denied"), atomic_write(folder / "a"):
            pass


def test_long_names(tmp_path):
    name = "n" * 200 + ".jpg"
    with atomic_write(tmp_path / name) as temporary:
        temporary.write_text("x")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
