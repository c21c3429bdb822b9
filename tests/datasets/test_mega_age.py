from __future__ import annotations

import shutil

import pytest

from datasets.errors import LabelsError, LayoutError, UsageError
from datasets.readers import ingest
from datasets.rules import admit
from tests.datasets.builders import save_photo, write_mega_age


@pytest.mark.parametrize("source", ["mega-age", "mega-age-asian"])
@pytest.mark.parametrize("nesting", ["", "megaage_asian", "megaage_asian/megaage_asian"])
def test_both_splits_wherever_the_archive_put_them(tmp_path, source, nesting):
    write_mega_age(tmp_path / nesting)
    result = ingest(source, tmp_path)
    assert result.refusals.empty
    assert all((tmp_path / path).is_file() for path in result.manifest["path"])
    ages = {"/".join(path.split("/")[-2:]): age for path, age in result.manifest[["path", "age"]].values.tolist()}
    assert ages == {"test/1.jpg": 30, "test/2.jpg": 61, "train/1.jpg": 3, "train/2.jpg": 65, "train/3.jpg": 70}
    assert set(result.manifest["mask"]) == {"not_wear"}
    assert result.manifest[["gender", "label"]].isna().all(axis=None)
    assert result.manifest[["width", "height"]].values.tolist() == [[178, 218]] * 5


def test_one_name_in_both_splits_is_two_people(tmp_path):
    people = ingest("mega-age-asian", write_mega_age(tmp_path)).manifest["person_id"]
    assert people.is_unique
    assert {"mega-age-asian:train/1.jpg", "mega-age-asian:test/1.jpg"} <= set(people)


def test_its_terms_keep_it_out_of_a_competition_merge(tmp_path):
    (licence,) = set(ingest("mega-age-asian", write_mega_age(tmp_path)).manifest["licence"])
    admitted, why = admit("competition", licence)
    assert not admitted
    assert "commercial" in why
    assert admit("research", licence)[0]


def test_one_split_alone(tmp_path):
    write_mega_age(tmp_path)
    assert len(ingest("mega-age", tmp_path, options={"split": "test"}).manifest) == 2
    with pytest.raises(UsageError, match="train, test"):
        ingest("mega-age", tmp_path, options={"split": "val"})
    shutil.rmtree(tmp_path / "test")
    for name in ("test_name.txt", "test_age.txt"):
        (tmp_path / "list" / name).unlink()
    assert len(ingest("mega-age", tmp_path).manifest) == 3
    with pytest.raises(LayoutError, match=r"test_name\.txt.*found there: train_age\.txt, train_name\.txt"):
        ingest("mega-age", tmp_path, options={"split": "test"})


def test_what_does_not_fit_is_refused(tmp_path):
    write_mega_age(tmp_path)
    (tmp_path / "train" / "2.jpg").unlink()
    save_photo(tmp_path / "train" / "9.jpg", seed=9)
    with (
        (tmp_path / "list" / "test_name.txt").open("a") as names,
        (tmp_path / "list" / "test_age.txt").open("a") as ages,
    ):
        names.write("1.jpg\r\n2.jpg\r\n")
        ages.write("31\r\n61\r\n\r\n")
    result = ingest("mega-age-asian", tmp_path)
    assert result.refusals[["photo_id", "reason"]].values.tolist() == [
        ["mega-age-asian:test/1.jpg", "label_conflict"],
        ["mega-age-asian:train/2.jpg", "missing_photo"],
        ["mega-age-asian:train/9.jpg", "no_row"],
    ]
    assert result.manifest["path"].tolist() == ["test/2.jpg", "train/1.jpg", "train/3.jpg"]


def test_lists_that_do_not_go_together(tmp_path):
    write_mega_age(tmp_path)
    ages = tmp_path / "list" / "train_age.txt"
    ages.write_text("3\nold\n70\n")
    with pytest.raises(LabelsError, match=r"train_age\.txt line 2: expected years, not 'old'"):
        ingest("mega-age-asian", tmp_path)
    ages.write_text("3\n65\n")
    with pytest.raises(LabelsError, match=r"has 3 lines and train_age\.txt 2"):
        ingest("mega-age-asian", tmp_path)


def test_what_was_looked_for_and_what_was_found(tmp_path):
    (tmp_path / "notes").mkdir()
    with pytest.raises(LayoutError, match=r"a folder list beside train and test.*found there: notes/"):
        ingest("mega-age-asian", tmp_path)
    write_mega_age(tmp_path)
    shutil.rmtree(tmp_path / "test")
    with pytest.raises(
        LayoutError, match=r"test/ for its test photos \(is it only half unpacked\?\); found there: list/"
    ):
        ingest("mega-age-asian", tmp_path)
    shutil.rmtree(tmp_path / "list")
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "train_name.txt").write_text("1.jpg\n")
    with pytest.raises(LayoutError, match=r"list/train_age\.txt"):
        ingest("mega-age-asian", tmp_path)


def test_lists_without_their_photos(tmp_path):
    write_mega_age(tmp_path)
    for path in (*(tmp_path / "train").iterdir(), *(tmp_path / "test").iterdir()):
        path.unlink()
    with pytest.raises(LayoutError, match=r"such as 1\.jpg; found there: nothing"):
        ingest("mega-age-asian", tmp_path)


@pytest.mark.parametrize("age", ["nan", "inf", "-inf", "1e999"])
def test_an_age_that_is_no_number_of_years(tmp_path, age):
    write_mega_age(tmp_path)
    (tmp_path / "list" / "train_age.txt").write_text(f"3\n{age}\n70\n")
    with pytest.raises(LabelsError, match=rf"train_age\.txt line 2: expected years, not '{age}'"):
        ingest("mega-age-asian", tmp_path)
