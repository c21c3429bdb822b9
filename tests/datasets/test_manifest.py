from __future__ import annotations

import pandas as pd
import pytest

from datasets.errors import ManifestError, UsageError
from datasets.labels import encode_label
from datasets.manifest import (
    MANIFEST,
    REFUSALS,
    Refusal,
    make_manifest,
    make_refusals,
    read_manifest,
    read_refusals,
    summarise,
    validate_manifest,
    with_labels,
    write_manifest,
    write_refusals,
)
from datasets.schema import COLUMNS, REFUSAL_COLUMNS
from tests.datasets.builders import row

KNOWN = {"mask": "incorrect", "gender": "female", "age": 64}
VARIANT = {
    "photo_id": "folder:a.jpg#wear1",
    "path": "a__wear1.jpg",
    "parent_id": "folder:a.jpg",
    "recipe_id": "r1",
    "seed": 7,
}


def test_fills_in_what_follows():
    manifest = make_manifest([row(**KNOWN), row("b.jpg", mask="wear"), row("c.jpg", age_group="30_to_59")])
    assert tuple(manifest.columns) == COLUMNS
    whole, masked, grouped = (manifest.iloc[i] for i in range(3))
    assert whole["label"] == encode_label("incorrect", "female", "60_plus") == 11
    assert (whole["gender_from"], whole["gender_confidence"]) == ("given", 1.0)
    assert masked["mask_from"] == "given"
    assert masked[["label", "gender", "gender_from", "gender_confidence", "age_group", "fold"]].isna().all()
    assert pd.isna(grouped["age"])
    assert grouped["age_from"] == "given"


@pytest.mark.parametrize(("age", "group"), [(29, "under_30"), (30, "30_to_59"), (59.9, "30_to_59"), (60, "60_plus")])
def test_groups_ages_as_labels_do(age, group):
    assert make_manifest([row(age=age)])["age_group"].tolist() == [group]


def test_types_are_the_schemas_even_of_nothing():
    for manifest in (make_manifest([]), make_manifest([row(**KNOWN)])):
        assert {str(manifest[c].dtype) for c in ("photo_id", "parent_id", "mask_type", "wear_style")} == {"str"}
        assert {str(manifest[c].dtype) for c in ("width", "height", "seed", "label", "fold")} == {"Int64"}
        assert {str(manifest[c].dtype) for c in ("age", "mask_confidence", "chin_covered")} == {"float64"}


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "a/..", "./a.jpg", "C:/a.jpg", "C:a.jpg", "a\\b.jpg", "", "a\0b"],
)
def test_paths_that_lead_outside(path):
    with pytest.raises(ManifestError, match="path: must be relative"):
        make_manifest([row(path=path)])


@pytest.mark.parametrize(
    "path", ["a.jpg", "a/b c/마스크.jpg", "..a.jpg", "a../b.jpg", "...", "a#b?.jpg", 'it\'s "x".jpg']
)
def test_paths_that_stay_inside(path):
    assert make_manifest([row(path=path)])["path"].tolist() == [path]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mask": "worn"}, "mask"),
        ({"gender": "F"}, "gender"),
        ({"age": 200}, "age"),
        ({"width": 0}, "width"),
        ({"width": "wide"}, "width"),
        ({"sha256": "abc"}, "sha256: must be 64"),
        ({"sha256": None}, "sha256"),
        ({"phash": "x" * 16}, "phash: must be 16"),
        ({"licence": ""}, "licence"),
        ({"person_id": None}, "person_id"),
        ({"photo_id": "other:a.jpg"}, "photo_id begins with its source"),
        ({"source": "My Photos", "photo_id": "My Photos:a"}, "source: must be"),
        ({"mask": "wear", "mask_confidence": 1.5}, "mask_confidence"),
        ({"parent_id": "folder:b.jpg"}, "parent_id and recipe_id"),
        ({"wear_style": "sideways"}, "wear_style"),
        ({"nose_covered": -0.1}, "nose_covered"),
        ({"fold": -1}, "fold"),
        ({"colour": "red"}, "unknown manifest columns"),
    ],
)
def test_refuses_what_the_schema_does_not_admit(values, message):
    with pytest.raises(ManifestError, match=message) as caught:
        make_manifest([row(**values)])
    assert len(str(caught.value).splitlines()) == 1


def test_photo_ids_are_unique():
    with pytest.raises(ManifestError, match=r"photo_id: .*2 rows, such as 'folder:a.jpg'"):
        make_manifest([row(), row()])


def test_label_must_agree_with_its_parts():
    manifest = make_manifest([row(**KNOWN)])
    with pytest.raises(ManifestError, match="label is the class"):
        validate_manifest(manifest.assign(label=pd.array([3], dtype="Int64")))
    with pytest.raises(ManifestError, match="label is the class"):
        validate_manifest(manifest.assign(label=pd.array([None], dtype="Int64")))
    with pytest.raises(ManifestError, match="mask_from"):
        validate_manifest(manifest.assign(mask_from=None))


