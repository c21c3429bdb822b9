"""The journal: what it remembers, and what a kill or a change makes it forget."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from synth.errors import OutputError, SynthUsageError
from synth.journal import FOLDER, NAME, Journal, has_journal, recorded_identity, recorded_variants, run_lock
from synth.run import PhotoTask, file_stamp


def task_of(folder: Path, name: str = "a") -> PhotoTask:
    path = folder / f"{name}.jpg"
    if not path.exists():
        path.write_bytes(b"photo")
    return PhotoTask(f"folder:{name}.jpg", path, name)


def outcome_of(task: PhotoTask, out: Path, *keys: str) -> dict[str, Any]:
    """The outcome of a photo, with its variants in place."""
    variants = []
    for key in keys:
        relative = f"{task.stem}__{key}.jpg"
        out.mkdir(exist_ok=True)
        (out / relative).write_bytes(b"variant")
        variants.append({"path": relative, "bytes": 7})
    return {"photo_id": task.photo_id, "stamp": file_stamp(task.path), "variants": variants, "refusals": []}


def journal_of(out: Path) -> Path:
    return out / FOLDER / NAME


def test_what_was_recorded_is_done_when_the_journal_is_opened_again(tmp_path: Path) -> None:
    out, first, second = tmp_path / "out", task_of(tmp_path, "a"), task_of(tmp_path, "b")
    recorded = outcome_of(first, out, "wear1")
    with Journal(out, "same") as journal:
        assert not journal.is_done(first)
        journal.record(recorded)
        assert journal.is_done(first)
    with Journal(out, "same") as journal:
        assert journal.is_done(first)
        assert not journal.is_done(second)
        assert journal.outcomes([second, first]) == [recorded]
    assert recorded_variants(out) == ["a__wear1.jpg"]


def test_outcomes_come_in_the_order_asked_for(tmp_path: Path) -> None:
    out, tasks = tmp_path / "out", [task_of(tmp_path, name) for name in "abc"]
    with Journal(out, "same") as journal:
        for task in reversed(tasks):
            journal.record(outcome_of(task, out))
        assert [outcome["photo_id"] for outcome in journal.outcomes(tasks)] == [task.photo_id for task in tasks]


def test_a_photo_recorded_twice_counts_as_last_recorded(tmp_path: Path) -> None:
    out, task = tmp_path / "out", task_of(tmp_path)
    with Journal(out, "same") as journal:
        journal.record(outcome_of(task, out, "wear1"))
        journal.record(outcome_of(task, out, "wear1", "wear2"))
    with Journal(out, "same") as journal:
        assert [len(outcome["variants"]) for outcome in journal.outcomes([task])] == [2]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_last_line_cut_short_is_dropped_and_the_rest_kept(tmp_path: Path, cut: int) -> None:
    out, first, second = tmp_path / "out", task_of(tmp_path, "a"), task_of(tmp_path, "b")
    with Journal(out, "same") as journal:
        journal.record(outcome_of(first, out, "wear1"))
        journal.record(outcome_of(second, out, "wear1"))
    whole = journal_of(out).read_bytes()
    os.truncate(journal_of(out), len(whole) - cut)
    with Journal(out, "same") as journal:
        assert journal.is_done(first)
        assert not journal.is_done(second)
        journal.record(outcome_of(second, out, "wear1"))
    assert journal_of(out).read_bytes() == whole


@pytest.mark.parametrize("garbage", [b"\x00" * 40, b"[1, 2]\n", b"3\n", b"{}\n", b'{"photo_id": "x"}\n', b"\xff\xfe\n"])
def test_garbage_and_what_follows_it_is_dropped(tmp_path: Path, garbage: bytes) -> None:
    out, first, second = tmp_path / "out", task_of(tmp_path, "a"), task_of(tmp_path, "b")
    with Journal(out, "same") as journal:
        journal.record(outcome_of(first, out))
    line = json.dumps(outcome_of(second, out)).encode() + b"\n"
    journal_of(out).write_bytes(journal_of(out).read_bytes() + garbage + line)
    with Journal(out, "same") as journal:
        assert journal.is_done(first)
        assert not journal.is_done(second)
    lines = journal_of(out).read_text().splitlines()
    assert [set(json.loads(line)) & {"identity", "photo_id"} for line in lines] == [{"identity"}, {"photo_id"}]


@pytest.mark.parametrize("content", [b"", b'{"iden', b"{}\n", b"null\n", b"\x00" * 100])
def test_a_journal_without_its_first_line_begins_anew(tmp_path: Path, content: bytes) -> None:
    out, task = tmp_path / "out", task_of(tmp_path)
    journal_of(out).parent.mkdir(parents=True)
    journal_of(out).write_bytes(content)
    assert recorded_variants(out) == []
    with Journal(out, "same") as journal:
        journal.record(outcome_of(task, out))
    assert json.loads(journal_of(out).read_text().splitlines()[0]) == {"identity": "same"}
    with Journal(out, "same") as journal:
        assert journal.is_done(task)


def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Journal(out, "one") as journal:
        journal.record(outcome_of(task_of(tmp_path), out))
    before = journal_of(out).read_bytes()
    with pytest.raises(SynthUsageError, match=r"other options.*--overwrite"), Journal(out, "other"):
        pass
    assert journal_of(out).read_bytes() == before


def test_a_changed_photo_is_not_done(tmp_path: Path) -> None:
    out, task = tmp_path / "out", task_of(tmp_path)
    with Journal(out, "same") as journal:
        journal.record(outcome_of(task, out, "wear1"))
        os.utime(task.path, ns=(1, task.path.stat().st_mtime_ns + 1_000_000))
        assert not journal.is_done(task)


def test_a_photo_that_is_gone_is_not_done_and_one_that_never_was_can_be(tmp_path: Path) -> None:
    out, task = tmp_path / "out", task_of(tmp_path)
    with Journal(out, "same") as journal:
        journal.record(outcome_of(task, out))
        task.path.unlink()
        assert not journal.is_done(task)
        journal.record(outcome_of(task, out))
        assert journal.is_done(task)


@pytest.mark.parametrize("damage", ["missing", "shorter", "folder"])
def test_a_missing_or_damaged_variant_is_made_again(tmp_path: Path, damage: str) -> None:
    out, task = tmp_path / "out", task_of(tmp_path)
    with Journal(out, "same") as journal:
        journal.record(outcome_of(task, out, "wear1", "wear2"))
        assert journal.is_done(task)
        variant = out / "a__wear2.jpg"
        variant.unlink()
        if damage == "shorter":
            variant.write_bytes(b"var")
        elif damage == "folder":
            variant.mkdir()
        assert not journal.is_done(task)


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"), Journal(tmp_path / "file", "same"):
        pass
    with pytest.raises(OutputError, match="cannot write"), run_lock(tmp_path / "file"):
        pass


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    with run_lock(tmp_path), pytest.raises(SynthUsageError, match="another run"), run_lock(tmp_path):
        pass
    with run_lock(tmp_path):
        pass


def test_names_in_any_script_come_back(tmp_path: Path) -> None:
    out, task = tmp_path / "out", task_of(tmp_path, "가나 'q\" ü")
    with Journal(out, "same") as journal:
        journal.record(outcome_of(task, out, "wear1"))
    with Journal(out, "same") as journal:
        assert journal.is_done(task)


def _noted(out: Path, names: list[str]) -> None:
    with Journal(out, "same") as journal:
        for name in names:
            (out / f"{name}__wear1.jpg").write_bytes(b"x")
            variants = [{"path": f"{name}__wear1.jpg", "bytes": 1}]
            journal.record({"photo_id": name, "stamp": [], "variants": variants, "refusals": []})


def test_variants_of_photos_that_are_gone_are_removed(tmp_path: Path) -> None:
    _noted(tmp_path, ["a", "b"])
    with Journal(tmp_path, "same") as journal:
        journal.drop_absent([PhotoTask("b", tmp_path / "b.jpg", "b")])
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["b__wear1.jpg"]


def test_other_photos_do_not_take_over_a_folder(tmp_path: Path) -> None:
    _noted(tmp_path, ["a", "b"])
    with Journal(tmp_path, "same") as journal, pytest.raises(SynthUsageError, match="holds variants of other photos"):
        journal.drop_absent([PhotoTask("c", tmp_path / "c.jpg", "c")])
    assert len(list(tmp_path.glob("*.jpg"))) == 2


def test_a_journal_tells_whose_settings_it_is_of(tmp_path: Path) -> None:
    assert not has_journal(tmp_path)
    assert recorded_identity(tmp_path) is None
    with Journal(tmp_path, "same") as journal:
        journal.record(outcome_of(task_of(tmp_path, "a"), tmp_path))
    assert has_journal(tmp_path)
    assert recorded_identity(tmp_path) == "same"
    journal_of(tmp_path).write_bytes(b"\xff garbled\n")
    assert recorded_identity(tmp_path) is None
