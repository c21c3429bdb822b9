from __future__ import annotations

import unicodedata

import pytest

from datasets.errors import LabelsError, LayoutError, UsageError
from datasets.readers import ingest
from tests.datasets.builders import save_photo


def photos(root, *names):
    for number, name in enumerate(names):
        save_photo(root / name, seed=number)
    return root


def test_without_a_table_nothing_is_known(tmp_path):
    result = ingest("folder", photos(tmp_path, "b.jpg", "a/c.png"))
    assert result.manifest["photo_id"].tolist() == ["folder:a/c.png", "folder:b.jpg"]
    assert result.manifest[["mask", "gender", "age", "age_group", "label", "source_version"]].isna().all(axis=None)
    assert result.manifest["person_id"].is_unique
    assert set(result.manifest["licence"]) == {"LicenseRef-unstated"}


def test_mask_for_all_and_name_and_licence(tmp_path):
    options = {"mask": "not_wear", "name": "fairface", "licence": "cc-by-4.0"}
    manifest = ingest("folder", photos(tmp_path, "a.jpg"), options=options).manifest
    assert manifest[["photo_id", "mask", "mask_from", "source", "licence", "person_id"]].values.tolist() == [
        ["fairface:a.jpg", "not_wear", "given", "fairface", "CC-BY-4.0", "fairface:a.jpg"]
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "yes"}, "wear, incorrect, not_wear"),
        ({"name": "My Photos"}, "name must be"),
        ({"person": "face"}, "photo, folder"),
        ({"licence": "CC-BY"}, "unknown licence 'CC-BY'; known: CC0-1.0"),
        ({"colour": "red"}, "folder has no option 'colour'; its options are licence: .* csv: "),
        ({"csv": "/none.csv"}, "No such file"),
    ],
)
def test_options_that_cannot_be(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        ingest("folder", photos(tmp_path, "a.jpg"), options=options)


def test_metadata_is_read_unasked(tmp_path):
    photos(tmp_path, "a.jpg", "b/c.jpg", "d.jpg")
    (tmp_path / "metadata.csv").write_text(
        "file_name,gender,age,person_id,licence\na.jpg,F,64,p1,cc0-1.0\nb/c.jpg,male,,p1,\ngone.jpg,male,20,,\n"
    )
    result = ingest("folder", tmp_path, options={"mask": "not_wear"})
    a, c, d = result.manifest.to_dict("records")
    assert (a["gender"], a["age"], a["label"], a["licence"], a["person_id"]) == (
        "female",
        64,
        17,
        "CC0-1.0",
        "folder:p1",
    )
    assert (c["gender"], c["age_from"], c["person_id"]) == ("male", None, "folder:p1") or c["age_from"] != c["age_from"]
    assert (c["licence"], d["person_id"]) == ("LicenseRef-unstated", "folder:d.jpg")
    assert a["source_version"].startswith("metadata.csv ")
    assert result.refusals[["photo_id", "reason"]].values.tolist() == [["folder:gone.jpg", "missing_photo"]]


def test_licence_that_is_told_overrides_the_table(tmp_path):
    photos(tmp_path, "a.jpg")
    (tmp_path / "metadata.csv").write_text("file_name,licence\na.jpg,CC-BY-NC-4.0\n")
    assert ingest("folder", tmp_path).manifest["licence"].tolist() == ["CC-BY-NC-4.0"]
    told = ingest("folder", tmp_path, options={"licence": "LicenseRef-permission"})
    assert told.manifest["licence"].tolist() == ["LicenseRef-permission"]


def test_table_elsewhere_names_photos_from_the_root_or_from_itself(tmp_path):
    photos(tmp_path / "set", "a.jpg", "b.jpg")
    (tmp_path / "labels.csv").write_text("file,mask\nset/a.jpg,wear\nb.jpg,incorrect\n")
    result = ingest("folder", tmp_path / "set", options={"csv": tmp_path / "labels.csv"})
    assert result.manifest["mask"].tolist() == ["wear", "incorrect"]
    assert result.refusals.empty


def test_accents_may_be_coded_otherwise_in_the_table(tmp_path):
    photos(tmp_path, unicodedata.normalize("NFD", "é마.jpg"))
    (tmp_path / "metadata.csv").write_text(unicodedata.normalize("NFC", "file_name,mask\né마.jpg,wear\n"))
    manifest = ingest("folder", tmp_path).manifest
    assert manifest["mask"].tolist() == ["wear"]
    assert manifest["path"].tolist() == [unicodedata.normalize("NFD", "é마.jpg")]


def test_rows_cannot_reach_outside(tmp_path):
    photos(tmp_path / "in", "a.jpg")
    photos(tmp_path / "out", "b.jpg")
    (tmp_path / "in" / "metadata.csv").write_text("file_name,mask\n../out/b.jpg,wear\n/etc/passwd,wear\n")
    result = ingest("folder", tmp_path / "in")
    assert result.manifest["path"].tolist() == ["a.jpg"]
    assert result.refusals["reason"].tolist() == ["missing_photo", "missing_photo"]


def test_a_folder_may_be_a_person(tmp_path):
    photos(tmp_path, "kim/1.jpg", "kim/2.jpg", "lee/1.jpg", "alone.jpg")
    manifest = ingest("folder", tmp_path, options={"person": "folder"}).manifest
    assert manifest["person_id"].tolist() == ["folder:alone.jpg", "folder:kim", "folder:kim", "folder:lee"]


def test_bad_table_is_an_error_with_its_line(tmp_path):
    photos(tmp_path, "a.jpg")
    (tmp_path / "metadata.csv").write_text("file_name,gender\na.jpg,1\n")
    with pytest.raises(LabelsError, match="line 2"):
        ingest("folder", tmp_path)


def test_empty_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(LayoutError, match="no photos in"):
        ingest("folder", tmp_path)
