from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import save_file

from datasets.errors import FoldLeakError
from datasets.manifest import read_manifest, write_manifest
from models.checkpoint import load_checkpoint
from models.errors import SettingsError, TrainingDataError
from models.outcome import plot_run
from models.resume import STATE, load_state
from models.train import train
from tests.models.builders import colour_rows, row, save_rows
from tests.models.conftest import Trained, tiny
from tests.models.test_splits import variant_of

CHANCE = 1 / 18


@pytest.mark.parametrize("trained", ["single", "triple"])
def test_it_learns_people_it_has_not_seen(trained: str, request: pytest.FixtureRequest) -> None:
    metrics = request.getfixturevalue(trained).result.metrics
    assert metrics["macro_f1"] > 0.8 > 10 * CHANCE
    assert metrics["history"][0]["macro_f1"] < metrics["macro_f1"]
    assert metrics["history"][-1]["train_loss"] < metrics["history"][0]["train_loss"]
    assert metrics["scores"]["real"]["rows"] == metrics["data"]["rows"]["real"] == 36
    assert all(each["accuracy"] > 0.8 for each in metrics["scores"]["real"]["heads"].values())
    assert metrics["scores"]["real"]["absent"] == []


def test_the_best_epoch_is_kept(single: Trained) -> None:
    metrics = single.result.metrics
    best = max(metrics["history"], key=lambda each: (each["macro_f1"], -each["loss"]))
    assert metrics["best_epoch"] == best["epoch"]
    assert metrics["macro_f1"] == best["macro_f1"]
    assert load_checkpoint(single.result.checkpoint)[1].epoch == best["epoch"]


def test_it_leaves_a_checkpoint_its_figures_and_its_plots(single: Trained) -> None:
    names = {each.name for each in single.out.iterdir()}
    pictures = {"curves.png", "confusion.png", "confusion_heads.png"}
    assert names == {"model.safetensors", "config.json", "MODEL_CARD.md", "metrics.json", *pictures}
    assert json.loads((single.out / "config.json").read_text())["model"] == single.settings.model
    assert json.loads((single.out / "metrics.json").read_text()) == single.result.metrics
    for name in ("curves.png", "confusion.png", "confusion_heads.png"):
        with Image.open(single.out / name) as image:
            assert min(image.size) > 300


def test_the_same_seed_gives_the_same_model_again(single: Trained, tmp_path: Path) -> None:
    again = train(single.manifest, tmp_path, single.settings)
    assert again.checkpoint.read_bytes() == single.result.checkpoint.read_bytes()
    assert again.metrics["history"] == single.result.metrics["history"]


def test_a_killed_run_goes_on_to_the_same_model(single: Trained, tmp_path: Path) -> None:
    rows = single.result.metrics["data"]["rows"]["train"]
    seen = []

    def kill_in_the_fourth_epoch(done: int, total: int) -> None:
        seen.append((done, total))
        if done > 3.3 * rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(single.manifest, tmp_path, single.settings, kill_in_the_fourth_epoch)
    assert not (tmp_path / "model.safetensors").exists()
    assert (tmp_path / STATE).exists()
    later: list[int] = []
    again = train(single.manifest, tmp_path, single.settings, lambda done, total: later.append(done))
    assert later[0] > 3 * rows
    assert later[-1] == seen[0][1] == 7 * rows
    assert again.checkpoint.read_bytes() == single.result.checkpoint.read_bytes()
    assert not (tmp_path / STATE).exists()


def test_the_state_of_another_run_or_a_broken_one_is_not_taken_up(tmp_path: Path) -> None:
    assert load_state(tmp_path, "key") is None
    (tmp_path / STATE).write_bytes(b"cut short")
    assert load_state(tmp_path, "key") is None


def test_a_leak_between_folds_stops_it(single: Trained, tmp_path: Path) -> None:
    frame = read_manifest(single.manifest)
    frame.loc[0, "fold"] = (frame.loc[0, "fold"] + 1) % 4
    with pytest.raises(FoldLeakError):
        train(write_manifest(frame, tmp_path), tmp_path / "out", single.settings)


