from __future__ import annotations

import pytest

from models.errors import SettingsError
from models.settings import TrainSettings
from models.sizes import parse_sizes, size_at


def sides(sizes: str, epochs: int, image_size: int = 96) -> list[int]:
    settings = TrainSettings(sizes=sizes, epochs=epochs, image_size=image_size)
    return [size_at(epoch, settings) for epoch in range(epochs)]


def test_without_a_schedule_every_epoch_is_at_the_model_s_own_side() -> None:
    assert sides("", 3) == [96, 96, 96]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ("64:0.5,96", [64] * 5 + [96] * 5),
        ("48:0.3, 64:0.3, 80", [48] * 3 + [64] * 3 + [80] * 4),
        ("64:0.1,96", [64] + [96] * 9),
        ("64:0.05,96", [96] * 10),
        ("64:0.99,96", [64] * 9 + [96]),
        ("80", [80] * 10),
    ],
)
def test_each_side_has_its_share_of_the_epochs(sizes: str, expected: list[int]) -> None:
    assert sides(sizes, 10) == expected


def test_a_single_epoch_is_at_the_last_side() -> None:
    assert sides("64:0.9,96", 1) == [96]


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ("64:0.5", "runs to the end"),
        ("64,96", "lacks its share"),
        ("64:0.5,128", "128"),
        ("8:0.5,96", "'8'"),
        ("64:half,96", "'half'"),
        ("64:1.5,96", "'1.5'"),
        ("64:-0.5,96", "'-0.5'"),
        ("64:nan,96", "'nan'"),
        ("64:0.5,80:0.5,96", "sum to 1 or more"),
        ("64:0.7,80:0.7,96", "sum to 1 or more"),
        ("64:0.5,", "''"),
        ("a few", "'a few'"),
    ],
)
def test_a_schedule_that_can_not_be_is_a_clear_error(sizes: str, told: str) -> None:
    with pytest.raises(SettingsError, match="sizes must") as caught:
        TrainSettings(sizes=sizes, image_size=96)
    assert told in str(caught.value)
    assert "64:0.5,96" in str(caught.value)


def test_sides_may_be_shares_of_the_image_size() -> None:
    assert parse_sizes("50%:0.5,100%", 224) == ((112, 0.5), (224, 1.0))
    assert parse_sizes("35%:0.5,100%", 100) == ((32, 0.5), (100, 1.0))
    assert parse_sizes("1%:0.5,24", 24) == ((16, 0.5), (24, 1.0))
    for wrong in ("0%:0.5,24", "101%:0.5,24", "x%:0.5,24"):
        with pytest.raises(SettingsError, match="is none"):
            parse_sizes(wrong, 24)
