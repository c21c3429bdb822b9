"""What is learned from which row, how often and mixed with what, from the settings to the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.train import train
from tests.models.builders import colour_rows, save_rows
from tests.models.conftest import tiny
from tests.models.test_splits import variant_of

EPOCHS, DRAWS = 2, 48


def manifest_of(folder: Path) -> Path:
    """Two people of each gender and age group, in all mask states, and a variant of each photo of the training fold."""
    rows = colour_rows(folder, people_per_cell=2, folds=2)
    variants = [variant_of(each, "v", mask=each["mask"], path=each["path"]) for each in rows if each["fold"]]
    return save_rows(folder, [*rows, *variants])


def test_a_killed_run_goes_on_with_the_same_mixtures_draws_and_weights(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path)
    settings = tiny(
        head="triple",
        epochs=EPOCHS,
        epoch_rows=DRAWS,
        loss="ldam",
        drw_from=0.5,
        mix="both",
        mix_chance=1.0,
        synthetic_share=0.25,
    )
    whole = train(manifest, tmp_path / "whole", settings)

    def kill_in_the_last_epoch(done: int, total: int) -> None:
        assert total == EPOCHS * DRAWS
        if done > (EPOCHS - 0.7) * DRAWS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(manifest, tmp_path / "out", settings, kill_in_the_last_epoch)
    again = train(manifest, tmp_path / "out", settings)
    assert again.checkpoint.read_bytes() == whole.checkpoint.read_bytes()
    assert again.metrics["history"] == whole.metrics["history"]


def test_fewer_draws_than_a_batch_still_train(tmp_path: Path) -> None:
    result = train(manifest_of(tmp_path), tmp_path / "out", tiny(epochs=1, epoch_rows=6, loss="f1"))
    assert result.metrics["history"][0]["train_loss"] > 0


def test_classes_weigh_by_their_number_from_the_epoch_that_was_asked_for(tmp_path: Path) -> None:
    rows = colour_rows(tmp_path, people_per_cell=4, folds=2)
    few = [each for each in rows if each["fold"] == 0 or each["gender"] == "male" or each["age_group"] == "under_30"]
    manifest = save_rows(tmp_path, few)
    first, last = (
        [each["train_loss"] for each in train(manifest, tmp_path / str(begin), settings).metrics["history"]]
        for begin in (0.5, 1.0)
        for settings in [tiny(head="triple", epochs=2, epoch_rows=DRAWS, loss="ldam", drw_from=begin)]
    )
    assert first[0] == last[0]
    assert first[1] != last[1]
