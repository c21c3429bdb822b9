"""A round of self-training: kept where it is better on a source held out, and nothing changed where it isn't."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from datasets.manifest import make_manifest
from models import joining, machine_fit
from models.calibration import log_losses
from models.errors import SettingsError
from models.gender import pseudo_label
from models.gender_blend import Heard
from models.gender_fit import GenderFit, learn_gender
from models.joining import Pool, Taught, draw_pool, score_apart
from models.machine_again import NOT_LEARNED
from models.machine_fit import fit_machine
from models.self_training import NO_POOL, NO_ROOM, NO_SOURCE, NONE_JOINS, NONE_JUDGED, NOT_BETTER, judge
from tests.models.builders import row

HERE, THERE = 200, 100


@pytest.fixture(autouse=True)
def few_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten tell no more of what is asked here, and take four times as long."""
    monkeypatch.setattr("models.machine_fit.FOLDS", 4)
    monkeypatch.setattr("models.calibration.FOLDS", 4)


def faces(
    count: int, rng: np.random.Generator, near: float, far: float
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Faces whose gender shows in one number everywhere, and in another one, `far`, in other sources only."""
    genders = np.resize(["male", "female"], count)
    vectors = rng.normal(size=(count, 8))
    side = np.where(genders == "female", 1, -1)
    vectors[:, 0] += near * side
    vectors[:, 1] += far * side
    return vectors.astype(np.float32).astype(np.float64), genders


def pool_of(count: int, rng: np.random.Generator, far: float, source: str = "three", near: float = 2.0) -> Pool:
    vectors, _ = faces(count, rng, near, far)
    return Pool(vectors, np.array([f"u{at}" for at in range(count)]), np.full(count, np.nan), np.full(count, source))


def data(seed: int = 0, there: int = THERE) -> tuple[dict[str, Any], np.random.Generator]:
    """Source one, in which the second number says nothing, and source two, in which it says more than the first."""
    rng = np.random.default_rng(seed)
    parts = faces(HERE, rng, 1.5, 0.0), faces(there, rng, 0.8, 2.0)
    given = {
        "faces": np.concatenate([parts[0][0], parts[1][0]]),
        "genders": np.concatenate([parts[0][1], parts[1][1]]),
        "persons": np.array([f"p{at}" for at in range(HERE + there)]),
        "sources": np.array(["one"] * HERE + ["two"] * there),
        "precision": 0.9,
    }
    return given, rng


def taught_of(given: dict[str, Any]) -> Taught:
    female = (given["genders"] == "female").astype(np.int64)
    nothing = np.full(len(female), np.nan)
    whole = Taught(given["faces"], female, given["persons"], nothing, given["sources"], np.zeros(len(female), bool))
    return whole.chosen_anew(0)


def unchanged(fit: GenderFit, without: GenderFit) -> bool:
    """Whether nothing but what is told differs."""
    pairs = [(fit.female, without.female), (fit.decided, without.decided)]
    pairs += [(value, without.model.machine.arrays()[name]) for name, value in fit.model.machine.arrays().items()]
    return all(np.array_equal(one, other, equal_nan=True) for one, other in pairs) and (
        fit.model.held_out == without.model.held_out
    )


def test_where_answers_teach_what_other_sources_have_in_common_the_round_is_kept() -> None:
    given, rng = data()
    steps: list[tuple[int, int]] = []
    fit = learn_gender(**given, pool=pool_of(200, rng, 2.0), progress=lambda *told: steps.append(told))
    without, told = learn_gender(**given), fit.self_training
    assert told is not None
    assert told["kept"]
    assert told["reason"] is None
    assert told["judged_on"] == ["two"]
    assert told["people"] == THERE
    assert 20 < told["joined"] < told["asked"] == 200
    assert told["joined_without"]["two"] > 20
    assert 0 < told["gain"]["low"] < told["gain"]["mean"] < told["gain"]["high"]
    assert told["before"]["log_loss"] - told["after"]["log_loss"] == pytest.approx(told["gain"]["mean"])
    assert steps == [(1, 2), (2, 2)]
    # And it is better on people of whom nobody has seen anything.
    tried, genders = faces(400, rng, 0.8, 2.0)
    losses = [
        log_losses(each.model.predict_proba(tried)[:, 1], (genders == "female").astype(np.int64)).mean()
        for each in (without, fit)
    ]
    assert losses[1] < losses[0]
    # Calibration and figures are of those whose gender was given, and of nobody else.
    assert fit.model.held_out["people"] == HERE + THERE == len(fit.female)
    assert fit.model.held_out["other_sources"]["two"]["people"] == THERE
    assert fit.joined is not None
    assert np.isfinite(fit.joined).sum() == told["joined"]


def test_the_same_is_learned_again() -> None:
    given, rng = data()
    pool = pool_of(200, rng, 2.0)
    one, other = learn_gender(**given, pool=pool), learn_gender(**given, pool=pool)
    assert unchanged(one, other)
    np.testing.assert_array_equal(one.joined, other.joined)
    assert one.self_training == other.self_training


def test_where_answers_teach_the_opposite_nothing_is_changed() -> None:
    given, rng = data()
    fit = learn_gender(**given, pool=pool_of(200, rng, -2.0))
    told = fit.self_training
    assert told is not None
    assert not told["kept"]
    assert told["reason"] == NOT_BETTER
    assert told["joined"] > 20
    assert told["gain"]["mean"] < 0
    assert fit.joined is not None
    assert np.isnan(fit.joined).all()
    assert unchanged(fit, learn_gender(**given))


def test_with_one_source_there_is_nothing_to_judge_by() -> None:
    given, rng = data()
    one = given | {"sources": np.full(HERE + THERE, "one")}
    few = data(there=19)[0]
    for each in (one, few):
        fit = learn_gender(**each, pool=pool_of(200, rng, 2.0))
        assert fit.self_training is not None
        assert not fit.self_training["kept"]
        assert fit.self_training["reason"] == NO_SOURCE
        assert "before" not in fit.self_training
        assert unchanged(fit, learn_gender(**each))


def test_where_nobody_can_join_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    given, rng = data()

    def reason(pool: Pool, **changed: Any) -> tuple[str | None, int]:
        told = learn_gender(**given | changed, pool=pool).self_training
        assert told is not None
        assert not told["kept"]
        return told["reason"], told["asked"]

    some = pool_of(100, rng, 2.0)
    assert reason(some.of(np.zeros(100, dtype=bool))) == (NO_POOL, 0)
    assert reason(some, precision=0.9999) == (NONE_JOINS, 100)
    known = replace(some, people=given["persons"][:100])
    assert reason(known) == (NO_POOL, 0)
    assert reason(replace(some, sources=np.full(100, "two"))) == (NONE_JUDGED, 100)
    monkeypatch.setattr(machine_fit, "MAX_PHOTOS", HERE + THERE)
    assert reason(some) == (NO_ROOM, 0)
    with pytest.raises(SettingsError, match="give one each"):
        learn_gender(**given, pool=replace(some, people=some.people[:-1]))


def test_no_more_join_than_can_be_learned_from_and_one_photo_of_everybody_before_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, rng = data()
    pool = pool_of(100, rng, 2.0)
    twice = replace(pool, people=np.array([f"u{at // 2}" for at in range(100)]))
    monkeypatch.setattr(machine_fit, "MAX_PHOTOS", HERE + THERE + 60)
    rows = draw_pool(taught_of(given), twice, 0)
    assert len(rows) == 60
    assert len(np.unique(twice.people[rows])) == 50


def test_photos_of_a_person_join_together() -> None:
    given, rng = data()
    pool = pool_of(200, rng, 2.0)
    people = np.array([f"u{at % 100}" for at in range(200)])  # of one gender each
    fit = learn_gender(**given, pool=replace(pool, people=people))
    assert fit.joined is not None
    assert fit.self_training is not None
    joined = np.isfinite(fit.joined)
    np.testing.assert_array_equal(joined[:100], joined[100:])
    assert fit.self_training["joined"] == joined[:100].sum() > 10


def test_what_is_said_of_a_source_held_out_owes_nothing_to_it() -> None:
    """Neither to its genders, nor to people without one who are in it."""
    given, rng = data()
    taught, pool = taught_of(given), pool_of(200, rng, 2.0)
    scores, told = judge(taught, pool, ["two"], 0.9, 0)
    there = taught.sources == "two"
    np.testing.assert_array_equal(np.isfinite(scores), there)
    turned = replace(taught, female=np.where(there, 1 - taught.female, taught.female))
    others, _ = judge(turned, pool, ["two"], 0.9, 0)
    np.testing.assert_array_equal(scores, others)
    own = pool_of(50, rng, -3.0, source="two")
    own = replace(own, people=np.array([f"v{at}" for at in range(50)]))
    more = Pool(*(np.concatenate([getattr(pool, name), getattr(own, name)]) for name in vars(pool)))
    again, same = judge(taught, more, ["two"], 0.9, 0)
    np.testing.assert_array_equal(scores, again)
    assert same["joined_without"] == told["joined_without"]


def test_nobody_is_told_by_a_machine_that_learned_from_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given, rng = data()
    taught = taught_of(given)
    pool = pool_of(200, rng, 2.0)
    pool = replace(pool, people=np.array([f"u{at % 100}" for at in range(200)]))
    first = fit_machine(taught.vectors, taught.female, taught.people, taught.sources, 0)
    asked: list[tuple[Any, Any]] = []
    real = joining.score_by_folds

    def watched(fit: Any, vectors: Any, learned: Any, questions: Any) -> Any:
        asked.append((learned.copy(), questions.copy()))
        return real(fit, vectors, learned, questions)

    monkeypatch.setattr(joining, "score_by_folds", watched)
    scores = score_apart(taught, pool, first, 0.9, 0)
    everybody = np.concatenate([taught.people, pool.people])
    learned, questions = asked[-1]
    np.testing.assert_array_equal(questions.sum(axis=0), 1)
    for answers, question in zip(learned, questions, strict=True):
        assert not set(everybody[answers != NOT_LEARNED]) & set(everybody[question])
        assert (answers[len(taught.people) :] != NOT_LEARNED).sum() > 20
    # A fold's given genders are nothing to what is said of that fold.
    fold = first.fold == 0
    turned = replace(taught, female=np.where(fold, 1 - taught.female, taught.female))
    again = score_apart(turned, pool, first, 0.9, 0)
    np.testing.assert_array_equal(scores[: len(fold)][fold], again[: len(fold)][fold])
    assert not np.array_equal(scores[: len(fold)][~fold], again[: len(fold)][~fold])


def frame_of(given: dict[str, Any], pool: Pool, ages: NDArray[np.float64] | None = None) -> tuple[Any, dict[str, Any]]:
    """A manifest of both, the pool's people without a gender, and the faces by photo id."""
    rows = [
        row(f"{name}.jpg", name, source=source, gender=gender, mask="not_wear", person_id=name)
        for name, source, gender in zip(given["persons"], given["sources"], given["genders"], strict=True)
    ]
    years = [None] * len(pool.people) if ages is None else ages.tolist()
    rows += [
        row(f"{at}.jpg", name, source="three", mask="not_wear", age=age, person_id=name)
        for at, (name, age) in enumerate(zip(pool.people, years, strict=True))
    ]
    frame = make_manifest(rows)
    ids = [each["photo_id"] for each in rows]
    return frame, dict(zip(ids, np.concatenate([given["faces"], pool.vectors]), strict=True))


def test_who_joined_stays_a_pseudo_label_and_is_decided_on_by_what_has_not_learned_from_them() -> None:
    given, rng = data()
    pool = pool_of(160, rng, 2.0)
    frame, embeddings = frame_of(given, pool)
    fit = learn_gender(**given, pool=pool)
    done = pseudo_label(frame, embeddings, precision=0.9, self_train=True)
    told = done.report["self_training"]
    assert told["kept"]
    lacking = frame["gender"].isna()
    filled = done.manifest[lacking & done.manifest["gender"].notna()]
    assert set(filled["gender_from"]) == {"pseudo"}
    assert len(filled) > told["joined"] / 2
    pd.testing.assert_frame_equal(done.manifest[~lacking], frame[~lacking])
    assert len(done.given) == HERE + THERE
    assert fit.joined is not None
    joined = np.isfinite(fit.joined)
    assert joined.sum() == told["joined"]
    decided = done.decided.set_index("photo_id")["confidence"]
    scores = np.where(joined, fit.joined, fit.model.score(pool.vectors))
    female = fit.model.probability_of_score(scores)
    expected = np.maximum(female, 1 - female)
    np.testing.assert_allclose(decided.loc[[f"three:{at}.jpg" for at in range(160)]], expected)
    own = fit.model.probability_of_score(fit.model.score(pool.vectors[joined]))
    assert not np.allclose(np.maximum(own, 1 - own), expected[joined])


def test_photos_by_which_somebody_did_not_join_do_not_speak_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given, rng = data()
    pool = pool_of(400, rng, 2.0)
    pool = replace(pool, people=np.array([f"u{at % 200}" for at in range(400)]))
    frame, embeddings = frame_of(given, pool)
    # There is room for one photo of each of the pool's people.
    monkeypatch.setattr(machine_fit, "MAX_PHOTOS", HERE + THERE + 200)
    done = pseudo_label(frame, embeddings, precision=0.9, self_train=True)
    fit = learn_gender(**given, pool=pool)
    assert done.report["self_training"]["kept"]
    assert fit.joined is not None
    at = int(np.flatnonzero(np.isfinite(fit.joined))[0])
    female = fit.model.probability_of_score(fit.joined[[at]])
    told = done.decided.set_index("person_id")["confidence"]
    assert told[pool.people[at]] == pytest.approx(max(female[0], 1 - female[0]))


def test_children_do_not_join_and_where_nothing_can_be_learned_that_is_said() -> None:
    given, rng = data()
    pool = pool_of(120, rng, 2.0)
    ages = np.where(np.arange(120) < 50, 5.0, 30.0)
    frame, embeddings = frame_of(given, pool, ages)
    done = pseudo_label(frame, embeddings, precision=0.9, self_train=True)
    assert done.report["self_training"]["asked"] == 70
    assert done.report["abstained"]["too_young"] == 50
    few = frame[frame["gender"].isna() | frame["photo_id"].isin(frame["photo_id"].head(12))].reset_index(drop=True)
    told = pseudo_label(few, embeddings, self_train=True).report
    assert told["self_training"] == {"kept": False, "reason": told["reason"]}
    assert "10 labelled people of each" in told["reason"]
    whole = frame[frame["gender"].notna()].reset_index(drop=True)
    assert pseudo_label(whole, embeddings, self_train=True).report["self_training"] is None
    assert pseudo_label(few, embeddings).report["self_training"] is None


def test_a_network_is_judged_beside_what_self_training_left() -> None:
    given, rng = data()
    pool = pool_of(160, rng, 2.0)
    side = np.where(given["genders"] == "female", 1, -1)
    heard = Heard(rng.normal(size=len(side)) + 1.5 * side, given["sources"] == "two")
    both, alone = learn_gender(**given, pool=pool, network=heard), learn_gender(**given, pool=pool)
    assert both.self_training == alone.self_training
    assert both.network is not None
    assert both.network["kept"]
    assert both.network["judged_on"] == ["two"]
    # What it has to better is what the machine says that has learned from those who joined.
    there = given["sources"] == "two"
    losses = log_losses(alone.female[there], (given["genders"][there] == "female").astype(np.int64))
    assert both.network["embedding"]["log_loss"] == pytest.approx(losses.mean())
