from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.manifest import read_refusals
from models.blending import Blend
from models.checkpoint import read_config
from models.data import Examples
from models.errors import EvaluationFolderError, SettingsError, TeamError
from models.predict import predict, refusals_path
from models.team import Team, member_of, open_run, write_team
from tests.models.builders import colour_coded
from tests.models.conftest import Trained
from tests.models.team_builders import checkpoint_at


def eval_folder(root: Path, labels: list[int], seed: int = 5) -> list[str]:
    """An evaluation folder of the competition's form; returns its photo names in the order of info.csv."""
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    names = [f"{rng.integers(0, 2**60):040x}.jpg" for _ in labels]
    for name, label in zip(names, labels, strict=True):
        Image.fromarray(colour_coded(label, rng)).save(root / "images" / name, quality=95)
    write_info(root, names)
    return names


def write_info(root: Path, names: list[str]) -> None:
    pd.DataFrame({"ImageID": names, "ans": 0}).to_csv(root / "info.csv", index=False)


@pytest.mark.parametrize("trained", ["single", "triple"])
def test_a_submission_of_the_competitions_form(trained: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    truth = np.random.default_rng(0).permutation(np.repeat(np.arange(18), 2)).tolist()
    names = eval_folder(tmp_path, truth)
    out = tmp_path / "submission.csv"
    seen: list[tuple[int, int]] = []
    checkpoint = request.getfixturevalue(trained).result.checkpoint
    returned = predict(checkpoint, tmp_path, out, "cpu", lambda *at: seen.append(at), batch_size=8)
    lines = out.read_text().split("\n")
    assert lines[0] == "ImageID,ans"
    assert [line.split(",")[0] for line in lines[1:-1]] == names
    assert lines[-1] == ""
    answers = [int(line.split(",")[1]) for line in lines[1:-1]]
    assert np.mean(np.array(answers) == truth) > 0.8
    assert returned["ans"].tolist() == answers
    assert seen[-1] == (36, 36)
    assert read_refusals(refusals_path(out)).empty
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "images",
        "info.csv",
        "submission.csv",
        "submission.refusals.csv",
    ]


def test_answers_do_not_depend_on_the_batch(single: Trained, tmp_path: Path) -> None:
    eval_folder(tmp_path, list(range(18)))
    answers = [
        predict(single.result.checkpoint, tmp_path, tmp_path / "s.csv", "cpu", batch_size=size)["ans"].tolist()
        for size in (1, 5, 64)
    ]
    assert answers[0] == answers[1] == answers[2]


def test_every_row_is_answered_whatever_its_photo(single: Trained, tmp_path: Path) -> None:
    names = eval_folder(tmp_path, [17, 16, 15])
    (tmp_path / "images" / names[1]).write_bytes(b"broken")
    (tmp_path / "outside.jpg").write_bytes((tmp_path / "images" / names[0]).read_bytes())
    odd = ["missing.jpg", "../outside.jpg", "/etc/passwd", "", "한 글'.jpg", "x" * 5000 + ".jpg"]
    write_info(tmp_path, [names[2], *odd, names[1], names[0], names[2]])
    submission = predict(single.result.checkpoint, tmp_path, tmp_path / "submission.csv", "cpu")
    common = read_config(single.result.checkpoint).most_frequent
    assert submission["ImageID"].tolist() == [names[2], *odd, names[1], names[0], names[2]]
    assert submission["ans"].tolist() == [15, *[common] * 7, 17, 15]
    refusals = read_refusals(tmp_path / "submission.refusals.csv").set_index("photo_id")["reason"]
    assert refusals.to_dict() == {
        "missing.jpg": "unreadable",
        "../outside.jpg": "outside_root",
        "/etc/passwd": "outside_root",
        "row 5": "outside_root",
        "한 글'.jpg": "unreadable",
        odd[-1]: "unreadable",
        names[1]: "not_an_image",
    }


