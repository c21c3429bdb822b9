"""Calibrating scores of gender: the better curve is taken, and what is told was told by curves of other people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.calibration import ISOTONIC, PLATT, Isotonic, Platt, log_losses, sigmoid
from models.confidence import NEVER
from models.gender_calibration import Calibrated, calibrate
from models.gender_model import GenderModel
from tests.models.test_gender_model import plain_machine


def calibrated(scores: Any, chance: Any, seed: int = 0, precision: float = 0.75, ages: Any = None) -> Calibrated:
    """Of people, one photo each, who are women by the chance given."""
    count = len(scores)
    female = (np.random.default_rng(seed).random(count) < chance).astype(np.int64)
    years = np.full(count, np.nan) if ages is None else ages
    people = np.array([f"p{at}" for at in range(count)])
    return calibrate(scores, female, people, years, np.ones(count, dtype=bool), precision, seed)


def steps(count: int) -> tuple[Any, Any]:
    scores = np.random.default_rng(1).uniform(-3, 3, count)
    return scores, np.where(scores > 0, 0.8, 0.2)


def test_the_curve_of_the_lower_log_loss_is_taken() -> None:
    scores = np.random.default_rng(0).normal(size=600) * 2
    smooth, stepped = calibrated(scores, sigmoid(scores)), calibrated(*steps(3000))
    for found, kind, curve in ((smooth, PLATT, Platt), (stepped, ISOTONIC, Isotonic)):
        assert found.kind == kind == min(found.log_loss, key=found.log_loss.__getitem__)
        assert isinstance(found.calibration.whole.curve, curve)
    assert stepped.calibration.whole.threshold < NEVER


def test_what_is_told_does_not_come_of_a_curve_that_has_seen_the_person() -> None:
    # Where nothing can be known an isotonic curve still fits what it sees; those left out show that.
    found = calibrated(np.random.default_rng(0).normal(size=100), np.full(100, 0.5), seed=3)
    female = (np.random.default_rng(3).random(100) < 0.5).astype(np.int64)
    assert found.log_loss[found.kind] == pytest.approx(log_losses(found.probability, female).mean())
    assert found.log_loss[ISOTONIC] > np.log(2)


def test_photos_of_one_person_are_told_by_curves_without_any_of_them() -> None:
    scores = np.repeat(np.random.default_rng(0).normal(size=80), 2)
    people, female = np.repeat([f"p{at}" for at in range(80)], 2), np.repeat(np.resize([0, 1], 80), 2)
    chosen = np.arange(160) % 2 == 0
    nothing = np.full(160, np.nan)
    told = calibrate(scores, female, people, nothing, chosen, 0.9, 0).probability
    np.testing.assert_array_equal(told[::2], told[1::2])
    assert len(np.unique(told)) == 80


def test_a_saved_isotonic_model_says_the_same_by_age_too(tmp_path: Path) -> None:
    scores, chance = steps(3000)
    ages = np.resize([10.0, 40.0, np.nan], 3000)
    found = calibrated(scores, chance, ages=ages)
    assert found.kind == ISOTONIC
    assert set(found.calibration.by_age) == {"under 20", "20 to 59"}
    model = GenderModel(plain_machine(), found.calibration)
    model.save(tmp_path / "model.npz")
    loaded = GenderModel.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(
        loaded.probability_of_score(scores, ages), found.calibration.probability(scores, ages)
    )
    np.testing.assert_array_equal(loaded.thresholds_for(ages), found.calibration.thresholds(ages))
