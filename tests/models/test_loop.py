from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from models.checkpoint import load_checkpoint
from models.classifier import build_classifier, try_out
from models.data import Batch, PhotoDataset, make_loader
from models.devices import make_accelerator
from models.errors import TrainingDataError, UnknownModelError
from models.heads import Layout, to_codes
from models.loop import Run, train_epoch
from models.losses import plain_loss
from models.mixing import Mixer
from models.optimisers import clip_gradients, freeze_body, make_optimiser
from models.resume import STATE, fingerprint
from models.sampling import BalancedSampler, InOrder
from models.settings import TrainSettings
from models.splits import split_manifest
from models.targets import Targets
from models.train import train
from models.transforms import PhotoTransform
from models.weights import read_state
from tests.models.builders import colour_rows, save_rows
from tests.models.conftest import Trained, tiny
from tests.models.test_splits import variant_of

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


def test_what_is_reported_is_what_is_kept(single: Trained, tmp_path: Path) -> None:
    """Of a run whose rate is far too high at the end, the best epoch isn't the last."""
    result = train(single.manifest, tmp_path, tiny(ema=0.5, epochs=6, learning_rate=0.05, warmup_epochs=0.0, seed=1))
    metrics = result.metrics
    best = metrics["history"][metrics["best_epoch"] - 1]
    assert metrics["macro_f1"] == best["macro_f1"]
    assert metrics["scores"]["real"]["accuracy"] == best["accuracy"]
    others = [each["macro_f1"] for each in metrics["history"]]
    assert min(others) < max(others) or metrics["best_epoch"] == 1


def test_several_batches_make_the_step_that_one_as_large_would(tmp_path: Path) -> None:
    images = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    codes = torch.from_numpy(to_codes(np.arange(8)))
    targets = Targets(codes, torch.full((8,), torch.nan), torch.ones(8, 3))

    def weights_after(batches: int) -> torch.Tensor:
        torch.manual_seed(0)
        settings = tiny(accumulate=batches, clip_norm=0.0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 18))
        optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
        run = Run(
            settings=settings,
            accelerator=make_accelerator(torch.device("cpu")),
            network=network,
            wrapped=network,
            ema=None,
            loss=plain_loss(Layout()),
            mixer=Mixer(settings),
            optimiser=make_accelerator(torch.device("cpu")).prepare_optimizer(optimiser),
            schedule=torch.optim.lr_scheduler.LambdaLR(optimiser, lambda _: 1.0),
            sampler=BalancedSampler(codes.numpy(), 0.0, 0),
        )
        size = 8 // batches
        loader = [
            Batch(images[at : at + size], targets.take(torch.arange(at, at + size)), np.arange(at, at + size), (), size)
            for at in range(0, 8, size)
        ]
        train_epoch(run, loader, 0, None)  # type: ignore[arg-type]
        assert run.schedule.last_epoch == 1
        return network[1].weight.detach()

    torch.testing.assert_close(weights_after(2), weights_after(1))
    torch.testing.assert_close(weights_after(4), weights_after(1))


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


def test_it_stops_when_scores_stand_still(tmp_path: Path) -> None:
    """Who is held out has the other gender than those learned from: the surer the model, the worse."""
    rows = colour_rows(tmp_path, people_per_cell=4)
    for each in rows:
        if each["fold"] == 0:
            each["gender"] = "female" if each["gender"] == "male" else "male"
    manifest = save_rows(tmp_path, rows)
    result = train(manifest, tmp_path / "out", tiny(head="triple", parts="gender", patience=2, epochs=9))
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


def test_a_training_is_kept_though_the_variants_it_would_be_scored_on_are_gone(tmp_path: Path) -> None:
    rows = colour_rows(tmp_path, people_per_cell=4)
    gone = [
        variant_of(each, "v", mask="wear", path="gone.png", mask_confidence=1.0)
        for each in rows
        if each["mask"] == "not_wear" and each["fold"] == 0
    ]
    result = train(save_rows(tmp_path, [*rows, *gone]), tmp_path / "out", tiny(epochs=1))
    assert result.checkpoint.exists()
    assert result.metrics["scores"]["synthetic"] is None
    assert {each["photo_id"] for each in result.metrics["refusals"]} == {each["photo_id"] for each in gone}


def test_years_cannot_be_learned_where_nobody_has_any(tmp_path: Path) -> None:
    rows = colour_rows(tmp_path, people_per_cell=2, folds=2)
    for each in rows:
        del each["age"]
    manifest = save_rows(tmp_path, rows)
    with pytest.raises(TrainingDataError, match=r"age_as regression learns years, and no row .* use classes"):
        train(manifest, tmp_path / "out", tiny(head="triple", age_as="regression", epochs=1))


def test_draws_that_make_no_batch_say_so(few: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"the 1 draws of an epoch make no batch .* raise epoch_rows"):
        train(few, tmp_path, tiny(epochs=1, epoch_rows=1))


def test_readers_shift_nothing_that_is_drawn_later(few: Path) -> None:
    splits = split_manifest(few, tiny())
    drawn = []
    for workers in (0, 1):
        dataset = PhotoDataset(splits.train, PhotoTransform(32, (0.5,) * 3, (0.5,) * 3), 32, "train")
        torch.manual_seed(1)
        for _ in make_loader(dataset, InOrder(len(splits.train)), 16, workers):
            pass
        drawn.append(torch.rand(3))
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=0)


def test_a_run_of_other_processes_is_another_run(few: Path) -> None:
    keys = {fingerprint(few, tiny(), processes) for processes in (1, 2, 3)}
    assert len(keys) == 3
    assert fingerprint(few, tiny()) == fingerprint(few, tiny(), 1)


def test_a_model_of_one_size_takes_smaller_squares_where_they_are_asked_for() -> None:
    for any_size in (False, True):
        network = build_classifier("deit_tiny_patch16_224", Layout(), 224, any_size=any_size).network
        if any_size:
            try_out(network, "deit_tiny_patch16_224", 112)
        else:
            with pytest.raises(UnknownModelError, match="112 x 112"):
                try_out(network, "deit_tiny_patch16_224", 112)


def test_two_last_layers_are_one_head() -> None:
    network = timm.create_model("deit_tiny_distilled_patch16_224", num_classes=8)
    freeze_body(network)
    learned = {name for name, each in network.named_parameters() if each.requires_grad}
    assert learned == {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"}
