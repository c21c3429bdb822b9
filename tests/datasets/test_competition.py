from __future__ import annotations

import shutil

import pytest

from datasets.errors import LabelsError, LayoutError
from datasets.readers import ingest
from tests.datasets.builders import PERSON, STEMS, save_photo, write_competition

TWIN = "000001-1_male_Asian_61"
PEOPLE = {
    PERSON: ("000001", "female", "45"),
    TWIN: ("000001-1", "male", "61"),
    "003397_male_Asian_19": ("003397", "male", "19"),
    "003397_female_Asian_22": ("003397", "female", "22"),
}


def by_stem(manifest, key=PERSON):
    mine = manifest[manifest["person_id"] == f"competition:{key}"]
    return {row["path"].rsplit("/", 1)[1].split(".")[0]: row for row in mine.to_dict("records")}


def correct(tmp_path, *rows):
    path = tmp_path / "corrections.csv"
    path.write_text("\n".join(("person,field,value", *rows)) + "\n")
    return {"corrections": path}


def test_seven_photos_a_person(tmp_path):
    result = ingest("competition", write_competition(tmp_path, PEOPLE))
    assert len(result.manifest) == 28
    assert result.refusals.empty
    mine = by_stem(result.manifest)
    assert {stem: row["mask"] for stem, row in mine.items()} == {
        **{f"mask{i}": "wear" for i in range(1, 6)}, "incorrect_mask": "incorrect", "normal": "not_wear"
    }  # fmt: skip
    assert {row["label"] for row in mine.values()} == {4, 10, 16}
    assert set(result.manifest["licence"]) == {"LicenseRef-competition"}
    assert set(result.manifest["path"].str.rsplit(".", n=1).str[1]) == {"jpg", "jpeg", "png"}
    assert result.manifest["source_version"].str.startswith("train.csv ").all()


def test_the_person_is_the_path_and_not_the_id(tmp_path):
    result = ingest("competition", write_competition(tmp_path, PEOPLE))
    assert result.manifest.groupby("person_id").size().to_dict() == {f"competition:{key}": 7 for key in PEOPLE}
    genders = {key: {row["gender"] for row in by_stem(result.manifest, key).values()} for key in PEOPLE}
    assert genders == {key: {gender} for key, (_, gender, _) in PEOPLE.items()}


def test_train_itself_may_be_named(tmp_path):
    write_competition(tmp_path)
    outer, inner = ingest("competition", tmp_path), ingest("competition", tmp_path / "train")
    assert inner.manifest["path"].tolist() == [path.removeprefix("train/") for path in outer.manifest["path"]]
    assert inner.manifest["sha256"].tolist() == outer.manifest["sha256"].tolist()


def test_exact_stems_and_clutter(tmp_path):
    folder = write_competition(tmp_path) / "train" / "images" / PERSON
    for name in ("._mask1.jpg", ".ipynb_checkpoints/mask1-checkpoint.jpg", ".DS_Store"):
        save_photo(folder / name)
    for name in ("mask1 (1).jpg", "mask6.jpg", "mask.jpg", "normal_2.png", "Normal.jpg", "deep/normal.jpg"):
        save_photo(folder / name, seed=len(name))
    save_photo(tmp_path / "train" / "images" / ".ipynb_checkpoints" / "mask1.jpg")
    result = ingest("competition", tmp_path)
    assert sorted(by_stem(result.manifest)) == sorted(STEMS)
    assert result.refusals["reason"].tolist() == ["unexpected_name"] * 6


def test_second_file_of_one_stem(tmp_path):
    folder = write_competition(tmp_path) / "train" / "images" / PERSON
    assert (folder / "mask1.jpg").exists()
    save_photo(folder / "mask1.png", seed=50)
    result = ingest("competition", tmp_path)
    assert len(result.manifest) == 7
    assert result.refusals[["photo_id", "reason"]].values.tolist() == [
        [f"competition:train/images/{PERSON}/mask1.png", "duplicate_stem"]
    ]


def test_missing_photos_and_people_are_refusals(tmp_path):
    images = write_competition(tmp_path, PEOPLE) / "train" / "images"
    next((images / PERSON).glob("mask3.*")).unlink()
    shutil.rmtree(images / TWIN)
    result = ingest("competition", tmp_path)
    assert len(result.manifest) == 20
    missing = result.refusals[result.refusals["reason"] == "missing_photo"]["photo_id"].tolist()
    assert missing == sorted(
        [f"competition:train/images/{PERSON}/mask3", *(f"competition:train/images/{TWIN}/{stem}" for stem in STEMS)]
    )


def test_broken_photo_is_one_refusal(tmp_path):
    images = write_competition(tmp_path) / "train" / "images"
    (images / PERSON / "mask1.jpg").write_bytes(b"")
    result = ingest("competition", tmp_path)
    assert len(result.manifest) == 6
    assert result.refusals[["stage", "reason"]].values.tolist() == [["read", "empty_file"]]


def test_folder_without_a_row(tmp_path):
    save_photo(write_competition(tmp_path) / "train" / "images" / "000009_male_Asian_20" / "normal.jpg", seed=9)
    save_photo(tmp_path / "train" / "images" / "stray.jpg", seed=10)
    result = ingest("competition", tmp_path)
    assert len(result.manifest) == 7
    assert result.refusals["reason"].tolist() == ["no_row", "no_row"]


