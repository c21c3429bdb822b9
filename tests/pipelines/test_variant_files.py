"""Names of variants: inside the folder, none twice; and removing an earlier run's."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.variant_files import forget_run, holds_other_manifest, make_tasks
from synth.journal import FOLDER, NAME
from synth.run import PhotoTask
from tests.datasets.builders import row, save_manifest


def stems(*ids: str) -> dict[str, str]:
    return {task.photo_id: task.stem for task in make_tasks({photo_id: Path(photo_id) for photo_id in ids})}


def test_a_variant_lies_where_its_photo_does() -> None:
    made = stems("folder:a.jpg", "folder:x/y/z/b.JPEG", "folder:two.dots.png")
    assert list(made.values()) == ["a", "two.dots", "x/y/z/b"]


def test_tasks_are_in_the_order_of_ids_with_their_files() -> None:
    tasks = make_tasks({"folder:b.jpg": Path("1"), "folder:a.jpg": Path("2")})
    assert [(task.photo_id, task.path) for task in tasks] == [
        ("folder:a.jpg", Path("2")),
        ("folder:b.jpg", Path("1")),
    ]


def test_two_suffixes_of_one_name_are_kept_apart() -> None:
    assert stems("folder:a.jpg", "folder:a.png") == {"folder:a.jpg": "a.jpg", "folder:a.png": "a.png"}


@pytest.mark.parametrize(
    "ids",
    [
        ("folder:a.jpg", "folder:a.png", "folder:a.jpg.jpg"),
        ("folder:a.jpg", "folder:A.jpg"),
        ("folder:d/a.jpg", "folder:D/a.jpg"),
        ("one:a.jpg", "two:a.jpg"),
        ("folder:\u00fc.jpg", "folder:u\u0308.jpg"),
        (f"folder:{'a' * 230}1.jpg", f"folder:{'a' * 230}2.jpg"),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_kept_apart(ids: tuple[str, ...]) -> None:
    made = stems(*ids)
    assert len({stem.lower() for stem in made.values()}) == len(ids)
    assert made == stems(*reversed(ids))


@pytest.mark.parametrize("name", ["../../etc/x.jpg", "/etc/x.jpg", "a/../../x.jpg", "", ".", "C:/x.jpg", "a\\..\\x"])
def test_no_id_leads_outside(name: str) -> None:
    stem = stems(f"folder:{name}")[f"folder:{name}"]
    assert stem.startswith("photo-")
    assert "/" not in stem


PARTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(names=st.lists(st.lists(PARTS, max_size=3).map("/".join), unique=True, max_size=6))
def test_any_ids_give_different_names_inside_that_a_file_system_takes(names: list[str]) -> None:
    made = stems(*(f"folder:{name}" for name in names))
    assert len(set(made.values())) == len(names)
    for stem in made.values():
        path = PurePosixPath(f"{stem}__not_wear100.jpg")
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert "\0" not in stem
        assert all(len(part.encode()) <= 255 for part in path.parts)


def journal(out: Path, *paths: str) -> None:
    lines = [{"identity": "x"}]
    lines += [{"photo_id": p, "stamp": [], "refusals": [], "variants": [{"path": p, "bytes": 1}]} for p in paths]
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    (out / FOLDER / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))


def touch(out: Path, *names: str) -> None:
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"x")


def left(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_an_earlier_run_is_removed_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    save_manifest(out, [row("listed__wear1.jpg")])
    touch(out, "d/journaled__wear1.jpg", "d/killed__wear4.jpg", "refusals.csv", "people.json", "preview.jpg")
    touch(out, "mine.jpg", "d/mine__wear1.jpg", "d/killed__mine.jpg", "d/killed__wear1.png")
    journal(out, "d/journaled__wear1.jpg", "gone__wear1.jpg")
    forget_run(out, [PhotoTask("folder:d/killed.jpg", Path("x"), "d/killed")])
    assert left(out) == {"mine.jpg", "d/mine__wear1.jpg", "d/killed__mine.jpg", "d/killed__wear1.png"}


def test_without_a_journal_nothing_is_removed(tmp_path: Path) -> None:
    # A dataset's own folder: its manifest lists its photos.
    save_manifest(tmp_path, [row("photo.jpg")])
    (tmp_path / FOLDER).mkdir()
    before = left(tmp_path)
    forget_run(tmp_path)
    assert left(tmp_path) == before
    assert holds_other_manifest(tmp_path)
    journal(tmp_path)
    assert not holds_other_manifest(tmp_path)


def test_a_journal_leads_nowhere_outside(tmp_path: Path) -> None:
    touch(tmp_path, "precious.txt")
    journal(tmp_path / "out", "../precious.txt", str(tmp_path / "precious.txt"))
    forget_run(tmp_path / "out")
    assert (tmp_path / "precious.txt").exists()


def test_a_broken_manifest_does_not_stop_it(tmp_path: Path) -> None:
    touch(tmp_path, "manifest.parquet", "a__wear1.jpg")
    journal(tmp_path, "a__wear1.jpg")
    forget_run(tmp_path)
    assert left(tmp_path) == set()
