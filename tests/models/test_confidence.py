from __future__ import annotations

import numpy as np
import pytest

from models.confidence import (
    calibration_error,
    coverage_at,
    gain,
    precision_by_coverage,
    reliability,
    threshold_for,
)


def decisions(count: int, boast: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and who is right: as often as they say, or less often by `boast`."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1.0, count)
    return confidence, rng.random(count) < confidence - boast


def test_honest_confidences_have_no_error_and_boastful_ones_theirs() -> None:
    assert calibration_error(*decisions(20_000)) < 0.015
    assert calibration_error(*decisions(20_000, boast=0.2)) == pytest.approx(0.2, abs=0.015)


def test_bins_hold_everybody_once_and_their_mean() -> None:
    confidence, right = decisions(500)
    bins = reliability(confidence, right)
    assert sum(each.count for each in bins) == 500
    assert all(each.low <= each.confidence <= each.low + 0.05 for each in bins)
    assert sum(each.count * each.accuracy for each in bins) == pytest.approx(right.sum())
    assert [each.low for each in reliability(np.array([1.0, 0.5]), np.array([True, False]))] == [0.5, 0.95]


def test_coverage_is_the_largest_share_with_that_precision() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.55])
    right = np.array([True, True, False, True, False])
    coverage, precision = precision_by_coverage(confidence, right)
    np.testing.assert_allclose(coverage, [0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(precision, [1, 1, 2 / 3, 3 / 4, 3 / 5])
    assert coverage_at(confidence, right, 0.99) == pytest.approx(0.4)
    assert coverage_at(confidence, right, 0.7) == pytest.approx(0.8)
    assert coverage_at(confidence, ~right, 0.99) == 0


def test_equal_confidences_stand_or_fall_together() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.6])
    coverage, _ = precision_by_coverage(confidence, np.array([True, False, True, True]))
    np.testing.assert_allclose(coverage, [0.75, 1.0])
    assert coverage_at(confidence, np.array([True, False, True, True]), 0.99) == 0


def test_a_threshold_reaches_the_precision_on_others() -> None:
    threshold = threshold_for(*decisions(4000), 0.95)
    assert threshold is not None
    confidence, right = decisions(20_000, seed=1)
    assert right[confidence >= threshold].mean() >= 0.945
    assert threshold < 0.99


def test_few_decisions_reach_no_high_precision_however_right_they_are() -> None:
    sure = np.linspace(0.9, 1, 10)
    assert threshold_for(sure, np.ones(10, dtype=bool), 0.97) is None
    assert threshold_for(np.linspace(0.9, 1, 40), np.ones(40, dtype=bool), 0.97) == 0.9


def test_bins_reach_down_to_what_the_likeliest_of_several_answers_has() -> None:
    confidence, right = np.array([0.34, 0.45, 0.99]), np.array([False, True, True])
    bins = reliability(confidence, right, lowest=1 / 3)
    assert [each.count for each in bins] == [1, 1, 1]
    assert bins[0].low == pytest.approx(1 / 3)
    assert calibration_error(confidence, right, lowest=1 / 3) == pytest.approx((0.34 + 0.55 + 0.01) / 3)


def test_a_loss_is_surely_lower_where_that_is_no_luck() -> None:
    rng = np.random.default_rng(0)
    before = rng.uniform(0.1, 0.5, 400)
    lower = gain(before, before - 0.05 + rng.normal(0, 0.1, 400))
    assert lower.sure
    assert 0 < lower.low < lower.mean < lower.high
    assert lower.mean == pytest.approx(0.05, abs=0.02)
    assert not gain(before, before).sure
    assert not gain(before, before + 0.05).sure
    # What knows nothing is taken to be better in a fifth of all cases, and no more.
    lucky = [gain(before, before + rng.normal(0, 0.1, 400)).sure for _ in range(1000)]
    assert np.mean(lucky) == pytest.approx(0.2, abs=0.04)
