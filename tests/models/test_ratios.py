from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from models.ratios import best_factor, climb, macro_f1


def case(seed: int, count: int = 40, size: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, size, count)
    scores = rng.dirichlet(np.ones(size), count)
    scores[np.arange(count), truth] += 0.2
    return scores, truth


def test_macro_f1_is_sklearns() -> None:
    scores, truth = case(0)
    answers = scores.argmax(axis=1)
    assert macro_f1(truth, answers, 4) == pytest.approx(f1_score(truth, answers, average="macro"))
    assert macro_f1(truth, answers, 5) == pytest.approx(
        f1_score(truth, answers, labels=range(5), average="macro", zero_division=0)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("members", [[2], [0, 3]])
def test_no_factor_on_a_fine_grid_is_better_than_the_exact_one(seed: int, members: list[int]) -> None:
    scores, truth = case(seed)
    factor, reached = best_factor(scores, truth, np.array(members), 1e3)

    def at(value: float) -> float:
        weights = np.ones(4)
        weights[members] = value
        return macro_f1(truth, (scores * weights).argmax(axis=1), 4)

    assert at(factor) == pytest.approx(reached)
    assert reached == pytest.approx(max(at(value) for value in np.geomspace(1e-3, 1e3, 6001)))


def test_a_factor_that_changes_nothing_stays_one() -> None:
    scores, truth = case(1)
    assert best_factor(scores, truth, np.arange(4), 1e3)[0] == 1.0


def test_rows_of_zero_chance_do_no_harm() -> None:
    scores = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    factor, reached = best_factor(scores, np.array([0, 1, 1, 2]), np.array([1]), 1e3)
    assert 1 < factor < 1e3
    assert reached == pytest.approx(macro_f1(np.array([0, 1, 1, 2]), np.array([0, 1, 1, 0]), 3))


def test_climbing_undoes_a_known_distortion() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 600)
    clean = np.full((600, 3), 0.1)
    clean[np.arange(600), truth] = 0.8
    # Far enough apart that the likeliest is wrong for every row of the last two classes, and the weights mend it.
    distorted = clean * np.array([100.0, 1.0, 1.0])
    assert macro_f1(truth, distorted.argmax(axis=1), 3) < 0.2
    weights, reached = climb(distorted, truth, [np.array([at]) for at in range(3)], np.ones(3))
    assert reached == 1.0
    assert macro_f1(truth, (distorted * weights).argmax(axis=1), 3) == 1.0


@pytest.mark.parametrize("seed", range(4))
def test_climbing_ends_no_lower_than_it_began(seed: int) -> None:
    scores, truth = case(seed, 60)
    start = np.exp(np.random.default_rng(seed).normal(size=4))
    begun = macro_f1(truth, (scores * start).argmax(axis=1), 4)
    assert climb(scores, truth, [np.array([at]) for at in range(4)], start)[1] >= begun
