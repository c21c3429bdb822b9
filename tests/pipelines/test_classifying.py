from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.blending import Blend
from models.export_onnx import export_onnx
from models.team import Team, member_of, open_run, write_team
from pipelines import cli
from pipelines.classifying import classify
from tests.models.team_builders import checkpoint_at, photos_at


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one model for mask and gender, and one for years."""
    root = tmp_path_factory.mktemp("runs")
    looks = checkpoint_at(root / "looks" / "model.safetensors", 0, "triple", ("mask", "gender"))
    ages = checkpoint_at(root / "ages" / "model.safetensors", 1, "triple", ("age_group",), age_as="regression")
    members = (member_of(looks, "looks"), member_of(ages, "ages"))
    write_team(root / "team", Team(members, Blend(cutoffs={"mask": (1e9, 1.0, 1.0)})))
    return root / "team"


def test_photos_in_words(team: Path, tmp_path: Path) -> None:
    photos_at(tmp_path / "folder" / "inner", 3)
    photos_at(tmp_path, 1)
    said = classify(team, [tmp_path / "0.png", tmp_path / "folder"], device="cpu", workers=0)
    assert [photo["photo"] for photo in said.photos] == [
        str(tmp_path / "0.png"),
        *(str(tmp_path / "folder" / "inner" / f"{at}.png") for at in range(3)),
    ]
    examples = photos_at(tmp_path / "folder" / "inner", 3)
    due = open_run(team).answer(examples, device="cpu", workers=0)
    assert due.chances.years is not None
    for photo, years, gender in zip(said.photos[1:], due.chances.years, due.chances.heads["gender"], strict=True):
        assert photo["mask"] == "wear"  # the cut-offs'
        assert photo["class"] == f"wear/{photo['gender']}/{photo['age_group']}"
        assert photo["years"] == pytest.approx(years)
        assert photo["chances"]["gender"] == pytest.approx(dict(zip(("male", "female"), gender, strict=True)))
        assert sum(photo["chances"]["class"].values()) == pytest.approx(1)
    assert said.refusals == ()


def test_the_command_prints_a_line_a_photo(team: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos_at(tmp_path, 2)
    assert cli.run(["classify", str(tmp_path), "--run", str(team), "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert told.count(".png") == 2
    assert "wear" in told
    assert "years" in told


def test_a_photo_that_cannot_be_read_is_named_and_the_exit_code_is_1(
    team: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos_at(tmp_path, 2)
    (tmp_path / "1.png").write_bytes(b"broken")
    missing = str(tmp_path / "missing.jpg")
    assert cli.run(["classify", str(tmp_path), missing, "--run", str(team), "--json"]) == 1
    captured = capsys.readouterr()
    held = json.loads(captured.out)
    assert [photo["photo"] for photo in held["photos"]] == [str(tmp_path / "0.png")]
    assert {each["photo"]: each["reason"] for each in held["refusals"]} == {
        str(tmp_path / "1.png"): "not_an_image",
        missing: "unreadable",
    }
    assert cli.run(["classify", str(tmp_path), "--run", str(team)]) == 1
    assert f"refused: {tmp_path / '1.png'}: not_an_image" in capsys.readouterr().err


def test_a_model_without_all_heads_says_what_it_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos_at(tmp_path / "photos", 1)
    part = checkpoint_at(tmp_path / "m.safetensors", 0, "triple", ("mask",))
    photo = classify(part, [tmp_path / "photos"], device="cpu").photos[0]
    assert (photo["label"], photo["class"]) == (None, None)
    assert set(photo["chances"]) == {"mask"}
    assert "years" not in photo
    assert cli.run(["classify", str(tmp_path / "photos"), "--run", str(part)]) == 0
    assert "gender" not in capsys.readouterr().out


def test_an_onnx_file_says_the_same(team: Path, tmp_path: Path) -> None:
    photos_at(tmp_path / "photos", 3)
    file = export_onnx(open_run(team), tmp_path / "m.onnx").path
    given, due = (classify(run, [tmp_path / "photos"], device="cpu").photos for run in (file, team))
    assert [photo["class"] for photo in given] == [photo["class"] for photo in due]
    assert [photo["years"] for photo in given] == pytest.approx([photo["years"] for photo in due], abs=1e-2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "empty", "--run", "nowhere"], "no photos in empty"),
        (["classify", "a.jpg", "--run", "nowhere"], "no run at nowhere"),
        (["classify", "a.jpg", "--run", "nowhere.onnx"], "no model at nowhere.onnx"),
        (["export-model", "nowhere"], "no run at nowhere"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert cli.run(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {message}")
    assert told.count("\n") == 1


def test_export_model_says_what_goes_in_and_out(team: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.onnx"
    assert cli.run(["export-model", str(team), "--out", str(out), "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held["outputs"] == ["label", "mask", "gender", "age_group", "years"]
    assert held["input"] == "images: batch x 32 x 32 x 3, uint8 RGB"
    assert out.is_file()


def test_without_the_onnx_extra_the_command_names_it(
    team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnx", None)
    assert cli.run(["export-model", str(team), "--out", str(tmp_path / "m.onnx")]) == 2
    assert "palette-faces[onnx]" in capsys.readouterr().err
