from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path, PurePosixPath

import pandas as pd
import pytest
import yaml

from datasets.card import CARD
from datasets.errors import UsageError
from datasets.exporting import FORMS, About, export
from datasets.labels import AXES
from datasets.manifest import make_manifest, read_manifest, write_manifest
from datasets.readers import ingest
from datasets.schema import COLUMNS
from tests.datasets.builders import row, save_photo
from tests.datasets.export_builders import contents, table

ABOUT = About(name='Team "A": masks', url="https://example.org/masks", creator="Team A", published="2026-02-03")


def source(folder: Path, **changes) -> Path:
    """Six photos of three people on disk, in paths that name splits and labels, and a manifest of them."""
    rows = []
    for index in range(6):
        path = f"train/test_{index}/Asian 45,{index}.{'png' if index == 5 else 'jpg'}"
        file = save_photo(folder / path, seed=index)
        labels = {} if index == 4 else {"mask": "wear", "gender": "female", "age": 20.0 + 10 * index}
        rows.append(
            row(path, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), person_id=f"folder:{index // 2}",
                fold=index // 2, licence=("CC-BY-4.0", "Odd-Terms")[index == 3], **labels, **changes)
        )  # fmt: skip
    return write_manifest(make_manifest(rows), folder)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fold", [None, 1])
def test_every_row_has_its_photo_and_every_photo_its_row(tmp_path, form, fold):
    manifest = read_manifest(source(tmp_path / "in")).set_index("photo_id")
    out = tmp_path / "out"
    made = export(tmp_path / "in", out, form=form, validation_fold=fold, about=ABOUT)
    assert made.splits == ({"train": 6} if fold is None else {"train": 4, "validation": 2})
    seen = set()
    for file in out.rglob("metadata.csv"):
        for line in table(file):
            photo = file.parent / line["file_name"]
            assert hashlib.sha256(photo.read_bytes()).hexdigest() == line["sha256"]
            known = manifest.loc[line["photo_id"]]
            assert (line["gender"] or None) == (None if pd.isna(known["gender"]) else known["gender"])
            split = "validation" if fold is not None and known["fold"] == fold else "train"
            assert photo.relative_to(out).parts[0] == split
            seen.add(photo)
    assert seen == {path for path in out.rglob("*") if path.suffix in (".jpg", ".png")}
    assert len(seen) == 6


def test_no_path_of_a_source_stays_in_names(tmp_path):
    source(tmp_path / "in")
    export(tmp_path / "in", tmp_path / "out", form="imagefolder", about=ABOUT)
    for path in (tmp_path / "out" / "train").rglob("*.*g"):
        assert not set(path.relative_to(tmp_path / "out" / "train").parts) & {"train", "test"}
        assert "Asian" not in str(path.relative_to(tmp_path))


@pytest.mark.parametrize("form", FORMS)
def test_again_gives_the_same_bytes_and_copies_equal_links(tmp_path, form):
    source(tmp_path / "in")
    for name, copy in (("a", False), ("a", False), ("b", True)):
        export(tmp_path / "in", tmp_path / name, form=form, copy=copy, about=ABOUT)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    photos = [next((tmp_path / name / "train").rglob("*.jpg")) for name in "ab"]
    assert [path.stat().st_nlink for path in photos] == [2, 1]


def test_an_imagefolder_is_read_back_with_its_labels(tmp_path):
    before = read_manifest(source(tmp_path / "in")).set_index("sha256")
    export(tmp_path / "in", tmp_path / "out", form="imagefolder", about=ABOUT)
    after = ingest("folder", tmp_path / "out" / "train").manifest.set_index("sha256").loc[before.index]
    for column in ("mask", "gender", "age", "age_group", "label", "licence"):
        pd.testing.assert_series_equal(before[column], after[column])
    assert after["person_id"].nunique() == 3


def test_the_readme_is_what_loaders_read_and_the_card(tmp_path):
    source(tmp_path / "in")
    (tmp_path / "in" / CARD).write_text("# A card\n")
    export(tmp_path / "in", tmp_path / "out", form="imagefolder", validation_fold=2, about=ABOUT)
    head, _, rest = (tmp_path / "out" / "README.md").read_text().removeprefix("---\n").partition("---\n")
    told = yaml.safe_load(head)
    assert told["pretty_name"] == ABOUT.name
    assert told["license"] == ["cc-by-4.0", "other"]
    files = {each["split"]: each["path"] for each in told["configs"][0]["data_files"]}
    assert files == {"train": "train/**", "validation": "validation/**"}
    assert rest.strip() == "# A card"


