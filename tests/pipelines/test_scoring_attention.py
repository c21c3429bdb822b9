"""What models looked at: photos as they saw them, each by the model of its own fold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from models.chances import of_labels
from models.checkpoint import CheckpointConfig, save_checkpoint
from models.classifier import build_classifier
from models.heads import Layout, to_codes
from pipelines.scoring.attention import overlays
from pipelines.scoring.inputs import Scored
from synth.sheet import TILE
from tests.models.builders import colour_rows, save_rows
from tests.models.team_builders import checkpoint_at


@pytest.fixture
def scored(tmp_path: Path) -> Scored:
    """Photos of two folds, the first of which has its model at hand."""
    frame = pd.read_parquet(save_rows(tmp_path, colour_rows(tmp_path, people_per_cell=2, folds=2)))
    torch.manual_seed(0)
    built = build_classifier("test_resnet", Layout(), 32)
    config = CheckpointConfig("test_resnet", "single", 32, built.mean, built.std, most_frequent=0)
    checkpoint = save_checkpoint(tmp_path / "fold-0" / "model.safetensors", built.network.state_dict(), config)
    count = len(frame)
    values: dict[str, Any] = {
        "said": "test",
        "photo_ids": tuple(frame["photo_id"]),
        "truth": to_codes(frame["label"].to_numpy(dtype=np.int64)),
        "answers": np.zeros((count, 3), dtype=np.int64),
        "synthetic": np.zeros(count, dtype=bool),
        "chances": of_labels(np.full((count, 18), 1 / 18)),
        "folds": frame["fold"].to_numpy(dtype=np.int64),
        "rows": frame,
        "root": tmp_path,
        "checkpoints": {0: (checkpoint,)},
    }
    return Scored(**values)


def test_each_photo_is_shown_by_the_model_of_its_fold(scored: Scored, tmp_path: Path) -> None:
    assert scored.rows is not None
    assert scored.folds is not None
    (tmp_path / scored.rows["path"].iloc[0]).write_bytes(b"")
    shown = overlays(scored, [0, 1, 2, 3, 4, 5])
    assert scored.folds[0] == 0
    assert set(shown) == {row for row in (1, 2, 3, 4, 5) if scored.folds[row] == 0} == {1, 2}
    assert all(each.size == TILE for each in shown.values())


def test_without_a_model_or_a_manifest_nothing_is_shown(scored: Scored) -> None:
    assert overlays(Scored(**{**vars(scored), "checkpoints": {}}), [0, 1]) == {}
    assert overlays(Scored(**{**vars(scored), "rows": None}), [0, 1]) == {}


def test_what_was_answered_is_shown_by_all_runs_that_answered_it(scored: Scored, tmp_path: Path) -> None:
    other = checkpoint_at(tmp_path / "other" / "fold-0" / "model.safetensors", 3)
    changed = {
        "as it is": {},
        "another answer": {"answers": np.ones_like(scored.answers)},
        "another run too": {"checkpoints": {0: (*scored.checkpoints[0], other)}},
    }
    shown = {name: overlays(Scored(**{**vars(scored), **each}), [0, 1, 2]) for name, each in changed.items()}
    plain = shown.pop("as it is")
    assert set(plain) == {0, 1, 2}
    for name, pictures in shown.items():
        assert any(pictures[row].tobytes() != plain[row].tobytes() for row in plain), name
