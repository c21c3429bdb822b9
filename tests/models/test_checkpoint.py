from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.checkpoint import load_checkpoint, read_config, save_checkpoint
from models.errors import CheckpointError
from tests.models.conftest import Trained


@pytest.mark.parametrize("trained", ["single", "triple"])
def test_a_checkpoint_answers_as_the_model_it_was_made_of(
    trained: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    checkpoint = request.getfixturevalue(trained).result.checkpoint
    network, config = load_checkpoint(checkpoint)
    again, same = load_checkpoint(save_checkpoint(tmp_path / "again.safetensors", network.state_dict(), config))
    photos = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(again(photos), network(photos), rtol=0, atol=0)
        assert network(photos).std() > 0.1
    assert same == config == read_config(checkpoint)
    assert config.head == trained
    assert (tmp_path / "again.safetensors").read_bytes() == checkpoint.read_bytes()


def test_it_carries_what_prediction_needs(single: Trained) -> None:
    config = read_config(single.result.checkpoint)
    assert (config.model, config.image_size, config.mean) == ("test_resnet", 32, (0.5, 0.5, 0.5))
    assert config.labels[17] == "not_wear/female/60_plus"
    assert config.scores["macro_f1"] == single.result.metrics["macro_f1"]


def rewritten(single: Trained, path: Path, **changes: Any) -> Path:
    """The checkpoint with its description changed."""
    from safetensors import safe_open

    with safe_open(single.result.checkpoint, framework="pt") as held:
        config = json.loads(held.metadata()["palette"])
    save_file(load_file(single.result.checkpoint), path, metadata={"palette": json.dumps({**config, **changes})})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format"),
        ({"head": "double"}, "double"),
        ({"image_size": 10**9}, "image_size"),
        ({"labels": ["a"]}, "18"),
        ({"most_frequent": 18}, "18"),
        ({"mean": [0.5]}, "mean"),
        ({"surprise": 1}, "surprise"),
        ({"model": "hf-hub:someone/model"}, "no model named"),
        ({"model": "test_efficientnet"}, "rebuilt"),
        ({"head": "triple"}, "rebuilt"),
    ],
)
def test_a_description_that_does_not_fit_is_named(
    single: Trained, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(rewritten(single, tmp_path / "m.safetensors", **changes))


def test_missing_broken_and_foreign_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match="not a readable safetensors"):
        load_checkpoint(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not written by palette train"):
        load_checkpoint(path)