def test_error_counts_the_rows():
    with pytest.raises(ManifestError, match=r"mask: .*\(2 rows, such as 'worn'\)"):
        make_manifest([row(str(i), mask=mask) for i, mask in enumerate(["worn", "wear", "worn"])])


def test_missing_columns_are_named():
    with pytest.raises(ManifestError, match=r"missing columns.*phash"):
        validate_manifest(make_manifest([row()]).drop(columns="phash"))


def test_with_labels_follows_a_change():
    manifest = make_manifest([row(mask="wear", age=20)])
    filled = with_labels(manifest.assign(gender="male", gender_from="pseudo", gender_confidence=0.98))
    assert validate_manifest(filled)["label"].tolist() == [0]
    assert filled["gender_from"].tolist() == ["pseudo"]
    emptied = with_labels(filled.assign(gender=None))
    assert emptied[["label", "gender_from", "gender_confidence"]].isna().all(axis=None)
    assert manifest["gender"].isna().all()


def test_written_and_read_again_it_is_the_same(tmp_path):
    manifest = make_manifest([row('마스크 "a", b\\c'.replace("\\", "/"), **KNOWN), row("b.jpg"), row(**VARIANT)])
    file = write_manifest(manifest, tmp_path / "m")
    assert file == tmp_path / "m" / MANIFEST
    pd.testing.assert_frame_equal(read_manifest(tmp_path / "m"), manifest)
    pd.testing.assert_frame_equal(read_manifest(file), manifest)
    first = file.read_bytes(), file.with_suffix(".csv").read_bytes()
    write_manifest(read_manifest(file), file)
    assert (file.read_bytes(), file.with_suffix(".csv").read_bytes()) == first
    export = pd.read_csv(file.with_suffix(".csv"), keep_default_na=False)
    assert export["photo_id"].tolist() == manifest["photo_id"].tolist()
    assert tuple(export.columns) == COLUMNS


def test_empty_manifest_survives(tmp_path):
    assert len(read_manifest(write_manifest(make_manifest([]), tmp_path))) == 0


def test_manifests_that_are_none(tmp_path):
    with pytest.raises(UsageError, match="no manifest"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("not parquet at all")
    with pytest.raises(ManifestError, match="cannot read"):
        read_manifest(tmp_path)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / MANIFEST)
    with pytest.raises(ManifestError, match="missing columns"):
        read_manifest(tmp_path)


def test_an_invalid_frame_is_not_written(tmp_path):
    file = write_manifest(make_manifest([row()]), tmp_path)
    before = file.read_bytes()
    with pytest.raises(ManifestError):
        write_manifest(make_manifest([row()]).assign(width=0), tmp_path)
    assert file.read_bytes() == before


def test_refusals_survive_their_csv(tmp_path):
    rows = [
        Refusal('folder:a "x", y.jpg', "read", "truncated", "line, with 'quotes'"),
        Refusal("folder:사진", "find", "NA"),
    ]
    frame = make_refusals(rows)
    assert tuple(frame.columns) == REFUSAL_COLUMNS
    assert write_refusals(frame, tmp_path) == tmp_path / REFUSALS
    pd.testing.assert_frame_equal(read_refusals(tmp_path), frame)
    pd.testing.assert_frame_equal(read_refusals(tmp_path / REFUSALS), frame)


def test_no_refusals(tmp_path):
    assert len(read_refusals(tmp_path)) == 0
    assert tuple(make_refusals([]).columns) == REFUSAL_COLUMNS
    write_refusals(make_refusals([]), tmp_path)
    pd.testing.assert_frame_equal(read_refusals(tmp_path), make_refusals([]))


def test_refusals_take_mappings_and_check_them():
    assert make_refusals([{"photo_id": "a", "stage": "b", "reason": "c"}])["detail"].tolist() == [""]
    with pytest.raises(ManifestError, match="reason"):
        make_refusals([{"photo_id": "a", "stage": "b"}])
    with pytest.raises(ManifestError, match="reason"):
        make_refusals([Refusal("a", "b", "")])


def test_broken_refusals(tmp_path):
    (tmp_path / REFUSALS).write_bytes(b"a,b\n1,2\n")
    with pytest.raises(ManifestError, match="missing columns"):
        read_refusals(tmp_path)
    (tmp_path / REFUSALS).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="cannot read"):
        read_refusals(tmp_path)


def test_summary_counts():
    rows = [row(**KNOWN), row("b.jpg", person_id="folder:a.jpg"), row(**VARIANT, wear_style="nose_out", **KNOWN)]
    summary = summarise(make_manifest(rows))
    assert (summary["photos"], summary["variants"], summary["persons"]) == (2, 1, 2 - 1)
    assert summary["mask"] == {"incorrect": 2, "unknown": 1}
    assert summary["label"] == {"incorrect/female/60_plus": 2}
    assert summary["unlabelled"] == 1
    assert summary["wear_style"] == {"nose_out": 1}


def test_a_variant_without_a_mask_is_counted_as_one():
    bare = row(**{**VARIANT, **KNOWN, "mask": "not_wear"})
    assert summarise(make_manifest([bare]))["wear_style"] == {"not_wear": 1}
