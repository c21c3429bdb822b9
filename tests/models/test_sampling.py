from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.data import Examples
from models.errors import SettingsError
from models.heads import to_codes
from models.sampling import BalancedSampler, InOrder, draw_probabilities, make_sampler
from models.settings import TrainSettings


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


def share_of(probabilities: np.ndarray, chosen: np.ndarray) -> float:
    return float(probabilities[chosen].sum())


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_sources_go_from_as_they_lie_to_all_alike(balance: float, share: float) -> None:
    sources = np.array(["a"] * 90 + ["b"] * 10)
    probabilities = draw_probabilities(to_codes(np.zeros(100, dtype=np.int64)), 0.0, tuple(sources), balance)
    assert share_of(probabilities, sources == "b") == pytest.approx(share)


def test_balances_multiply() -> None:
    labels, sources = np.array([0] * 4 + [5] * 4), ("a", "a", "a", "b") * 2
    both = draw_probabilities(to_codes(labels[[0, 1, 2, 3, 4, 7]]), 0.5, [*sources[:4], "a", "b"], 0.7)
    weights = np.array([4, 4, 4, 4, 2, 2]) ** -0.5 * np.array([4, 4, 4, 2, 4, 2]) ** -0.7
    np.testing.assert_allclose(both, weights / weights.sum())


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_variants_have_the_share_that_is_asked_for_and_keep_their_balance(share: float) -> None:
    codes, synthetic = uneven(), np.arange(100) % 3 == 0
    probabilities = draw_probabilities(codes, 0.7, None, 0.0, synthetic, share)
    assert probabilities.sum() == pytest.approx(1.0)
    assert share_of(probabilities, synthetic) == pytest.approx(share)
    plain = draw_probabilities(codes, 0.7)
    for chosen, part in ((synthetic, share), (~synthetic, 1 - share)):
        np.testing.assert_allclose(probabilities[chosen], plain[chosen] / plain[chosen].sum() * part)


@pytest.mark.parametrize(("synthetic", "share", "what"), [(False, 0.2, "variants"), (True, 0.2, "photos")])
def test_a_share_of_what_is_not_there_is_refused(synthetic: bool, share: float, what: str) -> None:
    with pytest.raises(SettingsError, match=f"synthetic_share 0.2 wants .* to be {what}"):
        draw_probabilities(uneven(), 0.0, None, 0.0, np.full(100, synthetic), share)


def examples(synthetic: np.ndarray) -> Examples:
    paths = [Path(f"{at}.jpg") for at in range(len(synthetic))]
    plain = Examples.unlabelled(paths, [f"s:{at}" for at in range(len(synthetic))])
    sources = tuple("b" if at < 10 else "a" for at in range(len(synthetic)))
    return replace(plain, codes=uneven(), sources=sources, synthetic=synthetic)


def test_the_sampler_does_what_the_settings_say() -> None:
    settings = TrainSettings(balance=0.4, balance_sources=0.6, synthetic_share=0.2, epoch_rows=7000, seed=3)
    rows = examples(np.arange(100) >= 50)
    sampler = make_sampler(rows, settings)
    expected = draw_probabilities(rows.codes, 0.4, rows.sources, 0.6, rows.synthetic, 0.2)
    np.testing.assert_array_equal(sampler.probabilities, expected)
    drawn = np.array([draw.row for draw in sampler])
    assert len(drawn) == len(sampler) == 7000
    assert abs((drawn >= 50).mean() - 0.2) < 0.02


def test_the_settings_as_they_come_draw_what_classes_alone_say() -> None:
    sampler = make_sampler(examples(np.arange(100) >= 50), TrainSettings(seed=5))
    assert list(sampler) == list(BalancedSampler(uneven(), TrainSettings().balance, seed=5))
    assert len(sampler) == 100
