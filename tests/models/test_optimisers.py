from __future__ import annotations

import numpy as np
import timm

from models.optimisers import make_optimiser, rate_at
from models.settings import TrainSettings


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    rates = np.array([rate_at(step, 10, 100) for step in range(101)])
    assert (np.diff(rates[:10]) > 0).all()
    assert (np.diff(rates[10:]) <= 0).all()
    assert 0 < rates[0] < 0.2
    assert rates.max() == 1
    assert rates[-1] < 1e-9


def test_a_single_step_does_not_divide_by_zero() -> None:
    assert 0 < rate_at(0, 0.5, 1) <= 1


def test_only_matrices_decay() -> None:
    optimiser = make_optimiser(timm.create_model("test_resnet"), TrainSettings(weight_decay=0.1))
    decayed, plain = optimiser.param_groups
    assert decayed["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0.0
    assert all(each.ndim >= 2 for each in decayed["params"])
    assert plain["params"]
    assert all(each.ndim < 2 for each in plain["params"])
