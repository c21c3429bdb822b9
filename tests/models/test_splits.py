from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets.errors import FoldLeakError
from datasets.identities import People, write_people
from models.errors import SettingsError, TrainingDataError
from models.heads import MISSING
from models.settings import TrainSettings
from models.splits import Splits, split_manifest
from tests.models.builders import labelled_row, row, save_rows


def rows(people: int = 12, folds: int = 3) -> list[dict[str, Any]]:
    """Two photos of each person."""
    return [
        labelled_row(f"{person}_{at}.jpg", f"p{person}", (person + 6 * at) % 18, fold=person % folds)
        for person in range(people)
        for at in range(2)
    ]


def variant_of(parent: dict[str, Any], key: str, **values: Any) -> dict[str, Any]:
    return {
        **parent,
        "photo_id": f"{parent['photo_id']}#{key}",
        "path": f"{parent['path']}.{key}.jpg",
        "parent_id": parent["photo_id"],
        "recipe_id": "r",
        "mask": "wear",
        "mask_from": "synthetic",
        **values,
    }


def split(folder: Path, rows: list[dict[str, Any]], **settings: Any) -> Splits:
    return split_manifest(save_rows(folder, rows), TrainSettings(**settings))


def persons(ids: tuple[str, ...]) -> set[str]:
    return {each.split(":")[1].split("_")[0] for each in ids}


def test_people_are_trained_on_or_scored_on_never_both(tmp_path: Path) -> None:
    splits = split(tmp_path, rows(), fold=1)
    assert persons(splits.real.photo_ids) == {"1", "4", "7", "10"}
    assert len(splits.real) == 8
    assert persons(splits.train.photo_ids).isdisjoint(persons(splits.real.photo_ids))
    assert splits.notes["people"] == {"train": 8, "held_out": 4}
    assert splits.train.paths[0] == tmp_path / "photos" / "0_0.jpg"


def test_a_person_in_two_folds_is_a_leak(tmp_path: Path) -> None:
    leaking = rows()
    leaking[0]["fold"] = 2
    with pytest.raises(FoldLeakError):
        split(tmp_path, leaking)


def test_a_variant_in_another_fold_than_its_photo_is_a_leak(tmp_path: Path) -> None:
    data = rows()
    with pytest.raises(FoldLeakError):
        split(tmp_path, [*data, variant_of(data[0], "a", fold=2, person_id="sample:someone_else")])


def test_a_file_that_two_people_share_is_never_on_both_sides(tmp_path: Path) -> None:
    shared = rows()
    shared[0]["sha256"] = shared[2]["sha256"]  # of p0 and p1, who are dealt apart
    with pytest.raises(FoldLeakError, match="files are in more than one fold"):
        split(tmp_path, shared)
    undealt = [{name: value for name, value in each.items() if name != "fold"} for each in shared]
    for fold in range(5):
        held_out = persons(split(tmp_path, undealt, fold=fold, head="triple").real.photo_ids)
        assert ("0" in held_out) == ("1" in held_out)


def test_people_known_by_two_ids_must_not_be_torn(tmp_path: Path) -> None:
    write_people(People({"sample:p1": "sample:p0"}, 3, 0), tmp_path)
    with pytest.raises(FoldLeakError, match="under two person ids"):
        split(tmp_path, rows())


def test_variants_are_scored_apart_and_weighted(tmp_path: Path) -> None:
    data = rows()
    splits = split(tmp_path, [*data, *(variant_of(each, "a") for each in data)], fold=0, synthetic_weight=0.25)
    assert len(splits.real) == len(splits.synthetic) == 8
    assert all("#" in each for each in splits.synthetic.photo_ids)
    weights = {
        ("#" in photo_id, weight)
        for photo_id, weight in zip(splits.train.photo_ids, splits.train.weights[:, 0], strict=True)
    }
    assert weights == {(False, 1.0), (True, 0.25)}


def test_no_synthetic_weight_leaves_variants_out(tmp_path: Path) -> None:
    data = rows()
    splits = split(tmp_path, [*data, *(variant_of(each, "a") for each in data)], synthetic_weight=0)
    assert not any("#" in each for each in splits.train.photo_ids)
    assert splits.notes["left_out"] == {"synthetic_weight_0": 16}


def test_a_missing_label_is_skipped_by_one_head_and_used_by_three(tmp_path: Path) -> None:
    partial = row("x.jpg", "px", mask="wear", gender="male", fold=1)
    single = split(tmp_path, [*rows(), partial], head="single")
    triple = split(tmp_path, [*rows(), partial], head="triple")
    assert "sample:x.jpg" not in single.train.photo_ids
    assert single.notes["left_out"] == {"label_missing": 1}
    at = triple.train.photo_ids.index("sample:x.jpg")
    assert triple.train.codes[at].tolist() == [0, 0, MISSING]


