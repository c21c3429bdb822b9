from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from datasets.labels import label_name
from models.heads import MISSING, to_codes
from models.scoring import score


def some(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    return truth, np.where(rng.random(rows) < 0.6, truth, rng.integers(0, classes, rows))


def test_macro_f1_is_that_of_the_competition_when_all_classes_are_there() -> None:
    truth, answers = some(2000, 18)
    scores = score(to_codes(truth), to_codes(answers))
    assert scores.label.macro_f1 == pytest.approx(f1_score(truth, answers, average="macro"), abs=1e-6)
    assert scores.label.accuracy == pytest.approx((truth == answers).mean())
    np.testing.assert_array_equal(scores.label.confusion, confusion_matrix(truth, answers))
    assert scores.label.absent == ()


def test_absent_classes_count_zero_and_are_named() -> None:
    truth, answers = some(900, 9)
    scores = score(to_codes(truth), to_codes(answers)).label
    expected = f1_score(truth, answers, average="macro", labels=range(18), zero_division=0)
    assert scores.macro_f1 == pytest.approx(expected, abs=1e-6)
    assert scores.macro_f1_present == pytest.approx(2 * expected, abs=1e-6)
    assert scores.absent == tuple(label_name(label) for label in range(9, 18))


def test_heads_are_scored_on_every_row_that_has_their_label() -> None:
    truth = to_codes(np.array([0, 5, 11, 17]))
    answers = np.array([0, 5, 11, 16])
    truth[0, 1] = MISSING
    scores = score(truth, to_codes(answers))
    assert scores.label.rows == 3
    assert scores.label.accuracy == pytest.approx(2 / 3)
    assert {name: each.rows for name, each in scores.heads.items()} == {"mask": 4, "gender": 3, "age_group": 4}
    assert scores.heads["mask"].accuracy == 1
    assert scores.heads["age_group"].accuracy == pytest.approx(0.75)


def test_nothing_to_score_is_zero_rows() -> None:
    scores = score(np.full((2, 3), MISSING), to_codes(np.array([1, 2])))
    assert scores.label.rows == 0
    assert len(scores.label.absent) == 18


def test_scores_travel_as_json() -> None:
    truth, answers = some(100, 18)
    held = json.loads(json.dumps(score(to_codes(truth), to_codes(answers)).to_dict()))
    assert held["rows"] == 100
    assert sum(each["rows"] for each in held["per_class"].values()) == 100
    assert set(held["heads"]) == {"mask", "gender", "age_group"}
