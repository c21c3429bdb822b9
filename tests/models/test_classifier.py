from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from models.classifier import build_classifier
from models.errors import UnknownModelError, WeightsError
from models.heads import Layout


@pytest.mark.parametrize(("head", "outputs"), [("single", 18), ("triple", 8)])
@pytest.mark.parametrize("model", ["test_resnet", "test_efficientnet.r160_in1k", "test_vit"])
def test_any_model_by_name_answers_in_the_head_asked_for(model: str, head: Any, outputs: int) -> None:
    built = build_classifier(model, Layout(head), 64)
    assert built.network(torch.zeros(2, 3, 64, 64)).shape == (2, outputs)
    assert built.origin == "scratch"


def test_normalisation_is_the_models_own() -> None:
    assert build_classifier("test_resnet", Layout(), 32).mean == (0.5, 0.5, 0.5)
    assert build_classifier("test_efficientnet", Layout(), 32).mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet19", "resnet18"),
        ("efficientnet_b33", "efficientnet_b3"),
        ("hf-hub:someone/resnet18", "no model named"),
        ("local-dir:/etc", "no model named"),
        ("../resnet18", "no model named"),
        ("", "no model named"),
        ("resnet18.nonsense", "a1_in1k"),
    ],
)
def test_an_unknown_name_lists_its_neighbours(name: str, hint: str) -> None:
    with pytest.raises(UnknownModelError, match=hint) as caught:
        build_classifier(name, Layout(), 64)
    assert caught.value.exit_code == 2


def test_a_size_the_model_cannot_take_is_named() -> None:
    with pytest.raises(UnknownModelError, match=r"100"):
        build_classifier("test_maxvit", Layout(), 100)


def body_of_another_task(path: Path) -> dict[str, torch.Tensor]:
    """Weights of the same body with 1,000 classes, written to a file."""
    state = timm.create_model("test_resnet", num_classes=1000).state_dict()
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, path)
    return state


@pytest.mark.parametrize("name", ["body.safetensors", "body.pth"])
def test_local_weights_fill_the_body_and_leave_the_head(tmp_path: Path, name: str) -> None:
    theirs = body_of_another_task(tmp_path / name)
    built = build_classifier("test_resnet", Layout(), 32, weights=tmp_path / name)
    mine = built.network.state_dict()
    torch.testing.assert_close(mine["layer1.0.conv1.weight"], theirs["layer1.0.conv1.weight"])
    assert mine["fc.weight"].shape == (18, theirs["fc.weight"].shape[1])
    assert built.origin == f"file:{name}"


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    body_of_another_task(tmp_path / "body.safetensors")
    with pytest.raises(WeightsError, match="another model's weights"):
        build_classifier("test_efficientnet", Layout(), 32, weights=tmp_path / "body.safetensors")


class Planted:
    """Runs code when unpickled."""

    def __reduce__(self) -> Any:
        return print, ("planted code ran",)


def test_weights_that_would_run_code_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": Planted()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="no readable weights"):
        build_classifier("test_resnet", Layout(), 32, weights=tmp_path / "evil.pth")
    assert "planted" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 64])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_broken_or_missing_weights_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    with pytest.raises(WeightsError, match="no weights at"):
        build_classifier("test_resnet", Layout(), 32, weights=path)
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="no readable weights"):
        build_classifier("test_resnet", Layout(), 32, weights=path)


def test_the_hub_out_of_reach_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="local file with weights, or train from scratch"):
        build_classifier("test_resnet", Layout(), 32, pretrained=True)
