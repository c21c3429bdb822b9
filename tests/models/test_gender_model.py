"""The model of gender by itself: how it scores, decides, and is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.calibration import Platt, sigmoid
from models.confidence import NEVER
from models.errors import GenderModelError
from models.face_machine import FaceMachine
from models.gender_calibration import Calibration, Rule, age_band
from models.gender_model import GenderModel

PLAIN = Platt(1.0, 0.0)


def plain_machine(**changes: Any) -> FaceMachine:
    """A machine of two parts, of 2 and 3 numbers, with four support vectors."""
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "mean": rng.normal(size=5),
        "scale": rng.uniform(0.5, 2, 5),
        "support": rng.normal(size=(4, 5)),
        "dual": rng.normal(size=(2, 4)),
        "blocks": (2, 3),
        "width": 0.7,
        "intercept": 0.3,
    }
    return FaceMachine(**values | changes)


def plain_model(threshold: float = 0.8, **by_age: Rule) -> GenderModel:
    """A model whose scores are log-odds, for all but those of the ages given."""
    return GenderModel(plain_machine(), Calibration(Rule(PLAIN, threshold), by_age))


def test_a_decision_is_made_from_the_threshold_on_by_the_mean_of_the_scores() -> None:
    sure = float(sigmoid(np.array([0.5]))[0])
    assert plain_model(sure).decide(np.array([2.0, -1.0])) == ("female", sure, "female")
    assert plain_model(float(np.nextafter(sure, 1))).decide(np.array([2.0, -1.0])) == (None, sure, "female")
    assert plain_model(0.6).decide(np.array([-2.0])).gender == "male"
    assert plain_model(NEVER).decide(np.array([50.0])).gender is None


def test_bands_of_age_begin_where_they_say_and_have_their_own_calibration() -> None:
    ages = [0.0, 19.99, 20.0, 59.99, 60.0, 117.0, np.nan]
    names = ["under 20", "under 20", "20 to 59", "20 to 59", "60 and over", "60 and over", ""]
    assert [age_band(age) for age in ages] == names
    model = plain_model(**{"20 to 59": Rule(Platt(2.0, 1.0), 0.6)})
    np.testing.assert_array_equal(model.thresholds_for(np.array([19.0, 20.0, np.nan])), [0.8, 0.6, 0.8])
    told = model.probability_of_score(np.array([0.4, 0.4, 0.4]), np.array([19.0, 20.0, np.nan]))
    np.testing.assert_allclose(told, 1 / (1 + np.exp([-0.4, -1.8, -0.4])))
    np.testing.assert_allclose(model.probability_of_score(np.array([0.4])), told[:1])
    assert model.decide(np.array([0.0]), 30.0).gender == "female"
    assert model.decide(np.array([0.0])).gender is None
    assert model.thresholds_for(np.zeros(0)).shape == (0,)


def test_probabilities_are_of_male_and_female_in_this_order() -> None:
    model, faces = plain_model(), np.random.default_rng(2).normal(size=(9, 5))
    told = model.predict_proba(faces)
    np.testing.assert_allclose(told.sum(axis=1), 1)
    np.testing.assert_array_equal(told[:, 1] > 0.5, model.score(faces) > 0)


def test_a_file_of_another_format_or_of_arrays_that_do_not_fit_is_named(tmp_path: Path) -> None:
    plain_model().save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as stored:
        arrays = {name: stored[name] for name in stored}
    head = json.loads(str(arrays["head"]))
    assert GenderModel.load(tmp_path / "model.npz").machine.blocks == (2, 3)
    changes = {
        "format": {"head": np.array(json.dumps(head | {"format": 2}))},
        "blocks": {"head": np.array(json.dumps(head | {"blocks": [2, 2]}))},
        "machines": {"dual": arrays["dual"][:1]},
        "support": {"support": arrays["support"][:3]},
        "scale": {"scale": arrays["scale"][:4]},
        "mean": {"mean": arrays["mean"][:4]},
        "flat": {"dual": arrays["dual"][0]},
    }
    for name, change in changes.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays | change)  # type: ignore[arg-type]
        with pytest.raises(GenderModelError, match="another format"):
            GenderModel.load(path)
