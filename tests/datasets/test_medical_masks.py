from __future__ import annotations

import pytest

from datasets.errors import LabelsError, LayoutError, UsageError
from datasets.policies import LabelPolicy
from datasets.readers import ingest
from tests.datasets.builders import MEDICAL, encode, picture, save_photo, write_medical_masks

TABLE = "df_part_4.csv"


def refused(result):
    ids = result.refusals["photo_id"].str.rsplit("/", n=1).str[-1]
    return dict(zip(ids, result.refusals["reason"], strict=True))


def by_name(result):
    return {row["path"].rsplit("/", 1)[1].removesuffix(".jpg"): row for row in result.manifest.to_dict("records")}


def change(folder, before, after):
    table = next(folder.glob("df*.csv"))
    text = table.read_text()
    assert before in text
    table.write_text(text.replace(before, after))


def test_labels_as_the_names_and_the_table_have_them(tmp_path):
    result = ingest("medical-masks", write_medical_masks(tmp_path))
    assert result.refusals.empty
    rows = by_name(result)
    assert [rows[name]["mask"] for name in MEDICAL[:4]] == ["wear", "incorrect", "incorrect", "not_wear"]
    assert [rows[name]["label"] for name in MEDICAL[:4]] == [0, 6, 6, 12]
    assert set(result.manifest["mask_from"]) == {"given"}
    assert rows[MEDICAL[4]]["gender"] != rows[MEDICAL[4]]["gender"] or rows[MEDICAL[4]]["gender"] is None
    assert rows[MEDICAL[4]]["age_group"] == "60_plus"
    assert [code for _, code in sorted(result.codes.items())] == ["1", "2", "3", "4", "1", "4"]


def test_ages_outside_the_window_are_unknown(tmp_path):
    write_medical_masks(tmp_path, names=tuple(f"00000{n}_4_00000{n}_MALE_{age}" for n, age in
                                              enumerate((9, 10, 100, 101, 2019), start=1)))  # fmt: skip
    ages = ingest("medical-masks", tmp_path).manifest["age"]
    assert ages.isna().tolist() == [True, False, False, True, True]
    assert ages.dropna().tolist() == [10, 100]
    wide = ingest("medical-masks", tmp_path, policy=LabelPolicy(min_age=0)).manifest["age"]
    assert wide.dropna().tolist() == [9, 10, 100]


@pytest.mark.parametrize("nesting", ["", "medical-masks-p4", "a/b/medical-masks-p4"])
def test_a_part_may_lie_some_folders_down(tmp_path, nesting):
    write_medical_masks(tmp_path / nesting)
    paths = ingest("medical-masks", tmp_path).manifest["path"]
    assert len(paths) == 6
    assert all((tmp_path / path).is_file() for path in paths)


def test_several_parts_at_once_share_their_people(tmp_path):
    write_medical_masks(tmp_path / "p1", 1, MEDICAL[:2])
    write_medical_masks(tmp_path / "p2", 2, MEDICAL[:3])
    write_medical_masks(tmp_path / "p4", 4)
    result = ingest("medical-masks", tmp_path)
    assert len(result.manifest) == 11
    assert result.refusals.empty
    assert result.manifest["photo_id"].is_unique
    people = result.manifest.groupby("person_id").size().to_dict()
    assert people == {"medical-masks:000001": 9, "medical-masks:000002": 1, "medical-masks:000003": 1}
    versions = result.manifest.groupby("source_version").size()
    assert sorted(versions.tolist()) == [2, 3, 6]
    assert sorted(name.split()[0] for name in versions.index) == ["df.csv", "df_part_2.csv", "df_part_4.csv"]


def test_parts_can_be_chosen(tmp_path):
    write_medical_masks(tmp_path / "p1", 1, MEDICAL[:2])
    write_medical_masks(tmp_path / "p4", 4)
    assert len(ingest("medical-masks", tmp_path, options={"parts": "1"}).manifest) == 2
    assert len(ingest("medical-masks", tmp_path, options={"parts": [1, 4]}).manifest) == 8
    with pytest.raises(LayoutError, match="no part 2, 7 there; found 1, 4"):
        ingest("medical-masks", tmp_path, options={"parts": "7,1,2"})
    with pytest.raises(UsageError, match="numbers such as 1,4"):
        ingest("medical-masks", tmp_path, options={"parts": "p4"})


def test_one_part_twice_is_an_error(tmp_path):
    write_medical_masks(tmp_path / "here")
    write_medical_masks(tmp_path / "there")
    with pytest.raises(LayoutError, match=r"part 4 is there twice: .*here.*there"):
        ingest("medical-masks", tmp_path)


