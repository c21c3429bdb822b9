"""Learning gender: what is measured, what is held out, and where calibration and thresholds come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.confidence import NEVER, calibration_error
from models.errors import TooFewLabelsError
from models.face_machine import parts
from models.face_views import BLOCKS, SIZE
from models.gender_fit import learn_gender
from tests.models.builders import embeddings_of


def people(count: int, gap: float, seed: int = 0) -> tuple[Any, Any, Any]:
    """Embeddings of people, alternately male and female, one photo each."""
    genders = np.resize(["male", "female"], count)
    return (
        embeddings_of(genders, np.random.default_rng(seed), gap),
        genders,
        np.array([f"p{at}" for at in range(count)]),
    )


def test_what_is_told_of_held_out_people_is_what_is_said_of_each_of_them() -> None:
    vectors, genders, persons = people(300, 1.5)
    sources = np.where(np.arange(300) < 150, "one", "two")
    learned = learn_gender(vectors, genders, persons, sources=sources, precision=0.9)
    told, female = learned.model.held_out, genders == "female"
    others = told.pop("other_sources")
    for name, figures in {"one": others["one"], "two": others["two"], "": told}.items():
        rows = sources == name if name else np.ones(300, dtype=bool)
        probability = learned.female[rows]
        sure, right = np.maximum(probability, 1 - probability), (probability >= 0.5) == female[rows]
        made = sure >= learned.model.threshold
        assert figures["people"] == rows.sum()
        assert figures["accuracy"] == right.mean()
        assert figures["brier"] == pytest.approx(((probability - female[rows]) ** 2).mean())
        assert figures["calibration_error"] == pytest.approx(calibration_error(sure, right))
        assert figures["coverage"] == made.mean() > 0
        assert figures["precision"] == right[made].mean()
    assert told["precision_wanted"] == 0.9
    assert others["one"]["brier"] != others["two"]["brier"]


def test_the_folds_and_the_photos_go_by_the_seed() -> None:
    data = people(120, 1.5)
    one, other = (learn_gender(*data, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.female, other.female)
    np.testing.assert_array_equal(one.female, learn_gender(*data, seed=0).female)


def test_of_several_photos_of_a_person_one_counts() -> None:
    vectors, genders, persons = people(60, 1.5)
    rows = np.repeat(np.arange(60), np.resize([1, 5], 60))
    learned = learn_gender(vectors[rows], genders[rows], persons[rows])
    assert learned.model.held_out["people"] == 60
    assert np.isfinite(learned.female).all()


def test_ten_people_of_each_are_enough_and_nine_are_not() -> None:
    vectors, genders, persons = people(20, 3.0)
    assert learn_gender(vectors, genders, persons).model.held_out["people"] == 20
    with pytest.raises(TooFewLabelsError, match="there are 9 female"):
        learn_gender(vectors[:-1], genders[:-1], persons[:-1])


def test_of_few_people_nothing_is_certain_however_far_apart_they_are() -> None:
    vectors, genders, persons = people(20, 30.0)
    learned = learn_gender(vectors, genders, persons, precision=0.5)
    assert learned.model.held_out["accuracy"] == 1
    # Platt's targets of ten are 11/12 and 1/12: seen so often and never otherwise.
    assert np.abs(learned.female - 0.5).max() < 0.49


def test_a_band_of_age_has_its_own_calibration_from_a_hundred_people_and_ten_of_each_on() -> None:
    vectors, genders, persons = people(320, 1.5)
    for count, known in ((100, True), (99, False)):
        ages = np.where(np.arange(320) < count, 70.0, np.nan)
        assert ("60 and over" in learn_gender(vectors, genders, persons, ages=ages).model.calibration.by_age) == known
    for women, known in ((10, True), (9, False)):
        female = np.flatnonzero(genders == "female")
        ages = np.where(genders == "male", 70.0, np.nan)
        ages[female[:women]] = 70.0
        assert ("60 and over" in learn_gender(vectors, genders, persons, ages=ages).model.calibration.by_age) == known


def test_a_source_is_held_out_whole_from_ten_people_of_each_on() -> None:
    vectors, genders, persons = people(200, 1.5)
    for count, known in ((20, ["small"]), (19, [])):
        sources = np.where(np.arange(200) < count, "small", "big")
        assert list(learn_gender(vectors, genders, persons, sources=sources).model.held_out["other_sources"]) == known


def test_who_is_in_two_sources_does_not_help_to_judge_their_own_photos() -> None:
    # Photos of a person are alike and tell nothing of gender, so that only a leak would look like knowledge.
    rng = np.random.default_rng(0)
    alone, both = rng.normal(size=(240, 128)), rng.normal(size=(60, 128))
    vectors = np.concatenate([alone, both, both + rng.normal(0, 0.01, both.shape)])
    persons = np.array([f"p{at}" for at in [*range(300), *range(240, 300)]])
    genders = np.resize(["male", "female"], 300)[[*range(300), *range(240, 300)]]
    sources = np.array(["one"] * 300 + ["two"] * 60)
    learned = learn_gender(vectors, genders, persons, sources=sources)
    two = (learned.female[300:] >= 0.5) == (genders[300:] == "female")
    assert two.mean() < 0.75


@pytest.mark.parametrize("part", range(len(BLOCKS)))
def test_each_part_of_a_description_teaches_and_none_outweighs_the_others(part: int) -> None:
    rng = np.random.default_rng(part)
    genders = np.resize(["male", "female"], 160)
    vectors = rng.normal(size=(160, SIZE))
    where = parts(BLOCKS)[part]
    vectors[:, where] += 0.6 * np.where(genders == "female", 1, -1)[:, None]
    # Nor does it matter in what units a part is.
    vectors[:, where] *= 1000
    model = learn_gender(vectors, genders, np.array([f"p{at}" for at in range(160)])).model
    assert model.machine.blocks == BLOCKS
    assert model.machine.dual.shape == (len(BLOCKS), len(model.machine.support))
    # What three parts of noise say is added to what the one knows, each as loud as the other.
    assert 0.6 < model.held_out["accuracy"] < 0.9


def test_numbers_that_hardly_ever_differ_count_for_nothing() -> None:
    vectors, genders, persons = people(200, 1.5)
    noise = np.random.default_rng(1).normal(0, 1e-7, (200, 128))
    still, stirred = (
        learn_gender(np.concatenate([vectors, more], axis=1), genders, persons) for more in (0 * noise, noise)
    )
    np.testing.assert_allclose(stirred.female, still.female, atol=0.01)


def test_a_precision_of_a_half_may_be_asked_for_and_one_out_of_reach_is_never_met() -> None:
    vectors, genders, persons = people(60, 1.5)
    assert learn_gender(vectors, genders, persons, precision=0.5).model.threshold < 1
    assert learn_gender(vectors, genders, persons, precision=0.999).model.threshold == NEVER