@pytest.mark.parametrize("path", ["../../secret", "/etc", "a/b", "..", "."])
def test_paths_that_are_no_folder_name(tmp_path, path):
    write_competition(tmp_path / "data")
    save_photo(tmp_path / "secret" / "normal.jpg")
    with (tmp_path / "data" / "train" / "train.csv").open("a") as table:
        table.write(f"000002,male,Asian,20,{path}\n")
    result = ingest("competition", tmp_path / "data")
    assert len(result.manifest) == 7
    assert result.refusals["reason"].tolist() == ["unsafe_path"]


def test_rows_that_contradict_each_other(tmp_path):
    write_competition(tmp_path, PEOPLE)
    table = tmp_path / "train" / "train.csv"
    table.write_text(table.read_text() + f"000001,female,Asian,45,{PERSON}\n000001-1,female,Asian,61,{TWIN}\n")
    result = ingest("competition", tmp_path)
    assert f"competition:{PERSON}" in set(result.manifest["person_id"])
    assert f"competition:{TWIN}" not in set(result.manifest["person_id"])
    assert set(result.refusals["reason"]) == {"label_conflict", "no_row"}


def test_labels_that_are_none_stay_unknown(tmp_path):
    write_competition(tmp_path, {PERSON: ("000001", "female", "2019"), TWIN: ("2", "n/a", "61")})
    manifest = ingest("competition", tmp_path).manifest
    assert manifest[manifest["person_id"] == f"competition:{PERSON}"][["age", "age_group"]].isna().all(axis=None)
    assert {row["gender"] for row in by_stem(manifest).values()} == {"female"}
    assert manifest[manifest["person_id"] == f"competition:{TWIN}"]["gender"].isna().all()
    assert manifest["label"].isna().all()


def test_swapped_photos_are_corrected(tmp_path):
    write_competition(tmp_path, PEOPLE)
    result = ingest("competition", tmp_path, options=correct(tmp_path, "000001,swap,normal incorrect_mask"))
    mine = by_stem(result.manifest)
    assert (mine["normal"]["mask"], mine["normal"]["mask_from"]) == ("incorrect", "corrected")
    assert (mine["incorrect_mask"]["mask"], mine["incorrect_mask"]["mask_from"]) == ("not_wear", "corrected")
    assert (mine["mask1"]["mask"], mine["mask1"]["mask_from"]) == ("wear", "given")
    assert {row["mask_from"] for row in by_stem(result.manifest, TWIN).values()} == {"given"}


def test_gender_and_age_are_corrected_for_that_person_only(tmp_path):
    write_competition(tmp_path, PEOPLE)
    rows = ("000001-1,gender,Female", f"{PERSON},age,61", "003397_male_Asian_19,gender,male")
    manifest = ingest("competition", tmp_path, options=correct(tmp_path, *rows)).manifest
    assert {(row["gender"], row["gender_from"]) for row in by_stem(manifest, TWIN).values()} == {
        ("female", "corrected")
    }
    assert {(row["age"], row["age_from"], row["age_group"]) for row in by_stem(manifest).values()} == {
        (61, "corrected", "60_plus")
    }
    same = by_stem(manifest, "003397_male_Asian_19").values()
    assert {row["gender_from"] for row in same} == {"given"}
    assert {row["label"] for row in by_stem(manifest, TWIN).values()} == {5, 11, 17}


def test_correction_of_nobody_is_seen(tmp_path):
    write_competition(tmp_path)
    result = ingest("competition", tmp_path, options=correct(tmp_path, "004418,swap,normal incorrect_mask"))
    assert result.refusals[["photo_id", "reason"]].values.tolist() == [["competition:004418", "unknown_person"]]
    assert len(result.manifest) == 7


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "003397,gender,male",
            "id 003397 belongs to 2 people; write one of 003397_male_Asian_19, 003397_female_Asian_22",
        ),
        ("000001,gender,boy", "line 2: gender 'boy': expected one of male, female"),
        ("000001,age,old", "line 2: age 'old'"),
        ("000001,age,400", "line 2: age '400': expected years"),
        ("000001,swap,normal", "line 2: swap 'normal': expected the names of two"),
        ("000001,swap,normal mask9", "line 2: swap 'normal mask9': expected the names of two"),
        ("000001,race,x", "line 2: race 'x': the fields are gender, age, swap"),
    ],
)
def test_corrections_without_a_meaning(tmp_path, row, message):
    write_competition(tmp_path, PEOPLE)
    with pytest.raises(LabelsError, match=message):
        ingest("competition", tmp_path, options=correct(tmp_path, row))


def test_what_was_looked_for_and_what_was_found(tmp_path):
    (tmp_path / "eval").mkdir()
    with pytest.raises(LayoutError, match=r"train/train\.csv.*found there: eval/"):
        ingest("competition", tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "train.tar.gz").write_bytes(b"")
    with pytest.raises(LayoutError, match=r"train\.csv.*found there: train\.tar\.gz"):
        ingest("competition", tmp_path)
    (tmp_path / "train" / "train.csv").write_text("id,gender,race,age,path\n1,male,Asian,20,1_male_Asian_20\n")
    with pytest.raises(LayoutError, match=r"images.*half unpacked.*found there: train\.csv, train\.tar\.gz"):
        ingest("competition", tmp_path)
    (tmp_path / "train" / "images").mkdir()
    with pytest.raises(LayoutError, match=r"such as 1_male_Asian_20/mask1.jpg.*found there: nothing"):
        ingest("competition", tmp_path)
    with pytest.raises(LayoutError, match="no such folder"):
        ingest("competition", tmp_path / "none")
    (tmp_path / "train" / "train.csv").write_text("ImageID,ans\na.jpg,0\n")
    with pytest.raises(LabelsError, match="no column id, gender, age, path; its columns are imageid, ans"):
        ingest("competition", tmp_path)
