"""Exporting into a folder that isn't empty: nothing stale stays there, and nothing of anybody else's goes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from datasets.errors import OutputError, UsageError
from datasets.exporting import FORMS, About
from datasets.exporting import export as export_to
from datasets.exporting.ledger import LEDGER
from datasets.manifest import make_manifest, read_manifest, write_manifest
from tests.datasets.builders import row, save_manifest
from tests.datasets.export_builders import contents, photos_of, tabled

PHOTOS = tuple(f"{name}.jpg" for name in "abcd")


def photo(name: str, **values):
    return row(name, sha256=hashlib.sha256(name.encode()).hexdigest(), **values)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return save_manifest(tmp_path / "in", [photo(name, fold=index % 2) for index, name in enumerate(PHOTOS)])


def export(manifest, out, form="imagefolder", **options):
    return export_to(manifest, out, form=form, about=About(), **options)


def folders(out: Path) -> set[Path]:
    return {path.relative_to(out) for path in out.rglob("*") if path.is_dir()}


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_that_is_now_refused_is_gone_from_the_folder(manifest, tmp_path, form):
    out = tmp_path / "out"
    export(manifest, out, form)
    assert len(photos_of(out)) == 4
    (tmp_path / "in" / "b.jpg").unlink()
    assert len(export(manifest, out, form).refusals) == 1
    assert photos_of(out) == tabled(out)
    assert len(photos_of(out)) == 3


@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_is_gone_takes_its_photo_and_its_empty_folders_along(manifest, tmp_path, form):
    export(manifest, tmp_path / "out", form)
    fewer = read_manifest(manifest).iloc[:2]
    write_manifest(fewer, tmp_path / "in")
    export(manifest, tmp_path / "out", form)
    export(manifest, tmp_path / "new", form)
    assert contents(tmp_path / "out") == contents(tmp_path / "new")
    assert folders(tmp_path / "out") == folders(tmp_path / "new")


def test_an_export_of_another_form_or_fold_takes_the_place_of_the_earlier_one(manifest, tmp_path):
    for options in ({"form": "croissant"}, {"validation_fold": 0}, {"validation_fold": 1}, {}):
        export(manifest, tmp_path / "out", **options)
        export(manifest, tmp_path / str(options), **options)
        assert contents(tmp_path / "out") == contents(tmp_path / str(options))
        assert folders(tmp_path / "out") == folders(tmp_path / str(options))
        assert photos_of(tmp_path / "out") == tabled(tmp_path / "out")


def test_originals_outlive_what_is_removed(manifest, tmp_path):
    before = contents(tmp_path / "in")
    export(manifest, tmp_path / "out")
    export(save_manifest(tmp_path / "other", [photo("z.jpg")]), tmp_path / "out")
    assert contents(tmp_path / "in") == before
    assert len(photos_of(tmp_path / "out")) == 1


@pytest.mark.parametrize("name", ["mine.txt", "README.md", "train/metadata.csv", "train/zz/1.jpg"])
@pytest.mark.parametrize("after", [False, True])
def test_what_no_export_wrote_is_left_alone_and_in_the_way(manifest, tmp_path, name, after):
    out = tmp_path / "out"
    if after:
        export(manifest, out, form="croissant")
    mine = out / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    before = contents(out)
    with pytest.raises(UsageError, match=f"holds {name}, which no export wrote there: name another folder"):
        export(manifest, out)
    assert contents(out) == before


@pytest.mark.parametrize("name", [".DS_Store", ".git/config", "train/.a.jpg.1.ab.tmp", "README.md~", "Thumbs.db"])
def test_hidden_and_passing_files_are_neither_in_the_way_nor_removed(manifest, tmp_path, name):
    out = tmp_path / "out"
    passing = out / name
    passing.parent.mkdir(parents=True)
    passing.write_text("not ours")
    export(manifest, out)
    export(manifest, out, validation_fold=0)
    assert passing.read_text() == "not ours"
    assert photos_of(out) == tabled(out)


def test_a_link_to_another_folder_is_in_the_way(manifest, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "train").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="holds train, which no export wrote"):
        export(manifest, tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_export_that_was_cut_off_is_taken_up_by_the_next_one(manifest, tmp_path):
    out = tmp_path / "out"
    (out / "refusals.csv").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"cannot write .*refusals\.csv"):
        export(manifest, out, validation_fold=0)
    assert len(photos_of(out)) == 4
    (out / "refusals.csv").rmdir()
    export(manifest, out)
    export(manifest, tmp_path / "new")
    assert contents(out) == contents(tmp_path / "new")


def test_a_list_of_what_was_exported_cannot_reach_outside(manifest, tmp_path):
    out, outside = tmp_path / "out", tmp_path / "precious.txt"
    outside.write_text("mine")
    export(manifest, out)
    with (out / LEDGER).open("a") as ledger:
        ledger.write("../precious.txt\n")
    with pytest.raises(UsageError, match="which no export wrote"):
        export(manifest, out)
    (out / LEDGER).write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot read"):
        export(manifest, out)
    assert outside.read_text() == "mine"


def test_a_manifests_own_photos_are_never_exported_over(manifest, tmp_path):
    out = tmp_path / "out"
    export(manifest, out)
    taken = [row(f"out/{name}", fold=0) for name in sorted(photos_of(out))]
    write_manifest(make_manifest(taken), tmp_path)
    with pytest.raises(UsageError, match="holds the manifest's own photos"):
        export(tmp_path, out, validation_fold=0)
    assert {each["path"] for each in taken} == {f"out/{name}" for name in photos_of(out)}
    assert len(export(tmp_path, tmp_path / "beside").refusals) == 0