def test_pseudo_labels_teach_from_a_confidence_on_and_are_never_truth(tmp_path: Path) -> None:
    data = rows()
    for each, sure in zip(data, (0.7, 0.99) * 12, strict=True):
        each |= {"gender_from": "pseudo", "gender_confidence": sure}
    data[0] |= {"gender_from": "given", "gender_confidence": 1.0}
    splits = split(tmp_path, data, head="triple", pseudo_confidence=0.9)
    assert (splits.train.codes[:, 1] == MISSING).sum() == 8
    assert (splits.real.codes[:, 1] != MISSING).sum() == 1
    assert (splits.real.codes[:, 0] != MISSING).all()


def test_labels_count_by_where_they_come_from_and_never_so_in_scoring(tmp_path: Path) -> None:
    data = rows()
    for each in (data[0], *(each for each in data if each["fold"])):
        each |= {"gender_from": "pseudo", "gender_confidence": 0.75}
    splits = split(tmp_path, data, head="triple", trust="confidence", pseudo_weight=0.5, synthetic_weight=3.0)
    assert {tuple(each) for each in splits.train.weights.tolist()} == {(1.0, 0.25, 1.0)}
    assert (splits.real.weights == 1).all()
    assert (splits.real.codes[:, 1] == MISSING).tolist() == [True] + [False] * 7
    assert splits.notes["origins"]["gender"] == {"pseudo": {"labels": 16, "weight": 4.0}}


@pytest.mark.parametrize("changes", [{"pseudo_weight": 0.0}, {"trust": "confidence"}])
def test_a_label_that_counts_nothing_is_as_good_as_missing(tmp_path: Path, changes: dict[str, Any]) -> None:
    data = rows()
    data[2] |= {"gender_from": "pseudo", "gender_confidence": 0.5}  # of p1, in fold 1
    triple = split(tmp_path, data, head="triple", **changes)
    at = triple.train.photo_ids.index(data[2]["photo_id"])
    assert triple.train.codes[at].tolist()[1] == MISSING
    assert triple.train.weights[at].tolist() == [1.0, 0.0, 1.0]
    single = split(tmp_path, data, head="single", **changes)
    assert data[2]["photo_id"] not in single.train.photo_ids


def test_doubtful_ages_are_kept_from_the_age_head_alone(tmp_path: Path) -> None:
    data = rows()
    for each, sure in zip(data, (0.1, 0.3) * 12, strict=True):
        each |= {"age_confidence": sure}
    whole = split(tmp_path, data, head="triple")
    splits = split(tmp_path, data, head="triple", age_confidence=0.3)
    assert splits.train.photo_ids == whole.train.photo_ids
    doubted = [name.endswith("_0.jpg") for name in splits.train.photo_ids]
    assert (splits.train.codes[:, 2] == MISSING).tolist() == doubted
    assert (splits.train.codes[:, :2] == whole.train.codes[:, :2]).all()
    assert (splits.real.codes == whole.real.codes).all()


def test_one_head_cannot_use_rows_of_doubtful_ages(tmp_path: Path) -> None:
    data = rows()
    data[2] |= {"age_confidence": 0.1}  # of p1, in fold 1
    splits = split(tmp_path, data, head="single", age_confidence=0.3)
    assert data[2]["photo_id"] not in splits.train.photo_ids
    assert splits.notes["left_out"] == {"label_missing": 1}


def test_a_manifest_without_folds_gets_them_by_person(tmp_path: Path) -> None:
    data = rows(people=40)
    for each in data:
        del each["fold"]
    splits = split(tmp_path, data)
    assert splits.notes["folds_made_here"]
    assert persons(splits.train.photo_ids).isdisjoint(persons(splits.real.photo_ids))
    assert len(splits.real) >= 4


def test_what_cannot_be_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="fold 9"):
        split(tmp_path, rows(), fold=9)
    half = rows()
    half[3]["fold"] = None
    with pytest.raises(TrainingDataError, match="1 of the manifest's 24 rows have no fold"):
        split(tmp_path, half)
    with pytest.raises(TrainingDataError, match="0 rows are left to train on"):
        split(tmp_path, rows(people=2, folds=1))
    unlabelled = [row(f"{each}.jpg", f"p{each}", mask="wear", fold=each % 2) for each in range(6)]
    with pytest.raises(TrainingDataError, match="all three labels"):
        split(tmp_path, unlabelled, head="triple")


def test_a_trained_model_is_asked_about_the_only_fold_there_is(tmp_path: Path) -> None:
    manifest = save_rows(tmp_path, rows(people=2, folds=1))
    asked = split_manifest(manifest, TrainSettings(), to_learn=False)
    assert (len(asked.train), len(asked.real)) == (0, len(rows(people=2, folds=1)))
    with pytest.raises(SettingsError, match="fold 9"):
        split_manifest(manifest, TrainSettings(fold=9), to_learn=False)
