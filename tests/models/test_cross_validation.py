from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from datasets.manifest import read_manifest
from models.cross_validation import FOLD, FoldsResult, parse_folds, train_folds
from models.errors import SettingsError
from models.oof import read_oof
from models.scoring import score
from models.settings import TrainSettings
from models.splits import split_manifest
from models.team import Member, Team, open_run
from tests.models.builders import colour_rows, save_rows
from tests.models.conftest import tiny
from tests.models.test_splits import variant_of


@dataclass(frozen=True)
class Folds:
    manifest: Path
    out: Path
    settings: TrainSettings
    result: FoldsResult


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Folds:
    """Three folds of colour-coded people, a variant of each bare photo of the first fold among them."""
    folder = tmp_path_factory.mktemp("folds")
    rows = colour_rows(folder, people_per_cell=6, folds=3)
    bare = [each for each in rows if each["mask"] == "not_wear" and each["fold"] == 0]
    variants = [variant_of(each, "v", mask="not_wear", path=each["path"], mask_confidence=1.0) for each in bare]
    (folder / rows[4]["path"]).write_bytes(b"")
    manifest = save_rows(folder, [*rows, *variants])
    settings = tiny(epochs=3)
    return Folds(manifest, folder / "run", settings, train_folds(manifest, folder / "run", settings))


def test_every_photo_is_answered_by_the_model_that_has_not_seen_its_people(three: Folds) -> None:
    table = read_oof(three.out)
    frame = read_manifest(three.manifest).set_index("photo_id")
    refused = {each["photo_id"] for each in three.result.metrics["refusals"]}
    assert len(refused) == 1
    assert set(table.photo_ids) == set(frame.index) - refused
    assert (table.folds == frame.loc[list(table.photo_ids), "fold"].to_numpy(dtype=int)).all()
    assert (table.synthetic == frame.loc[list(table.photo_ids), "parent_id"].notna().to_numpy(dtype=bool)).all()
    for fold in range(3):
        held_out = split_manifest(three.manifest, replace(three.settings, fold=fold)).real
        own = Team((Member(three.out / f"fold-{fold}" / "model.safetensors", "0" * 64, "g"),))
        said = own.answer(held_out, device="cpu", workers=0, batch_size=16)
        place = {photo_id: row for row, photo_id in enumerate(table.photo_ids)}
        rows = np.array([place[held_out.photo_ids[row]] for row in said.index])
        assert table.chances.label is not None
        assert said.chances.label is not None
        assert np.allclose(table.chances.label[rows], said.chances.label, atol=1e-5)


def test_the_figures_are_those_of_the_table(three: Folds) -> None:
    metrics = json.loads((three.out / "metrics.json").read_text())
    assert metrics == three.result.metrics
    table = read_oof(three.result.oof)
    real = table.take(~table.synthetic)
    assert metrics["headline"] == "real"
    assert metrics["macro_f1"] == score(real.truth, real.chances.codes()).macro_f1 > 3 / 18
    assert metrics["scores"]["synthetic"]["rows"] == 12
    of_folds = [metrics["folds"][str(fold)]["macro_f1"] for fold in range(3)]
    assert metrics["spread"]["macro_f1"]["mean"] == pytest.approx(np.mean(of_folds))
    assert metrics["spread"]["macro_f1"]["std"] == pytest.approx(np.std(of_folds, ddof=1))
    assert sum(each["rows"] for each in metrics["folds"].values()) == len(real)
    assert {each.name for each in three.out.iterdir()} >= {"confusion.png", "confusion_heads.png", "team.json"}


def test_the_models_are_a_team_of_one_group(three: Folds) -> None:
    team = open_run(three.out)
    assert [each.checkpoint.parent.name for each in team.members] == ["fold-0", "fold-1", "fold-2"]
    assert team.groups == ("run",)
    kept = three.result.metrics["cutoffs"]["kept"]
    assert (team.blend.cutoffs is None) == (kept is None)


def test_finished_folds_are_not_trained_again(three: Folds, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {each: each.read_bytes() for each in sorted(three.out.rglob("*")) if each.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr("models.cross_validation.train", lambda *_: pytest.fail("trained again"))
        train_folds(three.manifest, three.out, three.settings)
    after = {each: each.read_bytes() for each in sorted(three.out.rglob("*")) if each.is_file()}
    assert {name for name in before if before[name] != after[name]} <= {three.out / "metrics.json"}


@pytest.fixture
def unplotted_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures of the table out of fold, which are looked at where `three` is."""
    monkeypatch.setattr("models.cross_validation._plot", lambda *_: None)


@pytest.mark.usefixtures("unplotted_table")
def test_a_killed_run_goes_on_at_the_fold_it_was_in_and_ends_the_same(three: Folds, tmp_path: Path) -> None:
    settings, folds = three.settings, (0, 1)
    told: list[tuple[int, int]] = []

    def kill_in_the_second_fold(done: int, total: int) -> None:
        told.append((done, total))
        if done > 0.8 * total:
            raise KeyboardInterrupt

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_folds(three.manifest, out, settings, kill_in_the_second_fold, folds=folds)
    assert (out / "fold-0" / FOLD).exists()
    assert not (out / "fold-1" / FOLD).exists()
    assert not (out / "team.json").exists()
    first = (out / "fold-0" / "model.safetensors").stat().st_mtime_ns
    train_folds(three.manifest, out, settings, lambda done, total: told.append((done, total)), folds=folds)
    assert (out / "fold-0" / "model.safetensors").stat().st_mtime_ns == first
    assert told[-1][0] == told[-1][1]
    for name in ("fold-0", "fold-1"):
        assert (out / name / "model.safetensors").read_bytes() == (three.out / name / "model.safetensors").read_bytes()
        assert (out / name / "oof.parquet").read_bytes() == (three.out / name / "oof.parquet").read_bytes()


@pytest.mark.usefixtures("unplotted_table")
def test_another_setting_or_a_changed_checkpoint_trains_again(three: Folds, tmp_path: Path) -> None:
    quick = replace(three.settings, epochs=1)
    train_folds(three.manifest, tmp_path, quick, folds=[2])
    kept = (tmp_path / "fold-2" / "model.safetensors").read_bytes()
    (tmp_path / "fold-2" / "model.safetensors").write_bytes(kept[:-8])
    train_folds(three.manifest, tmp_path, quick, folds=[2])
    assert (tmp_path / "fold-2" / "model.safetensors").read_bytes() == kept
    result = train_folds(three.manifest, tmp_path, replace(quick, seed=5), folds=[2])
    assert (tmp_path / "fold-2" / "model.safetensors").read_bytes() != kept
    assert list(result.metrics["folds"]) == ["2"]
    assert result.metrics["spread"]["macro_f1"]["std"] is None
    assert result.metrics["cutoffs"]["kept"] is None


def test_folds_that_are_not_there_are_named_before_anything_is_trained(three: Folds, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no labelled row lies in fold 3, 7: the folds are 0, 1, 2"):
        train_folds(three.manifest, tmp_path / "out", three.settings, folds=[0, 3, 7])
    assert not (tmp_path / "out").exists()


def test_folds_are_all_or_numbers() -> None:
    assert parse_folds("all") is None
    assert parse_folds(" 2,0 ") == (0, 2)
    for text in ("", "1,", "-1", "1,1", "every", "1 2", "²"):
        with pytest.raises(SettingsError, match="folds must be all"):
            parse_folds(text)
