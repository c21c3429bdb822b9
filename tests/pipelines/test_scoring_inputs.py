"""What is scored: tables with the cut-offs of their team, single folds, and models asked about whom they know."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.blending import Blend
from models.cutoffs import choose_cutoffs, fit_cutoffs
from models.oof import OutOfFold, write_oof
from models.team import Team, member_of, write_team
from pipelines.errors import SettingsError
from pipelines.scoring.asking import _doubts
from pipelines.scoring.inputs import Scored, open_scored
from tests.models.oof_builders import random_table
from tests.models.team_builders import checkpoint_at
from tests.models.test_cutoffs import skewed


def team_in(folder: Path, table: OutOfFold, *, cut: bool) -> tuple[Path, ...]:
    """An ensemble of two runs of two folds each, and its table; the models' paths, fold by fold."""
    files = {
        (run, fold): checkpoint_at(folder / run / f"fold-{fold}" / "model.safetensors", fold)
        for fold in (0, 1)
        for run in ("one", "two")
    }
    members = tuple(member_of(file, run) for (run, _), file in sorted(files.items()))
    cutoffs = fit_cutoffs(table).factors if cut else None
    write_team(folder / "team", Team(members, Blend(cutoffs=cutoffs)))
    write_oof(table, folder / "team")
    return tuple(files.values())


@pytest.fixture(scope="module")
def table() -> OutOfFold:
    return skewed(600)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, table: OutOfFold) -> Path:
    root = tmp_path_factory.mktemp("ensembles")
    team_in(root, table, cut=True)
    return root / "team"


def test_each_fold_is_answered_with_cut_offs_that_have_not_seen_it(team: Path, table: OutOfFold) -> None:
    nested = choose_cutoffs(table, ["heads"])
    assert nested.kind == "heads"
    scored = open_scored(team, None)
    assert (scored.answers == nested.codes).all()
    assert (scored.answers != table.chances.codes()).any()
    assert (scored.answers != fit_cutoffs(table).apply(table.chances)).any(), "these have seen every fold"
    assert f"{nested.nested['heads']:.4f} with them" in scored.notes[0]


@pytest.mark.parametrize("name", ["oof.parquet", "team.json"])
def test_a_file_of_a_team_stands_for_its_folder(team: Path, name: str) -> None:
    by_file, by_folder = (open_scored(each, None) for each in (team / name, team))
    assert (by_file.answers == by_folder.answers).all()
    assert (by_file.said, by_file.notes, by_file.checkpoints) == (
        by_folder.said, by_folder.notes, by_folder.checkpoints
    )  # fmt: skip


def test_the_models_of_all_runs_stand_by_the_fold_they_have_not_seen(team: Path) -> None:
    named = open_scored(team, None).checkpoints
    told = {fold: [path.resolve().parent.parent.name for path in paths] for fold, paths in named.items()}
    assert told == {0: ["one", "two"], 1: ["one", "two"]}
    assert all(path.parent.name == f"fold-{fold}" for fold, paths in named.items() for path in paths)


def test_cut_offs_that_hold_on_no_other_fold_are_not_said_to_be_used(tmp_path: Path) -> None:
    table = random_table(200, skill=30.0)
    team_in(tmp_path, table, cut=True)
    scored = open_scored(tmp_path / "team", None)
    assert (scored.answers == table.chances.codes()).all()
    assert [note for note in scored.notes if "with cut-offs" in note] == []
    assert "no gain" in scored.notes[0]


def test_one_fold_of_a_table_is_scored_as_it_is_among_all(team: Path, table: OutOfFold) -> None:
    whole, one = open_scored(team, None), open_scored(team, None, fold=1)
    assert set(one.photo_ids) == {table.photo_ids[row] for row in np.flatnonzero(table.folds == 1)}
    assert (one.answers == whole.answers[table.folds == 1]).all(), "with cut-offs of the other folds"
    assert one.folds is not None
    assert set(one.folds.tolist()) == {1}
    assert "fold 1" in one.said
    with pytest.raises(SettingsError, match="no photo of fold 9: its folds are 0, 1, 2, 3"):
        open_scored(team, None, fold=9)


def test_a_submission_has_no_folds(tmp_path: Path) -> None:
    answers = tmp_path / "submission.csv"
    answers.write_text("ImageID,ans\na.jpg,0\n")
    with pytest.raises(SettingsError, match="leave out --fold"):
        open_scored(answers, answers, fold=1)


def test_a_model_asked_about_people_it_learned_from_is_told(tmp_path: Path) -> None:
    files = {fold: checkpoint_at(tmp_path / f"fold-{fold}" / "model.safetensors", fold) for fold in (0, 1, 2)}
    for fold in (0, 1):
        (tmp_path / f"fold-{fold}" / "metrics.json").write_text(json.dumps({"settings": {"fold": fold, "seed": 0}}))
    alone = Team((member_of(files[1], "run"),))
    assert _doubts(alone, 1) == ()
    (told,) = _doubts(alone, 0)
    assert told.startswith("The model was trained with fold 1 held out")
    learned, unknown = _doubts(Team(tuple(member_of(file, "run") for file in files.values())), 0)
    assert learned.startswith("1 of the 3 models were trained with fold 1 held out")
    assert "which fold 1 of the 3 models held out" in unknown


def test_a_variant_is_its_photo_s_person_and_a_photo_s_name_is_left_alone() -> None:
    ids = ["a:front #2.jpg", "a:front #2.jpg#wear-1", "a:side.jpg#wear-1"]
    codes = np.zeros((3, 3), dtype=np.int64)
    scored = Scored("a submission", ids, codes, codes, np.array([False, True, True]))
    assert scored.people == ["a:front #2.jpg", "a:front #2.jpg", "a:side.jpg"]
