from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gender_data import AGED, TAUGHT, WIDE, Known
from benchmarks.gender_self_training import halves, pool_of, taught_by, tell_self_training
from models.gender import YOUNGEST


def known(prefix: str, count: int, age: int = 40) -> list[Known]:
    return [Known(Path(f"{prefix}{at}.jpg"), ("female", "male")[at % 2], age) for at in range(count)]


def faces(count: int, rng: np.random.Generator) -> np.ndarray:
    vectors = rng.normal(size=(count, 130))
    vectors[:, 0] += np.where(np.arange(count) % 2 == 0, 6.0, -6.0)
    return vectors


def test_halves_are_drawn_and_share_nobody() -> None:
    one, other = halves(101, 0)
    assert (one ^ other).all()
    assert (one.sum(), other.sum()) == (50, 51)
    assert not np.array_equal(one, halves(101, 1)[0])
    assert not np.array_equal(one, np.arange(101) < 50)


def test_labels_of_the_pool_stay_hidden_and_children_stay_out_of_it() -> None:
    rng = np.random.default_rng(0)
    people = known("a", 20) + known("child", 10, age=int(YOUNGEST) - 1)
    vectors = faces(30, rng)
    pool = pool_of(vectors, people)
    assert pool.people.tolist() == [f"a{at}.jpg" for at in range(20)]
    np.testing.assert_array_equal(pool.vectors, vectors[:20])
    turned = [Known(each.path, "male", each.age) for each in people]
    assert all(np.array_equal(getattr(pool, name), getattr(pool_of(vectors, turned), name)) for name in vars(pool))


def test_sets_are_sources_of_what_is_taught() -> None:
    rng = np.random.default_rng(0)
    sets = {TAUGHT: known("t", 12), WIDE: known("w", 8)}
    taught = taught_by((TAUGHT, WIDE), {name: faces(len(each), rng) for name, each in sets.items()}, sets, 0)
    assert taught.sources.tolist() == [TAUGHT] * 12 + [WIDE] * 8
    assert taught.female.tolist() == [1, 0] * 10
    assert taught.chosen.all()


def test_what_it_would_be_judged_and_what_it_is_worth_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.machine_fit.FOLDS", 3)
    monkeypatch.setattr("models.calibration.FOLDS", 3)
    monkeypatch.setattr("benchmarks.gender_figures.DRAWS", 20)
    rng = np.random.default_rng(0)
    sets = {TAUGHT: known("t", 120), WIDE: known("w", 60), AGED: known("a", 81)}
    vectors = {name: faces(len(each), rng) for name, each in sets.items()}
    new = {WIDE: np.ones(60, dtype=bool), AGED: np.arange(81) > 0}
    tell_self_training(vectors, sets, new, 0.9, 0)
    said = capsys.readouterr().out
    assert '"judged_on": [\n  "fairface540"\n ]' in said
    joined = re.search(r"of 40 people without a label (\d+) join, ([01]\.\d{4}) of them rightly", said)
    assert joined is not None
    assert 20 < int(joined[1]) <= 40
    assert 0.8 < float(joined[2]) <= 1
    assert "the other half of All-Age-Faces, 40 people, with self-training: log loss" in said
    assert "fairface540, 60 people, without self-training: log loss" in said
