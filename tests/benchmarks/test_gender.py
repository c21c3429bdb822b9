from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.gender import Answers, Known, groups_of, judged, ours, plain, unseen
from benchmarks.gender_data import AGED, WIDE, lowest_age
from benchmarks.gender_figures import FIGURES, accuracy, accuracy_of_surest, measured, precision


def answers(count: int, wrong: int) -> Answers:
    """Sure answers about as many women as men, of which the least sure are wrong."""
    truth = np.arange(count) % 2 == 0
    sure = np.linspace(0.6, 0.999, count)
    right = np.arange(count) >= wrong
    return Answers(np.where(truth == right, sure, 1 - sure), truth, sure >= 0.9)


def known(count: int, age: int = 40) -> list[Known]:
    """Women and men in turn, all of an age."""
    return [Known(Path(f"{each}.jpg"), ("female", "male")[each % 2], age) for each in range(count)]


def test_figures_are_of_the_right_answers() -> None:
    told = answers(100, wrong=10)
    assert accuracy(told) == 0.9
    assert accuracy_of_surest(told) == 1
    assert FIGURES["share at 99 %"](told) == pytest.approx(0.9)
    assert FIGURES["labelled at stated 0.99"](told) == told.made.mean()
    assert precision(told) == 1
    assert np.isnan(precision(Answers(told.female, told.truth, np.zeros(100, dtype=bool))))


def test_intervals_hold_the_figure_and_narrow_with_more_people() -> None:
    few, many = measured(accuracy, answers(50, 10)), measured(accuracy, answers(2000, 400))
    assert few.low < few.value == 0.8 < few.high
    assert many.high - many.low < (few.high - few.low) / 3
    assert str(measured(accuracy, answers(4, 1).of(np.zeros(4, dtype=bool)))) == "-"


def test_targets_are_missed_and_met(capsys: pytest.CaptureFixture[str]) -> None:
    groups = {name: {"all": np.ones(200, dtype=bool), "adults": np.ones(200, dtype=bool)} for name in (AGED, WIDE)}
    poor, good = answers(200, 80), answers(200, 0)
    sharp = Answers(np.where(good.truth, 0.995, 0.005), good.truth, np.ones(200, dtype=bool))
    assert judged({AGED: sharp, WIDE: sharp}, groups)
    assert "MISSED" not in capsys.readouterr().out
    assert not judged({AGED: sharp, WIDE: poor}, groups)
    assert capsys.readouterr().out.count("MISSED") == 1


def test_groups_are_those_that_have_people() -> None:
    people = [Known(Path("a"), "male", 5, "x"), Known(Path("b"), "female", 65, "y")]
    groups = groups_of(people)
    assert list(groups) == ["all", "adults", "0 to 9", "60 to 69", "x", "y"]
    assert groups["adults"].tolist() == [False, True]


def test_photos_learned_from_are_no_test() -> None:
    taught = np.random.default_rng(0).normal(size=(5, 128))
    step = np.zeros(128)
    step[0] = 1.0
    faces = np.vstack([taught[2], taught[1] + 0.24 * step, taught[1] + 0.26 * step, -taught[0]])
    assert unseen(taught, faces).tolist() == [False, False, True, True]


def test_both_models_learn_what_is_there_and_ours_decides_on_no_child() -> None:
    rng, people = np.random.default_rng(0), known(400)
    faces = rng.normal(size=(400, 128))
    faces[:, 0] += np.where(np.arange(400) % 2 == 0, 6.0, -6.0)
    for learn in (ours(faces[:300], people[:300], 0), plain(faces[:300], people[:300])):
        told = learn(faces[300:], people[300:])
        assert accuracy(told) > 0.9
        assert told.made.any()
    children = ours(faces[:300], people[:300], 0)(faces[300:], known(100, age=5))
    assert not children.made.any()


def test_ages_are_read_in_every_form_the_sets_have() -> None:
    assert [lowest_age(told) for told in ("30-39", "more than 70", "70+", "34")] == [30, 70, 70, 34]
    with pytest.raises(ValueError, match="no age"):
        lowest_age("young")