def test_a_gender_that_another_row_of_the_person_has(tmp_path):
    names = ("000001_1_000007_NONE_30", "000002_4_000007_FEMALE_30", "000003_4_000008_NONE_30")
    write_medical_masks(tmp_path / "p1", 1, names[:1])
    write_medical_masks(tmp_path / "p2", 2, names[1:])
    rows = by_name(ingest("medical-masks", tmp_path))
    assert (rows[names[0]]["gender"], rows[names[0]]["gender_from"]) == ("female", "given")
    assert rows[names[2]]["gender"] != rows[names[2]]["gender"] or rows[names[2]]["gender"] is None


def test_people_with_two_genders_are_refused(tmp_path):
    names = ("000001_1_000007_MALE_30", "000002_4_000007_FEMALE_30", "000003_4_000008_MALE_30")
    result = ingest("medical-masks", write_medical_masks(tmp_path, names=names))
    assert list(by_name(result)) == [names[2]]
    assert refused(result) == {f"{name}.jpg": "label_conflict" for name in names[:2]}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("1,1,1,MALE,25", "1,2,1,MALE,25", "TYPE 1 by its name, 2"),
        ("1,1,1,MALE,25", "1,1,9,MALE,25", "USER_ID 1 by its name, 9"),
        ("1,1,1,MALE,25", "1,1,1,NONE,25", "GENDER MALE by its name, NONE"),
        ("1,1,1,MALE,25", "1,1,1,MALE,52", "AGE 25 by its name, 52"),
    ],
)
def test_a_row_that_contradicts_the_name(tmp_path, before, after, what):
    change(write_medical_masks(tmp_path), before, after)
    result = ingest("medical-masks", tmp_path)
    assert len(result.manifest) == 5
    (row,) = result.refusals.to_dict("records")
    assert (row["reason"], row["detail"]) == ("label_conflict", f"{what} in {TABLE}")


def test_numbers_may_be_written_otherwise(tmp_path):
    change(write_medical_masks(tmp_path), "1,1,1,MALE,25", "1.0,1.0,000001,male,25.0")
    assert ingest("medical-masks", tmp_path).refusals.empty


def test_what_does_not_fit_is_refused_and_the_rest_goes_on(tmp_path):
    images = write_medical_masks(tmp_path) / "images"
    (images / f"{MEDICAL[0]}.jpg").unlink()
    whole = encode(picture(5, (600, 800)))
    (images / f"{MEDICAL[1]}.jpg").write_bytes(whole[: len(whole) // 2])
    save_photo(images / "000009_5_000001_MALE_25.jpg", seed=1)
    save_photo(images / "000009_1_000009_MALE_25.jpg", seed=2)
    save_photo(images / "more" / f"{MEDICAL[2]}.jpg", seed=3)
    change(tmp_path, f"{MEDICAL[3]}.jpg,1.8013", f"{MEDICAL[3]}.jpg,1.8013\n4,4,1,MALE,77,{MEDICAL[3]}.jpg,1")
    result = ingest("medical-masks", tmp_path)
    assert sorted(by_name(result)) == sorted((MEDICAL[2], *MEDICAL[4:]))
    assert sorted(result.refusals["reason"]) == sorted(
        ("missing_photo", "truncated", "unexpected_name", "no_row", "duplicate_name", "label_conflict")
    )


def test_the_same_row_twice_is_no_contradiction(tmp_path):
    table = write_medical_masks(tmp_path) / TABLE
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")
    assert ingest("medical-masks", tmp_path).refusals.empty


def test_what_was_looked_for_and_what_was_found(tmp_path):
    with pytest.raises(LayoutError, match=r"df_part_N\.csv.*images.*found there: nothing"):
        ingest("medical-masks", tmp_path)
    (tmp_path / "archive.zip").write_bytes(b"PK")
    with pytest.raises(LayoutError, match=r"found there: archive\.zip; an archive can be named.*archive\.zip"):
        ingest("medical-masks", tmp_path)
    (tmp_path / "p4").mkdir()
    (tmp_path / "p4" / TABLE).write_text("ID,TYPE,USER_ID,GENDER,AGE,name,size_mb\n")
    with pytest.raises(LayoutError, match=rf"images beside {TABLE}.*half unpacked.*found there: {TABLE}"):
        ingest("medical-masks", tmp_path)
    (tmp_path / "p4" / "images").mkdir()
    with pytest.raises(LayoutError, match=r"000001_1_000001_MALE_25\.jpg.*found there: nothing"):
        ingest("medical-masks", tmp_path)


def test_a_part_without_its_table_is_not_passed_over(tmp_path):
    write_medical_masks(tmp_path / "p1", 1)
    save_photo(tmp_path / "p2" / "images" / f"{MEDICAL[0]}.jpg")
    with pytest.raises(LayoutError, match=r"p2 doesn't hold one table df\.csv.*found there: images/"):
        ingest("medical-masks", tmp_path)


def test_a_table_of_something_else(tmp_path):
    (write_medical_masks(tmp_path) / TABLE).write_text("id,path\n1,a.jpg\n")
    with pytest.raises(LabelsError, match="no column type, user_id, gender, age, name"):
        ingest("medical-masks", tmp_path)
