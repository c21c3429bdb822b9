"""From a manifest over folds and an ensemble to a score, through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.chances import of_heads
from models.heads import HEADS
from models.oof import read_oof, write_oof
from models.team import Team, member_of, open_run, write_team
from pipelines import cli
from pipelines.scoring.inputs import open_scored
from tests.models.builders import colour_rows, save_rows
from tests.models.team_builders import checkpoint_at
from tests.models.test_cutoffs import skewed

QUICK = ["--model", "test_resnet", "--image-size", "32", "--batch-size", "16", "--learning-rate", "0.003",
         "--device", "cpu", "--workers", "0", "--epochs", "2", "--folds", "all"]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of drawn people in two folds, and two runs on it."""
    root = tmp_path_factory.mktemp("runs")
    save_rows(root / "data", colour_rows(root / "data", people_per_cell=4, folds=2))
    for name, more in (("one", []), ("two", ["--seed", "1", "--head", "triple"])):
        assert cli.run(["train", str(root / "data"), "--out", str(root / name), *QUICK, *more]) == 0
    return root


def test_all_folds_are_trained_once(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", str(runs / "data"), "--out", str(runs / "one"), *QUICK]) == 0
    told = capsys.readouterr().out
    assert "team.json" in told
    assert "fold 1" in told
    assert "reused" in told
    assert len(open_run(runs / "one").members) == 2
    assert json.loads((runs / "one" / "done.json").read_text())["outputs"].keys() >= {
        "team.json", "oof.parquet", "fold-0/model.safetensors", "fold-1/model.safetensors"
    }  # fmt: skip


def test_runs_become_a_team_that_is_scored(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ensemble", str(runs / "one"), str(runs / "two"), "--out", str(runs / "team")]) == 0
    told = capsys.readouterr().out
    for word in ("one", "two", "mean", "weighted", "stacking", "(chosen)", "macro F1"):
        assert word in told
    team = open_run(runs / "team")
    metrics = json.loads((runs / "team" / "metrics.json").read_text())
    assert set(team.groups) <= {"one", "two"}
    assert team.blend.how == metrics["chosen"].removesuffix("_f1")
    assert metrics["ensembles"][metrics["chosen"]]["macro_f1"] == metrics["macro_f1"]
    assert len(read_oof(runs / "team")) == 72
    capsys.readouterr()
    assert cli.run(["score", str(runs / "team"), str(runs / "data"), "--out", str(runs / "score")]) == 0
    told = capsys.readouterr().out
    assert "Age in decades" in told
    assert "70 to 79" in told
    assert "[0." in told
    assert "\\[" not in told


def test_a_checkpoint_is_scored_on_the_people_it_has_not_seen(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["score", str(runs / "one" / "fold-1"), str(runs / "data"), "--device", "cpu", "--workers", "0"]
    # The fold's own table lies there too; the checkpoint by itself has none.
    checkpoint = runs / "one" / "fold-1" / "model.safetensors"
    arguments[1] = str(checkpoint)
    capsys.readouterr()
    assert cli.run([*arguments, "--out", str(runs / "score-one"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    metrics = json.loads((runs / "one" / "metrics.json").read_text())
    assert told["scores"]["macro_f1"] == pytest.approx(metrics["folds"]["1"]["macro_f1"], abs=1e-6)
    assert "fold 1" in told["said"]
    assert told["notes"] == []
    learned = open_scored(checkpoint, runs / "data", fold=0, device="cpu", workers=0)
    assert "trained with fold 1 held out" in learned.notes[0]
    assert cli.run([*arguments[:2], "--out", str(runs / "x")]) == 2
    assert "needs people to ask it about" in capsys.readouterr().err


def test_a_run_of_some_heads_is_not_taken_for_one_of_the_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = skewed(400)
    looks = of_heads({name: whole.chances.heads[name] for name in ("mask", "gender")})
    for name, parts, table in (("looks", ("mask", "gender"), whole.with_chances(looks)), ("whole", HEADS, whole)):
        file = checkpoint_at(tmp_path / name / "fold-0" / "model.safetensors", 0, "triple", parts)
        write_team(tmp_path / name, Team((member_of(file, name),)))
        write_oof(table, tmp_path / name)
    assert cli.run(["ensemble", str(tmp_path / "looks"), str(tmp_path / "whole"), "--out", str(tmp_path / "t")]) == 0
    told = capsys.readouterr().out
    lines = {line.split()[1]: line for line in told.splitlines() if len(line.split()) > 2}
    metrics = json.loads((tmp_path / "t" / "metrics.json").read_text())
    assert f"{metrics['members']['looks']['macro_f1']:.4f} (mask, gender)" in lines["looks"]
    assert "(" not in lines["whole"]
    assert metrics["cutoffs"]["kept"] == "heads"
    assert f"{metrics['cutoffs']['nested']['heads']:.4f}" in told.partition("with cut offs")[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["one", "one"], "is named twice"),
        (["one"], "an ensemble needs two runs"),
        (["one", "two", "--out", "two"], "is one of the runs"),
        (["one", "team"], "is itself made of the runs"),
        (["one", "one/fold-0"], "are of other photos"),
        (["one", "nowhere"], "no run at"),
    ],
)
def test_what_makes_no_team_is_one_line(
    runs: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "team" in arguments:
        mean = ["ensemble", str(runs / "one"), str(runs / "two"), "--how", "mean", "--out", str(runs / "team")]
        assert cli.run(mean) == 0
    named = [each if each.startswith("--") else str(runs / each) for each in arguments]
    out = [] if "--out" in arguments else ["--out", str(runs / "other")]
    capsys.readouterr()
    assert cli.run(["ensemble", *named, *out]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (runs / "other").exists()


def test_folds_that_make_no_sense_are_one_line(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", str(runs / "data"), "--out", str(runs / "x"), "--folds", "1,x"]) == 2
    assert capsys.readouterr().err.startswith("error: folds must be all, or numbers with commas")
    assert cli.run(["train", str(runs / "data"), "--out", str(runs / "x"), *QUICK[:-1], "0,9"]) == 2
    assert "no labelled row lies in fold 9: the folds are 0, 1" in capsys.readouterr().err
