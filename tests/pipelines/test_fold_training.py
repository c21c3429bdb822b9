"""A folder in which runs of one model and runs with folds follow each other answers as the last of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.blending import Blend
from models.errors import TeamError
from models.oof import OOF, write_oof
from models.settings import TrainSettings
from models.team import TEAM, Team, member_of, open_run, write_team
from pipelines.settings import TrainFlowSettings
from pipelines.stages import train_stage
from tests.models.builders import colour_rows, save_rows
from tests.models.oof_builders import random_table
from tests.models.team_builders import checkpoint_at


@pytest.fixture
def settings(tmp_path: Path) -> TrainFlowSettings:
    manifest = save_rows(tmp_path / "data", colour_rows(tmp_path / "data", people_per_cell=2, folds=2))
    return TrainFlowSettings(manifest=manifest, out=tmp_path / "run", training=TrainSettings(image_size=32))


def team_in(folder: Path) -> None:
    """What a run with folds leaves."""
    file = checkpoint_at(folder / "fold-0" / "model.safetensors", 7)
    write_team(folder, Team((member_of(file, "run"),), Blend()))
    write_oof(random_table(20), folder)


def test_a_run_of_one_model_does_not_answer_as_the_team_before_it(
    settings: TrainFlowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = settings.out

    def quick(manifest: Path, folder: Path, *_: Any, **__: Any) -> Any:
        assert not (folder / TEAM).exists(), "killed now, the folder would answer as the old team"
        return SimpleNamespace(checkpoint=checkpoint_at(folder / "model.safetensors"), metrics={})

    monkeypatch.setattr("models.train.train", quick)
    for reused in (False, True):
        team_in(out)
        assert train_stage(settings)["reused"] is reused
        assert open_run(out).members[0].checkpoint == out / "model.safetensors"
        assert not (out / OOF).exists()
        assert (out / "fold-0" / "model.safetensors").exists()


def test_a_run_with_folds_that_is_killed_does_not_answer_as_the_model_before_it(
    settings: TrainFlowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = checkpoint_at(settings.out / "model.safetensors")
    folds = settings.model_copy(update={"folds": "7"})
    with pytest.raises(Exception, match="no labelled row lies in fold 7"):
        train_stage(folds)
    assert checkpoint.exists(), "what a mistake on the command line names is no reason to lose a model"

    def killed(manifest: Path, folder: Path, *_: Any) -> None:
        checkpoint_at(folder / "model.safetensors")
        raise KeyboardInterrupt

    monkeypatch.setattr("models.cross_validation.train", killed)
    with pytest.raises(KeyboardInterrupt):
        train_stage(settings.model_copy(update={"folds": "all"}))
    with pytest.raises(TeamError, match="training was not finished"):
        open_run(settings.out)