def test_a_link_out_of_the_folder_is_not_followed(single: Trained, tmp_path: Path) -> None:
    eval_dir = tmp_path / "eval"
    names = eval_folder(eval_dir, [17])
    outside = tmp_path / "secret.jpg"
    (eval_dir / "images" / names[0]).rename(outside)
    (eval_dir / "images" / names[0]).symlink_to(outside)
    predict(single.result.checkpoint, eval_dir, tmp_path / "s.csv", "cpu")
    assert read_refusals(tmp_path / "s.refusals.csv")["reason"].tolist() == ["outside_root"]


def test_names_without_a_suffix_find_their_photo(single: Trained, tmp_path: Path) -> None:
    names = eval_folder(tmp_path, [17, 0])
    write_info(tmp_path, [name.removesuffix(".jpg") for name in names])
    assert predict(single.result.checkpoint, tmp_path, tmp_path / "s.csv", "cpu")["ans"].tolist() == [17, 0]


def test_nothing_but_unreadable_photos_is_still_a_submission(single: Trained, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_info(tmp_path, ["a.jpg", "b.jpg"])
    submission = predict(single.result.checkpoint, tmp_path, tmp_path / "s.csv", "cpu")
    assert submission["ans"].tolist() == [read_config(single.result.checkpoint).most_frequent] * 2
    assert len(read_refusals(tmp_path / "s.refusals.csv")) == 2


def test_a_folder_of_another_form_is_named(single: Trained, tmp_path: Path) -> None:
    with pytest.raises(EvaluationFolderError, match=r"no info.csv"):
        predict(single.result.checkpoint, tmp_path, tmp_path / "s.csv")
    (tmp_path / "info.csv").write_text("id,label\n1,2\n")
    with pytest.raises(EvaluationFolderError, match="columns id, label; expected ImageID,ans"):
        predict(single.result.checkpoint, tmp_path, tmp_path / "s.csv")
    (tmp_path / "info.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvaluationFolderError, match="can't be read"):
        predict(single.result.checkpoint, tmp_path, tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_without_a_checkpoint_nothing_is_written(tmp_path: Path) -> None:
    eval_folder(tmp_path, [0])
    with pytest.raises(TeamError, match="no run at"):
        predict(tmp_path / "model.safetensors", tmp_path, tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_a_team_answers_with_its_chances_beside(tmp_path: Path) -> None:
    names = eval_folder(tmp_path, [17, 3, 8])
    write_info(tmp_path, [*names, "missing.jpg", names[0]])
    parts: tuple[tuple[str, ...], ...] = (("mask", "gender"), ("age_group",))
    files = [checkpoint_at(tmp_path / f"{at}.safetensors", at, "triple", each) for at, each in enumerate(parts)]
    members = tuple(member_of(file, file.stem) for file in files)
    write_team(tmp_path / "team", Team(members, Blend(cutoffs={"mask": (1.0, 1.0, 1e9)})))
    tables = {}
    for suffix in ("csv", "parquet"):
        given = tmp_path / f"chances.{suffix}"
        submission = predict(tmp_path / "team", tmp_path, tmp_path / "s.csv", "cpu", tta="flip", chances=given)
        tables[suffix] = pd.read_csv(given) if suffix == "csv" else pd.read_parquet(given)
    assert (submission["ans"][[0, 1, 2, 4]] >= 12).all()  # the cut-off takes not_wear
    assert submission["ans"][0] == submission["ans"][4]
    table = tables["parquet"]
    assert list(table) == [
        *("ImageID", "ans", *(f"label_{at}" for at in range(18))),
        *("mask_0", "mask_1", "mask_2", "gender_0", "gender_1", "age_group_0", "age_group_1", "age_group_2"),
    ]
    assert table["ImageID"].tolist() == [*names, "missing.jpg", names[0]]
    assert table["ans"].tolist() == submission["ans"].tolist()
    assert table.filter(like="label_").sum(axis=1, min_count=1).round(6).fillna(-1).tolist() == [1, 1, 1, -1, 1]
    pd.testing.assert_frame_equal(tables["csv"], table, check_exact=False, rtol=1e-5)
    said = open_run(tmp_path / "team").answer(photos(tmp_path, names), device="cpu", workers=0, tta="flip")
    np.testing.assert_allclose(table.filter(like="mask_").to_numpy()[:3], said.chances.heads["mask"], atol=1e-6)


def photos(root: Path, names: list[str]) -> Examples:
    return Examples.unlabelled([root / "images" / name for name in names], names)


def test_views_change_what_is_answered(single: Trained, tmp_path: Path) -> None:
    eval_folder(tmp_path, list(range(18)))
    tables = []
    for tta in ("none", "flip"):
        given = tmp_path / f"{tta}.parquet"
        predict(single.result.checkpoint, tmp_path, tmp_path / "s.csv", "cpu", tta=tta, chances=given)  # type: ignore[arg-type]
        tables.append(pd.read_parquet(given).filter(like="label_").to_numpy())
    assert 1e-4 < np.abs(tables[0] - tables[1]).max() < 0.5


def test_a_run_that_lacks_a_head_is_no_submission(tmp_path: Path) -> None:
    eval_folder(tmp_path, [0])
    checkpoint = checkpoint_at(tmp_path / "m.safetensors", 0, "triple", ("mask", "age_group"))
    with pytest.raises(TeamError, match="answers mask, age_group alone, and a submission needs gender"):
        predict(checkpoint, tmp_path, tmp_path / "s.csv", "cpu")
    assert not (tmp_path / "s.csv").exists()


def test_chances_need_a_known_suffix(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r".csv or .parquet"):
        predict(tmp_path, tmp_path, tmp_path / "s.csv", chances=tmp_path / "chances.json")


@pytest.mark.parametrize("name", ["a,b.jpg", 'a"b.jpg', " a.jpg ", "NA", "a\r\nb.jpg", "=1+1", "007"])
def test_names_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    write_info(tmp_path, [name, "b.jpg"])
    predict(checkpoint_at(tmp_path / "m.safetensors"), tmp_path, tmp_path / "s.csv", "cpu")
    again = pd.read_csv(tmp_path / "s.csv", dtype=str, keep_default_na=False)
    assert again["ImageID"].tolist() == [name, "b.jpg"]


def test_a_submission_that_does_not_read_back_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = eval_folder(tmp_path, [0, 1])
    plain = pd.DataFrame.to_csv

    def turned(frame: pd.DataFrame, *args: Any, **options: Any) -> Any:
        return plain(frame[::-1], *args, **options)

    monkeypatch.setattr(pd.DataFrame, "to_csv", turned)
    with pytest.raises(EvaluationFolderError, match="row 1 of"):
        predict(checkpoint_at(tmp_path / "m.safetensors"), tmp_path, tmp_path / "s.csv", "cpu")
    assert not (tmp_path / "s.csv").exists()
    assert len(names) == 2


def test_a_run_that_sees_squares_about_faces_has_them_found(tmp_path: Path) -> None:
    eval_folder(tmp_path, [17, 3, 8])
    checkpoint = checkpoint_at(tmp_path / "m.safetensors", crop="face")
    with pytest.raises(SettingsError, match="squares about faces"):
        predict(checkpoint, tmp_path, tmp_path / "s.csv", "cpu")
    asked: list[Path] = []

    def faces(paths: Sequence[Path]) -> NDArray[np.float32]:
        asked.extend(paths)
        return np.tile(np.float32([0.1, 0.0, 0.3, 0.3]), (len(paths), 1))

    tables = []
    for finder in (faces, lambda paths: np.full((len(paths), 4), np.nan, dtype=np.float32)):
        given = tmp_path / "chances.parquet"
        predict(checkpoint, tmp_path, tmp_path / "s.csv", "cpu", faces=finder, chances=given)
        tables.append(pd.read_parquet(given).filter(like="label_").to_numpy())
    assert len(asked) == 3
    assert np.abs(tables[0] - tables[1]).max() > 1e-4