def test_photos_that_cannot_be_read_are_counted_and_passed_over(tmp_path: Path) -> None:
    rows = colour_rows(tmp_path, people_per_cell=4)
    (tmp_path / rows[0]["path"]).write_bytes(b"")
    (tmp_path / rows[5]["path"]).unlink()
    result = train(save_rows(tmp_path, rows), tmp_path / "out", tiny(epochs=1, balance=0.0))
    reasons = {each["photo_id"]: each["reason"] for each in result.metrics["refusals"]}
    assert set(reasons) <= {rows[0]["photo_id"], rows[5]["photo_id"]}
    assert reasons[rows[0]["photo_id"]] == "empty_file"
    assert result.metrics["scores"]["real"]["rows"] == result.metrics["data"]["rows"]["real"] - 1


def test_a_manifest_without_its_photos_says_so(single: Trained, tmp_path: Path) -> None:
    shutil.copy(single.manifest, tmp_path)
    with pytest.raises(TrainingDataError, match="beside its photos"):
        train(tmp_path, tmp_path / "out", single.settings)


def test_fewer_photos_than_a_batch_still_train(tmp_path: Path) -> None:
    manifest = save_rows(tmp_path, colour_rows(tmp_path, people_per_cell=2, folds=2))
    result = train(manifest, tmp_path / "out", tiny(epochs=1, batch_size=64))
    assert result.metrics["history"][0]["train_loss"] > 0


def test_an_odd_photo_left_over_does_not_break_batch_norm(tmp_path: Path) -> None:
    rows = colour_rows(tmp_path, people_per_cell=2, folds=2)
    rows = [each for each in rows if each["fold"] == 0] + [each for each in rows if each["fold"] == 1][:17]
    result = train(save_rows(tmp_path, rows), tmp_path / "out", tiny(epochs=1, batch_size=16))
    assert result.metrics["data"]["rows"]["train"] == 17


def test_variants_are_scored_beside_the_real_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.train.plot_run", plot_run)
    rows = colour_rows(tmp_path, people_per_cell=4)
    bare = [each for each in rows if each["mask"] == "not_wear"]
    variants: list[dict[str, Any]] = [
        variant_of(each, "v", mask="not_wear", path=each["path"], mask_confidence=1.0) for each in bare
    ]
    result = train(save_rows(tmp_path, [*rows, *variants]), tmp_path / "out", tiny(epochs=1))
    scores = result.metrics["scores"]
    assert result.metrics["headline"] == "real"
    assert scores["real"]["rows"] == 18
    assert scores["synthetic"]["rows"] == 6
    assert len(scores["synthetic"]["absent"]) == 12
    assert (tmp_path / "out" / "confusion_synthetic.png").exists()


def test_partly_labelled_rows_teach_a_triple_head(tmp_path: Path) -> None:
    rows = colour_rows(tmp_path, people_per_cell=2, folds=2)
    for each in rows:
        if each["fold"] == 1:
            for name in ("gender", "age", "age_group"):
                del each[name]
    manifest = save_rows(tmp_path, [*rows, row("none.png", "none", fold=1)])
    result = train(manifest, tmp_path / "out", tiny(head="triple", epochs=1))
    assert result.metrics["data"]["rows"]["train"] == 18
    with pytest.raises(TrainingDataError, match="0 rows are left to train on"):
        train(manifest, tmp_path / "out", tiny(head="single", epochs=1))


def test_a_gpu_that_is_not_there_is_named(single: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SettingsError, match="sees no GPU"):
        train(single.manifest, tmp_path, tiny(device="cuda"))


def test_a_loss_that_is_no_number_stops_with_advice(single: Trained, tmp_path: Path) -> None:
    state = {
        name: each * float("nan") for name, each in load_checkpoint(single.result.checkpoint)[0].named_parameters()
    }
    save_file(state, tmp_path / "broken.safetensors")
    settings = tiny(weights=tmp_path / "broken.safetensors", learning_rate=1e-5)
    with pytest.raises(TrainingDataError, match=r"stopped being a number in epoch 1: lower learning_rate \(1e-05\)"):
        train(single.manifest, tmp_path / "out", settings)
