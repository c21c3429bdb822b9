from __future__ import annotations

import numpy as np
import pytest

from datasets.errors import LabelsError, LayoutError, UsageError
from datasets.readers import ingest
from datasets.readers.all_age_faces import gender_of_serial, read_key_points
from tests.datasets.builders import save_photo, write_all_age_faces

NAMES = ("00000A02", "07380A80", "07381A30", "13321A61")


def test_labels_come_from_the_name(tmp_path):
    home = write_all_age_faces(tmp_path / "All-Age-Faces Dataset", NAMES)
    result = ingest("all-age-faces", home)
    columns = ["person_id", "gender", "age", "mask", "licence"]
    assert result.manifest[columns].values.tolist() == [
        ["all-age-faces:00000", "female", 2.0, "not_wear", "LicenseRef-unstated"],
        ["all-age-faces:07380", "female", 80.0, "not_wear", "LicenseRef-unstated"],
        ["all-age-faces:07381", "male", 30.0, "not_wear", "LicenseRef-unstated"],
        ["all-age-faces:13321", "male", 61.0, "not_wear", "LicenseRef-unstated"],
    ]
    assert result.manifest["label"].tolist() == [15, 17, 13, 14]
    assert set(result.manifest["mask_from"]) == {"given"}
    assert result.refusals.empty


@pytest.mark.parametrize("nesting", ["", "All-Age-Faces Dataset", "All-Age-Faces Dataset/All-Age-Faces Dataset"])
def test_the_folder_or_the_one_around_it(tmp_path, nesting):
    write_all_age_faces(tmp_path / nesting, NAMES)
    paths = ingest("all-age-faces", tmp_path).manifest["path"]
    assert all((tmp_path / path).is_file() for path in paths)
    assert paths.iloc[0].endswith("original images/00000A02.jpg")


@pytest.mark.parametrize("spelling", ["aglined faces", "aligned faces"])
def test_both_spellings_of_aligned(tmp_path, spelling):
    write_all_age_faces(tmp_path, NAMES)
    save_photo(tmp_path / spelling / "07381A30.jpg", seed=77)
    assert len(ingest("all-age-faces", tmp_path).manifest) == 4
    aligned = ingest("all-age-faces", tmp_path, options={"which": "aligned"})
    assert aligned.manifest["path"].tolist() == [f"{spelling}/07381A30.jpg"]
    assert aligned.refusals.empty
    with pytest.raises(UsageError, match=r"original, aligned"):
        ingest("all-age-faces", tmp_path, options={"which": "both"})


def test_gender_codes_are_the_reverse_of_the_competitions(tmp_path):
    write_all_age_faces(tmp_path, NAMES)
    lines = (tmp_path / "image sets" / "train.txt").read_text().splitlines()
    assert lines == ["00000A02.jpg 0", "07381A30.jpg 1"]
    (tmp_path / "image sets" / "train.txt").write_text("00000A02.jpg 1\r\n07381A30.jpg 1\r\n")
    result = ingest("all-age-faces", tmp_path)
    assert len(result.manifest) == 3
    assert result.refusals[["photo_id", "reason", "detail"]].values.tolist() == [
        ["all-age-faces:original images/00000A02.jpg", "label_conflict", "female by its serial, male in image sets"]
    ]


def test_image_sets_may_be_absent_but_not_nonsense(tmp_path):
    write_all_age_faces(tmp_path, NAMES)
    (tmp_path / "image sets" / "val.txt").write_text("00000A02.jpg 2\n")
    with pytest.raises(LabelsError, match="line 1: expected a name and 0"):
        ingest("all-age-faces", tmp_path)
    (tmp_path / "image sets" / "val.txt").unlink()
    (tmp_path / "image sets" / "train.txt").unlink()
    assert len(ingest("all-age-faces", tmp_path).manifest) == 4


def test_names_and_photos_that_do_not_fit(tmp_path):
    write_all_age_faces(tmp_path, NAMES)
    (tmp_path / "original images" / "07381A30.jpg").unlink()
    for name in ("99999A20.jpg", "1A20.jpg", "00003A20 copy.jpg", "._00004A20.jpg"):
        save_photo(tmp_path / "original images" / name)
    result = ingest("all-age-faces", tmp_path)
    assert len(result.manifest) == 3
    assert result.refusals.groupby("reason").size().to_dict() == {"missing_photo": 1, "unexpected_name": 3}


def test_what_was_looked_for_and_what_was_found(tmp_path):
    (tmp_path / "key points").mkdir()
    with pytest.raises(LayoutError, match=r"original images.*aglined faces.*found there: key points/"):
        ingest("all-age-faces", tmp_path)
    (tmp_path / "aligned faces").mkdir()
    with pytest.raises(LayoutError, match=r"original images.*which=aligned"):
        ingest("all-age-faces", tmp_path)
    with pytest.raises(LayoutError, match=r"photos named as 00000A02\.jpg; found there: nothing"):
        ingest("all-age-faces", tmp_path, options={"which": "aligned"})


def test_serials():
    assert [gender_of_serial(serial) for serial in (0, 7380, 7381, 13321)] == ["female", "female", "male", "male"]
    with pytest.raises(ValueError, match="13321"):
        gender_of_serial(13322)


def test_key_points(tmp_path):
    write_all_age_faces(tmp_path, NAMES)
    points = read_key_points(tmp_path, "00000A02.jpg")
    assert points.dtype == np.float32
    assert points.tolist() == [[i, i + 0.5] for i in range(49)]
    with pytest.raises(LayoutError, match="no key points"):
        read_key_points(tmp_path, "00001A02")
    (tmp_path / "key points" / "00000A02.txt").write_text("1 2\n")
    with pytest.raises(LabelsError, match="49 lines of x and y, found 2"):
        read_key_points(tmp_path, "00000A02")
    (tmp_path / "key points" / "00000A02.txt").write_text("1 x\n")
    with pytest.raises(LabelsError, match="49 lines of x and y"):
        read_key_points(tmp_path, "00000A02")


def test_the_real_sample(realdata):
    home = realdata / "All-Age-Faces Dataset"
    if not home.is_dir():
        pytest.skip(f"no All-Age-Faces sample in {realdata}")
    files = sorted(path.name for path in (home / "original images").glob("*.jpg"))
    result = ingest("all-age-faces", home, workers=2)
    assert result.refusals.empty
    assert result.manifest["path"].tolist() == [f"original images/{name}" for name in files]
    assert result.manifest["age"].tolist() == [float(name[6:8]) for name in files]
    listed = "".join((home / "image sets" / name).read_text() for name in ("train.txt", "val.txt")).split()
    genders = dict(zip(listed[::2], listed[1::2], strict=True))
    assert result.manifest["gender"].tolist() == [{"0": "female", "1": "male"}[genders[name]] for name in files]
    spelt = {"aglined faces", "aligned faces"} & {path.name for path in home.iterdir()}
    aligned = ingest("all-age-faces", home, options={"which": "aligned"})
    assert len(aligned.manifest) == sum(len(list((home / name).glob("*.jpg"))) for name in spelt)
    points = read_key_points(home, files[0])
    assert points.shape == (49, 2)
