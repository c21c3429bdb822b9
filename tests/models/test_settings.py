from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import SettingsError
from models.settings import TrainSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 1),
        ("learning_rate", -1.0),
        ("image_size", 8),
        ("balance", 1.5),
        ("pseudo_confidence", float("nan")),
        ("age_confidence", 1.5),
        ("fold", -1),
        ("epochs", True),
        ("epochs", "ten"),
        ("head", "double"),
        ("augment", "lots"),
        ("device", "tpu"),
        ("crop", "ears"),
        ("sizes", "small"),
        ("loss", "hinge"),
        ("effective_beta", 1.0),
        ("synthetic_share", -0.5),
        ("mix", "cutout"),
        ("mix_alpha", 0.0),
        ("trust", "none"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        TrainSettings(**{name: value})  # type: ignore[arg-type]
    assert str(value) in str(caught.value)
    assert caught.value.exit_code == 2


def test_two_starting_points_contradict() -> None:
    with pytest.raises(SettingsError, match="one of them"):
        TrainSettings(pretrained=True, weights=Path("w.safetensors"))


@pytest.mark.parametrize("changes", [{"loss": "class_balanced"}, {"loss": "ldam", "drw_from": 0.8}])
def test_classes_are_weighted_in_one_way(changes: dict[str, Any]) -> None:
    TrainSettings(**changes)
    TrainSettings(loss="ldam", class_weight_power=0.5)
    with pytest.raises(SettingsError, match="both weigh the classes"):
        TrainSettings(class_weight_power=0.5, **changes)


def test_heads_alone_are_trained_on_a_body_that_has_learned() -> None:
    with pytest.raises(SettingsError, match="give it pretrained, or weights of a file"):
        TrainSettings(update="heads")
    assert TrainSettings(update="heads", pretrained=True).update == "heads"


def test_settings_travel_as_json_without_folders() -> None:
    settings = TrainSettings(weights=Path("/home/someone/w.safetensors"), cache=Path("/home/someone/packed"))
    held = json.loads(json.dumps(settings.to_dict()))
    assert held["cache"] == "packed"
    assert held["weights"] == "w.safetensors"
    assert held["model"] == "resnet18"
