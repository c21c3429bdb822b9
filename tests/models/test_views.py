from __future__ import annotations

import pytest
import torch

from models.views import WINDOW, Tta, views


def batch(side: int = 50) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("tta", "count"), [("none", 1), ("flip", 2), ("flip5", 10)])
def test_there_are_so_many_views_and_the_batch_is_the_first(tta: Tta, count: int) -> None:
    images = batch()
    seen = views(images, tta)
    assert len(seen) == count
    assert seen[0] is images
    assert {tuple(each.shape) for each in seen} == {(2, 3, 50, 50)}
    assert len({each.numpy().tobytes() for each in seen}) == count


@pytest.mark.parametrize("tta", ["flip", "flip5"])
def test_the_second_half_is_the_first_mirrored(tta: Tta) -> None:
    seen = views(batch(), tta)
    half = len(seen) // 2
    for plain, mirrored in zip(seen[:half], seen[half:], strict=True):
        torch.testing.assert_close(mirrored, plain.flip(3), rtol=0, atol=0)


def test_windows_lie_in_the_four_corners() -> None:
    side = 50
    down, across = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    images = torch.stack([down, across, down], 0)[None].float()
    centres = {
        (round(each[0, 0].mean().item(), 1), round(each[0, 1].mean().item(), 1)) for each in views(images, "flip5")[1:5]
    }
    near, far = (round(WINDOW * side) - 1) / 2, side - 1 - (round(WINDOW * side) - 1) / 2
    assert centres == {(near, near), (near, far), (far, near), (far, far)}


def test_a_tiny_batch_has_views_too() -> None:
    assert len(views(torch.zeros(0, 3, 16, 16), "flip5")) == 10
    assert views(torch.zeros(1, 3, 1, 1), "flip5")[1].shape == (1, 3, 1, 1)