def test_a_croissant_says_where_everything_is(tmp_path):
    """Checked against the specification 1.0: required properties, unique ids, references that lead somewhere."""
    source(tmp_path / "in")
    out = tmp_path / "out"
    made = export(tmp_path / "in", out, form="croissant", validation_fold=1, about=ABOUT)
    told = json.loads((out / "croissant.json").read_text())
    assert made.missing == ()
    required = {"@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished"}
    assert required | {"distribution", "recordSet"} <= set(told)
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert told["license"] == ["https://creativecommons.org/licenses/by/4.0/", "Odd-Terms (Odd-Terms)"]
    defined, referred = ids(told["distribution"] + told["recordSet"])
    assert len(defined) == len(set(defined))
    assert referred
    assert referred <= set(defined)
    objects = {each["@id"]: each for each in told["distribution"]}
    listed = objects["metadata.csv"]
    content = (out / listed["contentUrl"]).read_bytes()
    assert listed["sha256"] == hashlib.sha256(content).hexdigest()
    assert listed["contentSize"] == f"{len(content)} B"
    globs = objects["photo-files"]["includes"]
    photos = {path.relative_to(out).as_posix() for glob in globs for path in out.glob(glob)}
    assert photos == {line["file_name"] for line in table(out / "metadata.csv")}
    assert objects["photo-files"]["encodingFormat"] == ["image/jpeg", "image/png"]


def ids(nodes: list) -> tuple[list[str], set[str]]:
    """Ids that are defined, and ids that are referred to: objects that hold nothing but an id."""
    defined, referred, left = [], set(), list(nodes)
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, dict):
            if set(node) == {"@id"}:
                referred.add(node["@id"])
            elif "@id" in node:
                defined.append(node["@id"])
            left += [value for key, value in node.items() if key != "data"]
    return defined, referred


def test_the_fields_of_a_croissant_are_the_columns_of_its_table(tmp_path):
    source(tmp_path / "in")
    export(tmp_path / "in", tmp_path / "out", form="croissant", about=ABOUT)
    told = json.loads((tmp_path / "out" / "croissant.json").read_text())
    records = next(each for each in told["recordSet"] if each["@id"] == "photos")
    lines = table(tmp_path / "out" / "metadata.csv")
    columns = [field["name"] for field in records["field"] if field["name"] != "image"]
    assert columns == list(lines[0])
    assert set(columns) - {"file_name", "split", "class"} <= set(COLUMNS)
    kinds = {field["name"]: field["dataType"] for field in records["field"]}
    parse = {"sc:Integer": int, "sc:Float": float, "sc:Text": str}
    for line in lines:
        for name, value in line.items():
            kind = kinds[name] if isinstance(kinds[name], str) else kinds[name][0]
            if value:
                parse[kind](value)
    names = {
        each["@id"]: {value for record in each["data"] for value in record.values()} for each in told["recordSet"][:-1]
    }
    assert {line["mask"] for line in lines} - {""} <= names["masks"]
    assert {line["split"] for line in lines} <= names["splits"]


def joined(out: Path) -> list[dict[str, str]]:
    """The records of `photos`, put together as the specification says: files met with rows by a field that refers."""
    told = json.loads((out / "croissant.json").read_text())
    objects = {each["@id"]: each for each in told["distribution"]}
    records = next(each for each in told["recordSet"] if each["@id"] == "photos")
    key = next(field for field in records["field"] if field["@id"] == records["key"]["@id"])
    assert key["source"]["extract"] == {"fileProperty": "fullpath"}
    pattern, other = re.compile(key["source"]["transform"]["regex"]), key["references"]
    lines = {line[other["extract"]["column"]]: line for line in table(out / other["fileObject"]["@id"])}
    globs = objects[key["source"]["fileSet"]["@id"]]["includes"]
    paths = sorted({path.relative_to(out).as_posix() for glob in globs for path in out.glob(glob)})
    rows = [lines[match[1]] for match in map(pattern.match, paths) if match]
    assert len(rows) == len(paths)
    columns = {
        field["@id"]: field["source"]["extract"]["column"]
        for field in records["field"]
        if field["source"].get("fileObject") == {"@id": other["fileObject"]["@id"]}
    }
    return [{name: row[column] for name, column in columns.items()} for row in rows]


def test_files_and_rows_of_a_croissant_meet(tmp_path):
    manifest = read_manifest(source(tmp_path / "in")).set_index("photo_id")
    export(tmp_path / "in", tmp_path / "out", form="croissant", validation_fold=0, about=ABOUT)
    records = joined(tmp_path / "out")
    assert {record["photos/photo_id"] for record in records} == set(manifest.index)
    for record in records:
        known = manifest.loc[record["photos/photo_id"]]
        assert record["photos/person_id"] == known["person_id"]
        assert record["photos/split"] == ("validation" if known["fold"] == 0 else "train")


