from __future__ import annotations

import numpy as np
import pytest

from models.heads import to_codes
from models.sampling import BalancedSampler, InOrder, class_weights, draw_probabilities


def uneven() -> np.ndarray:
    """Codes of 90 rows of class 0, 9 of class 7 and 1 of class 17."""
    return to_codes(np.repeat([0, 7, 17], [90, 9, 1]))


@pytest.mark.parametrize(("balance", "shares"), [(0.0, (0.9, 0.09, 0.01)), (1.0, (1 / 3, 1 / 3, 1 / 3))])
def test_balance_goes_from_as_they_lie_to_all_alike(balance: float, shares: tuple[float, ...]) -> None:
    probabilities = draw_probabilities(uneven(), balance)
    sums = [probabilities[:90].sum(), probabilities[90:99].sum(), probabilities[99:].sum()]
    np.testing.assert_allclose(sums, shares)


def test_balance_between_lies_between() -> None:
    rare = [draw_probabilities(uneven(), balance)[99] for balance in (0.0, 0.3, 0.7, 1.0)]
    assert rare == sorted(rare)
    assert len(set(rare)) == 4


def test_rare_classes_are_drawn_as_often_as_the_balance_says() -> None:
    sampler = BalancedSampler(np.tile(uneven(), (50, 1)), balance=1.0, seed=0)
    rows = np.array([draw.row for draw in sampler]) % 100
    assert len(rows) == len(sampler) == 5000
    assert abs((rows == 99).mean() - 1 / 3) < 0.03


def test_seed_and_epoch_fix_the_draws() -> None:
    first, again = (BalancedSampler(uneven(), 0.5, seed=4) for _ in range(2))
    assert list(first) == list(again)
    again.set_epoch(1)
    assert list(first) != list(again)
    assert list(first) != list(BalancedSampler(uneven(), 0.5, seed=5))


def test_a_row_drawn_twice_is_changed_in_two_ways() -> None:
    seeds: dict[int, set[int]] = {}
    for draw in BalancedSampler(uneven(), 1.0, seed=0):
        seeds.setdefault(draw.row, set()).add(draw.seed)
    assert len(seeds[99]) > 20


def test_in_order_takes_each_row_once() -> None:
    assert [draw.row for draw in InOrder(4)] == [0, 1, 2, 3]
    assert len(InOrder(4)) == 4


def test_class_weights_raise_rare_classes_and_average_one() -> None:
    weights = class_weights(uneven(), power=0.5)
    present = weights["label"][[0, 7, 17]]
    assert present[0] < present[1] < present[2]
    np.testing.assert_allclose(present.mean(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(present[2] / present[0], 90**0.5, rtol=1e-5)
    assert weights["label"][5] == 1.0
    assert [len(weights[name]) for name in ("mask", "gender", "age_group")] == [3, 2, 3]


def test_no_power_weighs_all_alike() -> None:
    for each in class_weights(uneven(), power=0.0).values():
        np.testing.assert_array_equal(each, 1.0)
