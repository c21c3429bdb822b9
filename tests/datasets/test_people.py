"""Sample people: the true layouts, traps included, and a truth that agrees with what is on disk."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets.errors import UsageError
from datasets.labels import age_group, encode_label
from datasets.people import AAF, QUOTA, write_all_age_faces, write_competition
from datasets.portraits.shots import level_eyes
from datasets.readers import ingest

STEMS = {"mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal"}


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, list[tuple[int, int]]]:
    root = tmp_path_factory.mktemp("competition")
    seen: list[tuple[int, int]] = []
    truth = write_competition(root, 6, 11, 7, workers=2, progress=lambda done, total: seen.append((done, total)))
    return root, truth, seen


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    root = tmp_path_factory.mktemp("faces")
    return root, write_all_age_faces(root, 9, 5)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def files_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_each_person_has_the_seven_photos_of_the_layout(competition) -> None:
    root, _, _ = competition
    rows = rows_of(root / "train" / "train.csv")
    assert list(rows[0]) == ["id", "gender", "race", "age", "path"]
    assert len(rows) == 6
    for row in rows:
        assert row["path"] == f"{row['id']}_{row['gender']}_{row['race']}_{row['age']}"
        photos = [p for p in (root / "train" / "images" / row["path"]).iterdir() if not p.name.startswith(".")]
        assert {p.stem for p in photos} == STEMS
        assert {p.suffix for p in photos} <= {".jpg", ".jpeg", ".png"}
        for photo in photos:
            with Image.open(photo) as picture:
                assert picture.size == (384, 512)
                assert picture.format == ("PNG" if photo.suffix == ".png" else "JPEG")


def test_the_traps_of_the_real_set_are_there(competition) -> None:
    root, _, _ = competition
    rows = rows_of(root / "train" / "train.csv")
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids) - 1
    assert len({row["path"] for row in rows}) == len(rows)
    assert any(identity.endswith("-1") and identity[:-2] in ids for identity in ids)
    names = files_of(root)
    assert any(name.endswith("/._mask1.jpg") for name in names)
    assert any("/.ipynb_checkpoints/" in name for name in names)


def test_truth_speaks_of_every_photo_and_of_no_other(competition) -> None:
    root, truth, _ = competition
    on_disk = {name for name in files_of(root) if name.endswith((".jpg", ".jpeg", ".png")) and "/." not in name}
    assert set(truth["path"]) == on_disk
    assert len(truth) == 6 * 7 + 7
    for row in truth.to_dict("records"):
        assert row["label"] == encode_label(row["mask"], row["gender"], age_group(row["age"]))
    train = truth[truth["split"] == "train"]
    assert train["mask"].value_counts().to_dict() == {"wear": 30, "incorrect": 6, "not_wear": 6}
    assert (train["mask"].eq("not_wear") == train["wear_style"].isna()).all()
    assert set(train["person"]).isdisjoint(truth.loc[truth["split"] == "eval", "person"])


def test_eval_keeps_its_answers_outside(competition) -> None:
    root, truth, _ = competition
    info, answers = rows_of(root / "eval" / "info.csv"), rows_of(root / "truth.csv")
    assert [row["ImageID"] for row in info] == [row["ImageID"] for row in answers]
    assert {row["ans"] for row in info} == {"0"}
    assert [int(row["ans"]) for row in answers] == truth.loc[truth["split"] == "eval", "label"].tolist()
    assert all(re.fullmatch(r"[0-9a-f]{40}\.jpg", row["ImageID"]) for row in info)
    assert {p.name for p in (root / "eval" / "images").iterdir()} == {row["ImageID"] for row in info}


def test_progress_ends_with_all_photos(competition) -> None:
    _, truth, seen = competition
    assert seen[-1] == (len(truth), len(truth))


def test_the_competition_reader_gives_back_the_truth(competition) -> None:
    root, truth, _ = competition
    read = ingest("competition", root).manifest.set_index("path")
    train = truth[truth["split"] == "train"].set_index("path")
    assert set(read.index) == set(train.index)
    for column in ("mask", "gender", "age", "label"):
        assert read.loc[train.index, column].astype(str).str.removesuffix(".0").tolist() == (
            train[column].astype(str).str.removesuffix(".0").tolist()
        )
    assert read["person_id"].nunique() == 6


def test_the_quota_holds_both_genders_in_every_age_group() -> None:
    groups = {(gender, age_group(low)) for gender, low, high in QUOTA if age_group(low) == age_group(high)}
    assert len(groups) == 6


def test_a_folder_with_other_people_is_refused(competition) -> None:
    root, _, _ = competition
    with pytest.raises(UsageError, match="already holds"):
        write_competition(root, 6, 12, 0)


@pytest.mark.parametrize(("people", "seed", "photos"), [(0, 0, 0), (3, -1, 0), (3, 0, -1)])
def test_counts_out_of_range_are_refused(tmp_path: Path, people: int, seed: int, photos: int) -> None:
    with pytest.raises(UsageError, match="expected people"):
        write_competition(tmp_path, people, seed, photos)
    assert not files_of(tmp_path)


def test_all_age_faces_lies_as_the_real_set_does(faces) -> None:
    root, truth = faces
    folders = {path.name for path in (root / AAF).iterdir()}
    assert folders == {"original images", "aglined faces", "key points", "image sets"}
    names = sorted(path.name for path in (root / AAF / "original images").iterdir())
    assert len(names) == 9
    assert sorted(p.name for p in (root / AAF / "aglined faces").iterdir()) == names
    assert {p.stem for p in (root / AAF / "key points").iterdir()} == {Path(name).stem for name in names}
    for row in truth.to_dict("records"):
        match = re.fullmatch(r"(\d{5})A(\d{2})\.jpg", Path(row["path"]).name)
        assert match is not None
        assert (int(match[1]) <= 7380) == (row["gender"] == "female")
        assert int(match[1]) <= 13321
        assert float(match[2]) == row["age"]
        assert 2 <= row["age"] <= 80
        assert row["mask"] == "not_wear"


def test_image_sets_number_genders_the_other_way_round(faces) -> None:
    root, truth = faces
    listed = {}
    for split in ("train", "val"):
        for line in (root / AAF / "image sets" / f"{split}.txt").read_text().splitlines():
            name, number = line.split(" ")
            listed[name] = (split, number)
    expected = {
        Path(row["path"]).name: (row["split"], "0" if row["gender"] == "female" else "1")
        for row in truth.to_dict("records")
    }
    assert listed == expected
    assert {split for split, _ in listed.values()} == {"train", "val"}


def test_key_points_are_49_lines_on_the_face(faces) -> None:
    root, _ = faces
    for path in (root / AAF / "key points").iterdir():
        raw = path.read_bytes()
        assert raw.count(b"\r\n") == raw.count(b"\n") == 49
        points = np.array([line.split() for line in raw.decode().splitlines()], float)
        with Image.open(root / AAF / "original images" / f"{path.stem}.jpg") as picture:
            assert (points > 0).all()
            assert (points < picture.size).all()
        brows, eyes, mouth = points[:10, 1].mean(), points[19:31, 1].mean(), points[31:, 1].mean()
        assert brows < eyes < mouth


def test_aligned_faces_have_level_eyes() -> None:
    rgb = np.zeros((120, 100, 3), np.uint8)
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[36:42], landmarks[42:48] = (30, 40), (70, 60)
    rgb[38:43, 28:33], rgb[58:63, 68:73] = 255, 255
    turned = level_eyes(rgb, landmarks)[..., 0].astype(float)
    rows = [np.average(np.arange(120), weights=half.sum(1)) for half in (turned[:, :50], turned[:, 50:])]
    assert rows[0] == pytest.approx(rows[1], abs=0.5)


def test_bytes_depend_on_the_seed_and_not_on_the_workers(faces, tmp_path: Path) -> None:
    root, truth = faces
    again = write_all_age_faces(tmp_path / "two", 9, 5, workers=2)
    assert files_of(tmp_path / "two") == files_of(root)
    pd.testing.assert_frame_equal(again, truth)
    write_all_age_faces(tmp_path / "other", 2, 6)
    assert not set(files_of(tmp_path / "other")) & set(files_of(root)) - {
        f"{AAF}/image sets/{s}.txt" for s in ("train", "val")
    }
