"""Curves from scores to chances: how each is fitted, what keeps it within bounds, and how it is kept."""

from __future__ import annotations

import numpy as np
import pytest

from models.calibration import (
    FOLDS,
    ISOTONIC,
    KINDS,
    PLATT,
    Isotonic,
    curve_from_dict,
    curve_to_dict,
    fit_curve,
    folds_by_person,
    log_losses,
    parted,
    sigmoid,
)


def steps(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of which those below 0 are right one time in five, and those above four times: no sigmoid is like that."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(-3, 3, count)
    return scores, (rng.random(count) < np.where(scores > 0, 0.8, 0.2)).astype(np.int64)


def test_platt_finds_the_sigmoid_that_there_is() -> None:
    scores = np.random.default_rng(0).normal(size=4000)
    yes = (np.random.default_rng(1).random(4000) < sigmoid(2 * scores + 0.5)).astype(np.int64)
    curve = fit_curve(PLATT, scores, yes)
    np.testing.assert_allclose(curve(np.array([-1.0, 0.0, 1.0])), sigmoid(np.array([-1.5, 0.5, 2.5])), atol=0.03)


def test_an_isotonic_curve_follows_steps_that_no_sigmoid_does() -> None:
    scores, yes = steps(4000)
    curve = fit_curve(ISOTONIC, scores, yes)
    np.testing.assert_allclose(curve(np.array([-2.5, -0.4, 0.4, 2.5])), [0.2, 0.2, 0.8, 0.8], atol=0.06)
    fresh, truth = steps(2000, seed=5)
    told = {kind: log_losses(fit_curve(kind, scores, yes)(fresh), truth).mean() for kind in KINDS}
    assert told[ISOTONIC] < told[PLATT] - 0.01


def test_an_isotonic_curve_rises_strictly_between_its_knots_and_is_never_certain() -> None:
    rng = np.random.default_rng(2)
    scores = np.concatenate([rng.normal(-2, 1, 60), rng.normal(2, 1, 60), [-9.0, 9.0, 9.0]])
    yes = np.array([0] * 60 + [1] * 60 + [0, 1, 1])
    curve = fit_curve(ISOTONIC, scores, yes)
    assert isinstance(curve, Isotonic)
    assert (np.diff(curve.scores) > 0).all()
    assert (np.diff(curve.chances) > 0).all()
    inside = np.linspace(curve.scores[0], curve.scores[-1], 50)
    assert (np.diff(curve(inside)) > 0).all()
    # Platt's targets: of 62 women and 61 men none is surer than that.
    far = curve(np.array([-1e6, 1e6]))
    assert far.min() >= 1 / 63 - 1e-9
    assert far.max() <= 63 / 64 + 1e-9


def test_scores_that_say_nothing_or_the_contrary_give_a_level_curve() -> None:
    curve = fit_curve(ISOTONIC, np.arange(10.0), np.array([1] * 5 + [0] * 5))
    np.testing.assert_allclose(curve(np.array([-1.0, 3.0, 20.0])), 0.5)


def test_people_of_either_answer_are_dealt_evenly_and_stay_together() -> None:
    people = np.repeat([f"p{at}" for at in range(60)], 3)
    yes = np.repeat(np.resize([0, 1, 1], 60), 3)
    folds = folds_by_person(people, yes, 0)
    assert all(len(set(folds[people == name])) == 1 for name in set(people))
    counts = np.array([[np.sum((folds == at) & (yes == code)) for at in range(FOLDS)] for code in (0, 1)])
    assert (counts == 3 * np.array([[2], [4]])).all()
    assert not np.array_equal(folds, folds_by_person(people, yes, 1))
    chosen = np.arange(180) % 3 == 0
    seen = []
    for learn, held_out in parted(folds, chosen):
        assert chosen[learn].all()
        assert not set(people[learn]) & set(people[held_out])
        seen += held_out.tolist()
    assert sorted(seen) == list(range(180))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_curve_says_the_same(kind: str) -> None:
    scores, yes = steps(200)
    curve = fit_curve(kind, scores, yes)
    np.testing.assert_array_equal(curve_from_dict(*curve_to_dict(curve))(scores), curve(scores))


def test_knots_that_do_not_rise_or_reach_certainty_are_refused() -> None:
    good = {"scores": np.array([0.0, 1.0]), "chances": np.array([0.1, 0.9])}
    assert curve_from_dict({"kind": ISOTONIC}, good)(np.array([0.5]))[0] == pytest.approx(0.5)
    for change in (
        {"scores": np.array([1.0, 0.0])},
        {"chances": np.array([0.9, 0.1])},
        {"chances": np.array([0.0, 0.9])},
        {"chances": np.array([0.1, 1.0])},
        {"chances": np.array([0.1])},
        {"scores": np.zeros(0), "chances": np.zeros(0)},
        {"scores": np.array([0.0, np.nan])},
    ):
        with pytest.raises(ValueError, match="knots"):
            curve_from_dict({"kind": ISOTONIC}, good | change)
    with pytest.raises(ValueError, match="spline"):
        curve_from_dict({"kind": "spline"}, good)
