"""Given ages that the faces contradict: planted ones are found, the others are left alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS
from models.ages import MIN_PEOPLE_PER_GROUP, AgeCheck, check_ages
from models.errors import EmbeddingError, SettingsError, TooFewLabelsError


class Faces(NamedTuple):
    embeddings: NDArray[np.float32]
    true: NDArray[np.int64]
    given: NDArray[np.int64]
    persons: NDArray[np.str_]

    def check(self, seed: int = 0) -> AgeCheck:
        return check_ages(self.embeddings, np.array(AGE_GROUPS)[self.given], self.persons, seed)


def faces(people: tuple[int, int, int] = (80, 80, 80), wrong: float = 0.1, gap: float = 0.8) -> Faces:
    """Two photos a person; a third of the numbers lie `gap` standard deviations off; some groups given wrongly."""
    rng = np.random.default_rng(5)
    true = np.repeat(np.repeat(np.arange(3), people), 2)
    noise = rng.normal(size=(len(true), 128))
    noise += gap * (np.arange(128) % 3 == true[:, None])
    moved = rng.permutation(len(true))[: round(wrong * len(true))]
    given = true.copy()
    given[moved] = (true[moved] + rng.integers(1, 3, len(moved))) % 3
    persons = np.array([f"p{at // 2}" for at in range(len(true))])
    return Faces((0.1 * noise).astype(np.float32), true, given, persons)


def test_planted_wrong_groups_are_found_and_others_left() -> None:
    planted = faces()
    found = planted.check()
    wrong = planted.given != planted.true
    assert found.doubtful[wrong].mean() > 0.8
    assert wrong[found.doubtful].mean() > 0.8
    assert np.median(found.confidence[wrong]) < 0.2 < 0.6 < np.median(found.confidence[~wrong])
    assert found.neighbours[wrong].mean() < found.neighbours[~wrong].mean() - 0.3
    named = found.said[wrong & found.doubtful] == np.array(AGE_GROUPS)[planted.true[wrong & found.doubtful]]
    assert named.mean() > 0.9


def test_probabilities_are_calibrated_on_people_held_out() -> None:
    whole = faces(people=(300, 300, 300), wrong=0.0, gap=0.25)
    found = whole.check()
    np.testing.assert_allclose(found.probability.sum(axis=1), 1)
    sure = found.probability.max(axis=1)
    right = found.said == np.array(AGE_GROUPS)[whole.given]
    for low, high in ((0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
        inside = (sure >= low) & (sure < high)
        assert inside.sum() > 50
        assert abs(right[inside].mean() - sure[inside].mean()) < 0.1


def test_a_rare_group_is_not_doubted_for_being_rare() -> None:
    rare = faces(people=(400, 400, 30), wrong=0.0)
    found = rare.check()
    assert found.doubtful[rare.given == 2].mean() < 0.1


def test_a_face_is_judged_by_other_people_alone() -> None:
    # Every photo twice under one person id: a model, or neighbours, that saw the twin would echo the label given.
    one = faces(gap=0.0, wrong=0.0)
    twins = Faces(*(np.repeat(each, 2, axis=0) for each in one))
    found = twins.check()
    assert abs(found.held_out["accuracy"] - 1 / 3) < 0.15
    assert abs(found.neighbours.mean() - 1 / 3) < 0.1


def test_the_rows_order_does_not_matter() -> None:
    one = faces()
    first, again = one.check(), one.check()
    np.testing.assert_array_equal(first.probability, again.probability)
    order = np.random.default_rng(1).permutation(len(one.true))
    shuffled = Faces(*(each[order] for each in one)).check()
    for name in ("probability", "confidence", "said", "doubtful", "neighbours"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(first, name)[order])
    assert shuffled.thresholds == first.thresholds


def test_a_group_of_few_people_is_left_out() -> None:
    few = faces(people=(60, 60, MIN_PEOPLE_PER_GROUP // 2), wrong=0.0)
    found = few.check()
    assert np.isnan(found.confidence).tolist() == (few.given == 2).tolist()
    assert not found.doubtful[few.given == 2].any()
    assert set(found.said[few.given == 2]) == {""}
    assert (found.probability[few.given != 2, 2] == 0).all()
    assert sorted(found.thresholds) == sorted(AGE_GROUPS[:2])


def test_too_few_people_and_unfit_arrays_are_named() -> None:
    with pytest.raises(TooFewLabelsError, match="there are 60 under_30, 10 30_to_59, 0 60_plus"):
        faces(people=(60, 10, 0), wrong=0.0).check()
    none = np.zeros((0, 128), np.float32)
    with pytest.raises(TooFewLabelsError, match="0 under_30"):
        check_ages(none, np.array([], dtype=str), np.array([], dtype=str))
    with pytest.raises(SettingsError, match="not young"):
        check_ages(np.zeros((1, 128)), np.array(["young"]), np.array(["p"]))
    with pytest.raises(SettingsError, match="give one each"):
        check_ages(np.zeros((2, 128)), np.array(["under_30"]), np.array(["p"]))
    with pytest.raises(EmbeddingError, match="not finite"):
        check_ages(np.full((1, 128), np.nan), np.array(["under_30"]), np.array(["p"]))
