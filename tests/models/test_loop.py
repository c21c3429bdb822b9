from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from models.checkpoint import load_checkpoint
from models.optimisers import clip_gradients, freeze_body, make_optimiser
from models.resume import STATE
from models.settings import TrainSettings
from models.train import train
from models.weights import read_state
from tests.models.builders import colour_rows, save_rows
from tests.models.conftest import Trained, tiny

EVERYTHING: dict[str, Any] = {
    "ema": 0.9,
    "accumulate": 3,
    "epochs": 3,
    "batch_size": 8,
    "head": "triple",
    "age_as": "both",
}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 4 people a cell."""
    folder = tmp_path_factory.mktemp("few")
    return save_rows(folder, colour_rows(folder, people_per_cell=4))


def test_a_run_with_everything_on_goes_on_after_a_kill_to_the_same_model(few: Path, tmp_path: Path) -> None:
    settings = tiny(**EVERYTHING)
    whole = train(few, tmp_path / "whole", settings)

    def kill(done: int, total: int) -> None:
        if done > 0.8 * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(few, tmp_path / "killed", settings, kill)
    assert (tmp_path / "killed" / STATE).exists()
    again = train(few, tmp_path / "killed", settings)
    assert again.checkpoint.read_bytes() == whole.checkpoint.read_bytes()
    assert again.metrics["history"] == whole.metrics["history"]


def test_the_running_mean_is_what_is_kept(few: Path, tmp_path: Path) -> None:
    plain, mean = (train(few, tmp_path / str(ema), tiny(epochs=1, ema=ema)) for ema in (0.0, 0.5))
    states = [load_checkpoint(each.checkpoint)[0].state_dict() for each in (plain, mean)]
    assert plain.metrics["history"][0]["train_loss"] == mean.metrics["history"][0]["train_loss"]
    assert not torch.equal(states[0]["conv1.0.weight"], states[1]["conv1.0.weight"])


def test_accumulated_batches_are_fewer_steps(few: Path, tmp_path: Path) -> None:
    one = train(few, tmp_path / "one", tiny(epochs=2))
    three = train(few, tmp_path / "three", tiny(epochs=2, accumulate=3))
    assert one.metrics["history"] != three.metrics["history"]


@pytest.mark.parametrize(
    ("changes", "answered"),
    [
        ({"age_as": "regression"}, {"mask", "gender", "age_group"}),
        ({"age_as": "ordinal"}, {"mask", "gender", "age_group"}),
        ({"age_as": "both"}, {"mask", "gender", "age_group"}),
        ({"parts": "mask,gender"}, {"mask", "gender"}),
        ({"parts": "age_group", "age_as": "regression"}, {"age_group"}),
    ],
)
def test_heads_of_every_kind_learn(
    single: Trained, tmp_path: Path, changes: dict[str, Any], answered: set[str]
) -> None:
    result = train(single.manifest, tmp_path, tiny(head="triple", epochs=6, **changes))
    scores = result.metrics["scores"]["real"]
    assert {name for name, each in scores["heads"].items() if each["rows"]} == answered
    assert all(scores["heads"][name]["accuracy"] > 0.75 for name in answered)
    assert result.metrics["macro_f1"] > 0.5
    assert bool(scores["rows"]) == (len(answered) == 3)
    network, config = load_checkpoint(result.checkpoint)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, config.layout.n_outputs)


def test_heads_alone_leave_the_body_as_it_was(single: Trained, tmp_path: Path) -> None:
    settings = tiny(update="heads", weights=single.result.checkpoint, epochs=1, learning_rate=0.1)
    result = train(single.manifest, tmp_path, settings)
    before, after = (read_state(each) for each in (single.result.checkpoint, result.checkpoint))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_it_stops_when_scores_stand_still(single: Trained, tmp_path: Path) -> None:
    settings = tiny(update="heads", learning_rate=1e-8, patience=2, epochs=9, seed=3)
    result = train(single.manifest, tmp_path, settings)
    history = result.metrics["history"]
    assert len(history) == result.metrics["epochs"] == result.metrics["best_epoch"] + 2 < 9


def test_lower_layers_learn_more_slowly() -> None:
    network = timm.create_model("test_vit", num_classes=8)
    groups = make_optimiser(network, TrainSettings(layer_decay=0.5, learning_rate=0.1, weight_decay=0.05)).param_groups
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    assert rates[id(network.head.weight)] == pytest.approx(0.1)
    first, second = (rates[id(network.blocks[at].attn.qkv.weight)] for at in (0, 1))
    assert first == pytest.approx(second / 2)
    assert rates[id(network.patch_embed.proj.weight)] < first
    decays = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    assert decays[id(network.pos_embed)] == 0
    assert decays[id(network.head.weight)] == 0.05


def test_gradients_are_clipped_by_the_norm_of_their_weights_but_for_the_last_layer() -> None:
    network = timm.create_model("test_resnet", num_classes=8)
    for each in network.parameters():
        each.grad = torch.full_like(each, 10.0)
    clip_gradients(network, TrainSettings(agc=0.01))
    kernel = network.conv1[0].weight
    limit = 0.01 * kernel.flatten(1).norm(dim=1).clamp_min(1e-3)
    torch.testing.assert_close(kernel.grad.flatten(1).norm(dim=1), limit)
    assert (network.fc.weight.grad == 10).all()


@pytest.mark.parametrize(("most", "expected"), [(2.0, 2.0), (0.0, None)])
def test_gradients_are_kept_to_a_length(most: float, expected: float | None) -> None:
    network = torch.nn.Linear(4, 4)
    for each in network.parameters():
        each.grad = torch.full_like(each, 10.0)
    before = torch.stack([each.grad.norm() for each in network.parameters()]).norm()  # type: ignore[union-attr]
    clip_gradients(network, TrainSettings(clip_norm=most))
    after = torch.stack([each.grad.norm() for each in network.parameters()]).norm()  # type: ignore[union-attr]
    torch.testing.assert_close(after, before if expected is None else torch.tensor(expected))


def test_a_frozen_body_asks_for_no_gradient() -> None:
    network = timm.create_model("test_vit", num_classes=8)
    freeze_body(network)
    assert {name for name, each in network.named_parameters() if each.requires_grad} == {"head.weight", "head.bias"}


def test_the_last_epoch_is_kept_where_that_is_asked_for(few: Path, tmp_path: Path) -> None:
    result = train(few, tmp_path, tiny(epochs=3, keep="last", learning_rate=1e-6))
    assert result.metrics["best_epoch"] == 3
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "Epoch 3 of 3 was kept.\n" in card
    assert "chosen on these people" not in card