def test_labels_of_a_croissant_refer_to_the_words_there_are(tmp_path):
    source(tmp_path / "in")
    export(tmp_path / "in", tmp_path / "out", form="croissant", about=ABOUT)
    sets = {each["@id"]: each for each in json.loads((tmp_path / "out" / "croissant.json").read_text())["recordSet"]}
    fields = {field["@id"]: field for field in sets["photos"]["field"]}
    expected = {"mask": "masks", "gender": "genders", "age_group": "age_groups", "split": "splits"}
    referring = {
        name.removeprefix("photos/"): field["references"]["field"]["@id"]
        for name, field in fields.items()
        if "field" in field.get("references", {})
    }
    assert referring == {name: f"{words}/name" for name, words in expected.items()}
    for axis, words in AXES.items():
        named = sets[expected[axis]]
        assert named["dataType"] == "sc:Enumeration"
        assert named["key"] == {"@id": f"{expected[axis]}/name"}
        assert [each[f"{expected[axis]}/name"] for each in named["data"]] == list(words)
    labels = {name.removeprefix("photos/") for name, field in fields.items() if "cr:Label" in field["dataType"]}
    assert labels == {*AXES, "label", "class"}
    assert [each["@id"] for each in sets["splits"]["field"]] == ["splits/name", "splits/url"]
    assert sets["splits"]["data"] == [{"splits/name": "train", "splits/url": "cr:TrainingSplit"}]


def test_mlcroissant_reads_a_croissant(tmp_path):
    import mlcroissant

    source(tmp_path / "in")
    export(tmp_path / "in", tmp_path / "out", form="croissant", about=ABOUT)
    records = list(mlcroissant.Dataset(tmp_path / "out" / "croissant.json").records(record_set="photos"))
    assert len(records) == 6
    assert {record["photos/gender"] for record in records} == {b"female", None}


def test_what_croissant_requires_and_nobody_gave_is_said(tmp_path):
    source(tmp_path / "in")
    made = export(tmp_path / "in", tmp_path / "out", form="croissant", about=About(creator="A"))
    assert made.missing == ("url", "datePublished")
    assert export(tmp_path / "in", tmp_path / "o2", form="imagefolder", about=About()).missing == ()


def test_a_photo_that_is_gone_is_refused(tmp_path):
    source(tmp_path / "in")
    gone = next((tmp_path / "in").rglob("*.png"))
    gone.unlink()
    made = export(tmp_path / "in", tmp_path / "out", form="croissant", about=ABOUT)
    assert made.splits == {"train": 5}
    assert made.refusals["reason"].tolist() == ["missing_photo"]
    assert "png" not in (tmp_path / "out" / "croissant.json").read_text()
    assert (tmp_path / "out" / "refusals.csv").read_text().count("\n") == 2
    told = (tmp_path / "out" / CARD).read_text()
    assert told.endswith(
        "1 row of the manifest, counted above, is missing here; the `refusals.csv` in this folder says why.\n"
    )
    assert "isn't known here" in told
    save_photo(gone)
    export(tmp_path / "in", tmp_path / "out", form="croissant", about=ABOUT)
    assert "missing here" not in (tmp_path / "out" / CARD).read_text()


@pytest.mark.parametrize("form", FORMS)
def test_a_card_that_is_no_text_is_said_before_anything_is_written(tmp_path, form):
    source(tmp_path / "in")
    (tmp_path / "in" / CARD).write_bytes("# Fa\u00e7ade".encode("latin-1"))
    with pytest.raises(UsageError, match=r"DATACARD\.md isn't UTF-8 text"):
        export(tmp_path / "in", tmp_path / "out", form=form, about=ABOUT)
    assert not (tmp_path / "out").exists()


def test_the_same_bytes_twice_are_two_files(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        save_photo(tmp_path / "in" / name, seed=1)
    sha256 = hashlib.sha256((tmp_path / "in" / "a.jpg").read_bytes()).hexdigest()
    write_manifest(make_manifest([row("a.jpg", sha256=sha256), row("b.jpg", sha256=sha256)]), tmp_path / "in")
    export(tmp_path / "in", tmp_path / "out", form="imagefolder", about=ABOUT)
    names = [line["file_name"] for line in table(tmp_path / "out" / "train" / "metadata.csv")]
    assert len({PurePosixPath(name).name for name in names}) == 2


def test_wrong_calls(tmp_path):
    source(tmp_path / "in")
    with pytest.raises(UsageError, match="unknown form 'zip'; known: imagefolder, croissant"):
        export(tmp_path / "in", tmp_path / "out", form="zip", about=ABOUT)
    with pytest.raises(UsageError, match="no fold 9 to validate on; folds there are 0, 1, 2"):
        export(tmp_path / "in", tmp_path / "out", form="imagefolder", validation_fold=9, about=ABOUT)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match=r"holds mine\.txt, which no export wrote"):
        export(tmp_path / "in", tmp_path / "full", form="imagefolder", about=ABOUT)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_an_empty_manifest_is_exported_empty(tmp_path):
    write_manifest(make_manifest([]), tmp_path / "in")
    for form in FORMS:
        assert export(tmp_path / "in", tmp_path / form, form=form, about=ABOUT).splits == {}
