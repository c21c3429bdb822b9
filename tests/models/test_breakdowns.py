from __future__ import annotations

import json

import numpy as np
import pytest

from models.breakdowns import score_part, score_parts
from models.scoring import score
from tests.models.oof_builders import random_table


def test_the_figures_are_those_of_scoring() -> None:
    table = random_table(400)
    answers = table.chances.codes()
    part = score_part("all", table.truth, answers, table.photo_ids, resamples=50)
    scores = score(table.truth, answers)
    assert part.rows == part.people == 400
    assert part.macro_f1 is not None
    assert part.accuracy is not None
    assert part.macro_f1.value == pytest.approx(scores.label.macro_f1_present)
    assert part.accuracy.value == pytest.approx(scores.label.accuracy)
    for name, each in part.heads.items():
        assert each.value == pytest.approx(scores.heads[name].macro_f1_present)
    assert json.loads(json.dumps(part.to_dict()))["macro_f1"]["value"] == part.macro_f1.value


def test_the_interval_of_an_accuracy_is_the_binomials() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((2000, 3), dtype=np.int64)
    answers = truth.copy()
    answers[rng.random(2000) < 0.2, 0] = 1
    part = score_part("all", truth, answers, [str(row) for row in range(2000)], resamples=2000)
    assert part.accuracy is not None
    assert part.accuracy.low is not None
    assert part.accuracy.high is not None
    half = 1.96 * np.sqrt(0.2 * 0.8 / 2000)
    assert part.accuracy.value - part.accuracy.low == pytest.approx(half, rel=0.15)
    assert part.accuracy.high - part.accuracy.value == pytest.approx(half, rel=0.15)


def test_photos_of_one_person_are_one_witness() -> None:
    truth = np.zeros((1000, 3), dtype=np.int64)
    answers = truth.copy()
    answers[:200, 0] = 1
    apart = score_part("all", truth, answers, [str(row) for row in range(1000)])
    together = score_part("all", truth, answers, [str(row // 20) for row in range(1000)])
    assert together.people == 50

    def width(part: object) -> float:
        return part.accuracy.high - part.accuracy.low  # type: ignore[attr-defined, no-any-return]

    assert width(together) == pytest.approx(width(apart) * np.sqrt(20), rel=0.25)


def test_one_person_has_no_interval() -> None:
    table = random_table(6)
    part = score_part("one", table.truth, table.chances.codes(), ["a"] * 6)
    assert part.macro_f1 is not None
    assert part.macro_f1.low is None
    assert part.people == 1


def test_parts_go_by_name_and_missing_truth_is_left_out() -> None:
    table = random_table(60)
    table.truth[:10, 2] = -1
    table.truth[50:] = -1
    groups = ["b"] * 10 + ["a"] * 40 + ["c"] * 10
    parts = score_parts(groups, table.truth, table.chances.codes(), table.photo_ids, resamples=20)
    assert [(part.name, part.rows) for part in parts] == [("a", 40), ("b", 10)]
    assert parts[1].macro_f1 is None
    assert set(parts[1].heads) == {"mask", "gender"}


def test_the_same_seed_gives_the_same_interval() -> None:
    table = random_table(80)
    one, again = (score_part("all", table.truth, table.chances.codes(), table.photo_ids, seed=3) for _ in range(2))
    assert one == again
