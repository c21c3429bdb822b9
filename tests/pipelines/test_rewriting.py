"""Manifests written anew: named apart, never over an input, with all that lay beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.errors import ManifestError
from datasets.identities import PEOPLE, People, read_people, write_people
from datasets.manifest import Refusal, make_refusals, read_manifest, read_refusals, write_refusals
from pipelines.errors import SettingsError
from pipelines.rewriting import Inputs, name_manifests, read_apart, rewrite
from tests.datasets.builders import row, save_manifest


def save(folder: Path, *names: str) -> Path:
    save_manifest(folder, [row(name, source=folder.name.partition("-")[0]) for name in names])
    return folder


def again(inputs: Inputs, out: Path) -> dict[str, Path]:
    return rewrite(inputs, inputs.whole, out, "auto")


@pytest.mark.parametrize("order", [("x/b-2", "y/b", "z/b"), ("y/b", "z/b", "x/b-2"), ("y/b", "x/b-2", "z/b")])
def test_every_manifest_gets_a_name_of_its_own(tmp_path: Path, order: tuple[str, ...]) -> None:
    paths = [save(tmp_path / place, "1.jpg") for place in order]
    named = name_manifests(paths)
    assert list(named.values()) == paths
    assert all(name.startswith("b") for name in named)


def test_names_are_the_folders_and_numbers_where_they_are_taken(tmp_path: Path) -> None:
    first, second, other = (save(tmp_path / place, "1.jpg") for place in ("a/faces", "b/faces", "c/more"))
    assert name_manifests([first, second, other]) == {"faces": first, "faces-2": second, "more": other}
    for twice in (first, first / "manifest.parquet", first / ".." / "faces"):
        with pytest.raises(SettingsError, match="given twice"):
            name_manifests([first, twice])


def test_no_input_is_replaced_by_its_own_or_by_another_new_manifest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    there, other = save(out / "b", "1.jpg"), save(tmp_path / "a", "2.jpg")
    before = (there / "manifest.parquet").read_bytes()
    for inputs in ({"b": there}, {"b": other, "a": there}, {"a": there, "b": other}):
        with pytest.raises(SettingsError, match=r"b is an input and would be replaced, since .*b is written to"):
            read_apart(inputs, out)
    assert (there / "manifest.parquet").read_bytes() == before
    assert set(read_apart({"a": there, "c": other}, out).given) == {"a", "c"}


def test_what_lies_beside_a_manifest_is_carried_on(tmp_path: Path) -> None:
    one, two, out = save(tmp_path / "one", "1.jpg", "2.jpg"), save(tmp_path / "two", "3.jpg"), tmp_path / "out"
    people = People({"one:9": "one:1.jpg"}, 5, 3)
    write_people(people, one)
    refusals = make_refusals([Refusal("one:5.jpg", "read", "truncated")])
    write_refusals(refusals, one)
    write_people(people, out / "two")  # of an earlier run, when there was something to know
    manifests = again(read_apart({"one": one, "two": two}, out), out)
    assert read_people(manifests["one"].parent) == people
    assert read_refusals(manifests["one"].parent).equals(refusals)
    assert not (manifests["two"].parent / PEOPLE).exists()
    for name, folder in (("one", one), ("two", two)):
        assert read_manifest(manifests[name])["photo_id"].equals(read_manifest(folder)["photo_id"])


def test_what_is_broken_beside_a_manifest_is_said_before_the_work(tmp_path: Path) -> None:
    one = save(tmp_path / "one", "1.jpg")
    (one / PEOPLE).write_text("no json")
    with pytest.raises(ManifestError, match="table of people"):
        read_apart({"one": one}, tmp_path / "out")


def test_photos_are_found_in_their_own_folders(tmp_path: Path) -> None:
    inputs = read_apart({name: save(tmp_path / name, "1.jpg", "2.jpg") for name in ("one", "two")}, tmp_path / "out")
    assert inputs.files(["two:2.jpg", "one:1.jpg"]) == {
        "two:2.jpg": tmp_path / "two" / "2.jpg",
        "one:1.jpg": tmp_path / "one" / "1.jpg",
    }


def test_persons_are_joined_by_copies_of_a_file_and_by_what_a_merge_knew(tmp_path: Path) -> None:
    copied = {"sha256": "ab" * 32}
    save_manifest(tmp_path / "one", [row("1.jpg", source="one", **copied), row("2.jpg", source="one")])
    save_manifest(tmp_path / "two", [row("1.jpg", source="two", **copied), row("2.jpg", source="two")])
    write_people(People({"two:2.jpg": "one:2.jpg"}, 5, 0), tmp_path / "two")
    inputs = read_apart({"one": tmp_path / "one", "two": tmp_path / "two"}, tmp_path / "out")
    assert inputs.persons().tolist() == ["one:1.jpg", "one:2.jpg", "one:1.jpg", "one:2.jpg"]
    assert inputs.whole["person_id"].nunique() == 4
