from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from models.attribution import grad_cam
from models.classifier import build_classifier
from models.errors import AttributionError, SettingsError
from models.heads import Layout, to_codes

SIDE = 32
RED, BLUE = (slice(0, 8), slice(0, 8)), (slice(24, 32), slice(24, 32))


def evidence() -> torch.Tensor:
    """(1, 3, 32, 32): red in the upper left corner, blue in the lower right one."""
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[0, 0, *RED] = 1.0
    image[0, 2, *BLUE] = 1.0
    return image


def answers_of(channels: torch.Tensor, n_outputs: int, red: int, blue: int) -> torch.Tensor:
    """(B, n) logits: one speaks for red, one for blue."""
    logits = torch.zeros(len(channels), n_outputs)
    return torch.cat(
        [logits[:, :red], channels[:, :1], logits[:, red + 1 : blue], channels[:, 2:], logits[:, blue + 1 :]], 1
    )


class Maps(nn.Module):
    """Averages cells of 4 x 4 pixels, colour by colour."""

    def __init__(self, n_outputs: int = 18, red: int = 3, blue: int = 17, channels_last: bool = False) -> None:
        super().__init__()
        self.shape = n_outputs, red, blue
        if channels_last:
            self.output_fmt = "NHWC"

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        cells = nn.functional.avg_pool2d(images, 4)
        return cells.permute(0, 2, 3, 1) if hasattr(self, "output_fmt") else cells

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        pooled = features.mean(dim=(1, 2)) if hasattr(self, "output_fmt") else features.mean(dim=(2, 3))
        return answers_of(pooled, *self.shape)


class Gather(nn.Module):
    """A block that adds the mean of all tokens to the first, as attention would."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.cat([tokens[:, :1] + tokens[:, 1:].mean(dim=1, keepdim=True), tokens[:, 1:]], dim=1)


class Tokens(nn.Module):
    """A transformer that answers from its class token: no other token's last state counts."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Identity(), Gather(), nn.Identity())
        self.feature_info = [{"module": f"blocks.{at}"} for at in range(3)]
        self.num_prefix_tokens = 1

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        cells = nn.functional.avg_pool2d(images, 4).flatten(2).transpose(1, 2)
        tokens: torch.Tensor = self.blocks(torch.cat([torch.zeros_like(cells[:, :1]), cells], dim=1))
        return tokens

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        return answers_of(features[:, 0], 18, 3, 17)


def loudest(heat: NDArray[np.float32]) -> tuple[int, int]:
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return int(row), int(column)


@pytest.mark.parametrize(
    "network", [Maps(), Maps(channels_last=True), Tokens()], ids=["maps", "channels last", "tokens"]
)
@pytest.mark.parametrize(("label", "corner", "other"), [(3, RED, BLUE), (17, BLUE, RED)])
def test_the_corner_that_holds_the_evidence_speaks(
    network: nn.Module, label: int, corner: tuple[slice, slice], other: tuple[slice, slice]
) -> None:
    heat = grad_cam(network, evidence(), to_codes(np.array([label])), layout=Layout())
    assert heat.shape == (1, SIDE, SIDE)
    assert heat.dtype == np.float32
    assert heat.max() == 1
    assert heat.min() == 0
    assert heat[0][corner].mean() > 0.7
    assert heat[0][other].max() == 0
    outside = heat[0].copy()
    outside[corner[0], corner[1]] = 0
    assert outside.sum() < 0.5 * heat[0].sum()


def test_heads_are_explained_apart() -> None:
    # mask 3, gender 2, age 3: red speaks for incorrect, blue for female
    network, layout = Maps(8, red=1, blue=4), Layout("triple")
    codes = np.array([[1, 1, 0]])
    mask = grad_cam(network, evidence(), codes, layout=layout, head="mask")[0]
    gender = grad_cam(network, evidence(), codes, layout=layout, head="gender")[0]
    assert max(loudest(mask)) < 8
    assert min(loudest(gender)) >= 24
    both = grad_cam(network, evidence(), codes, layout=layout)[0]
    assert min(both[RED].mean(), both[BLUE].mean()) > 0.7


def test_a_head_of_a_single_answer_is_all_its_classes() -> None:
    # label 3 is wear, female, under_30; label 17 is not_wear, female, 60_plus
    mask = grad_cam(Maps(), evidence(), to_codes(np.array([3])), layout=Layout(), head="mask")[0]
    assert max(loudest(mask)) < 8
    assert mask[BLUE].max() == 0


@pytest.mark.parametrize("age_as", ["regression", "ordinal", "both", "classes"])
def test_ages_are_explained_however_they_are_answered(age_as: str) -> None:
    layout = Layout("triple", ("age_group",), age_as)  # type: ignore[arg-type]
    built = build_classifier("test_resnet", layout, 64)
    heat = grad_cam(built.network, torch.randn(2, 3, 64, 64), layout=layout, head="age_group")
    assert np.isfinite(heat).all()


def test_without_codes_it_explains_the_models_own_answer() -> None:
    given = grad_cam(Maps(), 5 * evidence(), layout=Layout())
    own = grad_cam(Maps(), 5 * evidence(), np.full((1, 3), -1), layout=Layout())
    np.testing.assert_array_equal(given, own)
    due = grad_cam(Maps(), 5 * evidence(), to_codes(np.array([3])), layout=Layout())
    np.testing.assert_array_equal(given, due)


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "test_mambaout", "test_efficientnet", "test_nfnet"])
def test_models_of_timm_have_a_map(model: str) -> None:
    torch.manual_seed(0)
    network = build_classifier(model, Layout(), 160).network
    for name, parameter in network.named_parameters():
        if name.endswith("weight") and parameter.ndim == 2:
            nn.init.normal_(parameter, std=0.1)
    network.train()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    photo = torch.randn(1, 3, 160, 160).expand(18, -1, -1, -1)
    heat = grad_cam(network, photo, to_codes(np.arange(18)), layout=Layout())
    assert heat.shape == (18, 160, 160)
    assert np.isfinite(heat).all()
    assert heat.min() >= 0
    assert heat.max() == 1  # something speaks for one of the classes at least
    assert np.ptp(heat, axis=(1, 2)).max() > 0.2  # and it tells places apart
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_small_photos_are_explained_by_an_earlier_map() -> None:
    network = build_classifier("test_resnet", Layout(), 32).network  # its last map has one cell
    heat = grad_cam(network, torch.randn(3, 3, 32, 32), layout=Layout())
    assert np.ptp(heat, axis=(1, 2)).max() > 0.2


def test_what_cannot_be_explained_is_named() -> None:
    with pytest.raises(SettingsError, match="answers mask, not 'gender'"):
        grad_cam(Maps(), evidence(), layout=Layout("triple", ("mask",)), head="gender")
    with pytest.raises(AttributionError, match="Flatten"):
        grad_cam(nn.Flatten(), evidence(), layout=Layout())
    assert grad_cam(Maps(), evidence()[:0], layout=Layout()).shape == (0, SIDE, SIDE)
