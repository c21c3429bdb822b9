"""Learning age groups: ordered, calibrated on people held out, and silent where it is not sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from datasets.labels import AGE_GROUPS
from datasets.manifest import make_manifest
from models.age_fit import _groups, learn_ages
from models.confidence import NEVER
from models.errors import SettingsError, TooFewLabelsError
from models.pseudo_ages import pseudo_ages, teaching_ages
from tests.models.builders import row


def people(count: int, gap: float = 3.0, seed: int = 0) -> tuple[Any, Any, Any]:
    """Embeddings that lie along a line by age group, the groups, and a person each."""
    rng = np.random.default_rng(seed)
    codes = np.resize([0, 1, 2], count)
    vectors = rng.normal(size=(count, 16))
    vectors[:, :4] += gap * (codes - 1)[:, None]
    return vectors, np.array(AGE_GROUPS)[codes], np.array([f"p{at}" for at in range(count)])


def test_chances_are_of_ordered_groups_and_add_up_to_one() -> None:
    told = _groups(np.array([[0.9, 0.2], [0.3, 0.6]]))
    np.testing.assert_allclose(told, [[0.1, 0.7, 0.2], [0.7, 0.0, 0.3]])


def test_what_is_decided_is_as_precise_as_asked_on_people_never_seen() -> None:
    model = learn_ages(*people(450, gap=1.3), precision=0.9)
    vectors, groups, _ = people(1500, gap=1.3, seed=1)
    chances = model.probability_of_score(model.score(vectors))
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    said, made = np.array(AGE_GROUPS)[chances.argmax(axis=1)], model.made(chances)
    assert 0.3 < made.mean() < 0.98
    assert (said == groups)[made].mean() > 0.88
    assert chances.max(axis=1)[made].min() >= 0.9
    told = model.held_out
    assert told["accuracy"] == pytest.approx((said == groups).mean(), abs=0.05)
    assert sum(each["said"] for each in told["by_group"].values()) == round(told["coverage"] * told["people"])
    assert sum(each["people"] for each in told["by_group"].values()) == 450


def test_a_group_that_is_not_told_apart_is_never_said_while_others_are() -> None:
    rng = np.random.default_rng(0)
    vectors, groups, persons = people(450, gap=3.0)
    # The middle group looks like the oldest.
    middle = groups == AGE_GROUPS[1]
    vectors[middle] = rng.normal(size=(middle.sum(), 16))
    vectors[middle, :4] += 3.0
    model = learn_ages(vectors, groups, persons, precision=0.95)
    assert model.thresholds[0] <= 1
    assert model.thresholds[1] == model.thresholds[2] == NEVER


def test_the_same_seed_gives_the_same_and_bad_input_is_named() -> None:
    data = people(90)
    one, other = learn_ages(*data, seed=1), learn_ages(*data, seed=1)
    np.testing.assert_array_equal(one.score(data[0]), other.score(data[0]))
    assert one.held_out == other.held_out
    with pytest.raises(TooFewLabelsError, match="there are 9 60_plus"):
        learn_ages(*(each[:29] for each in data))
    with pytest.raises(SettingsError, match="give one each"):
        learn_ages(data[0], data[1][:-1], data[2])
    with pytest.raises(SettingsError, match="not old"):
        learn_ages(data[0], np.full(90, "old"), data[2])
    with pytest.raises(SettingsError, match="precision"):
        learn_ages(*data, precision=1.0)


def manifest_of(known: int, lacking: int) -> tuple[pd.DataFrame, dict[str, Any], Any]:
    vectors, groups, _ = people(known + lacking)
    rows, embeddings = [], {}
    for at in range(known + lacking):
        told = {"age_group": groups[at]} if at < known else {}
        rows.append(row(f"{at}.png", f"p{at}", mask="not_wear", gender="male", **told))
        embeddings[rows[-1]["photo_id"]] = vectors[at]
    return make_manifest(rows), embeddings, groups


def test_missing_age_groups_are_filled_with_where_they_are_from_and_given_ones_stay() -> None:
    frame, embeddings, groups = manifest_of(150, 30)
    found = pseudo_ages(frame, embeddings, precision=0.9)
    filled = found.manifest
    pd.testing.assert_frame_equal(filled.iloc[:150], frame.iloc[:150])
    made = filled["age_from"].eq("pseudo").fillna(False).to_numpy(dtype=bool)
    assert made.sum() == found.report["rows_filled"] == found.report["people_filled"] > 15
    assert sum(found.report["filled_by_group"].values()) == found.report["people_filled"]
    assert (filled["age_group"].to_numpy()[made] == groups[made]).mean() > 0.9
    assert filled["age"].isna().all()
    assert filled["label"][made].notna().all()
    assert filled["age_confidence"][made].between(0.9, 1).all()
    assert found.report["abstained"].get("unsure", 0) == 30 - made.sum()
    # What was guessed teaches nothing later.
    assert not teaching_ages(filled)[made].any()


def test_who_has_an_age_on_another_photo_or_no_bare_face_gets_none() -> None:
    frame, embeddings, _ = manifest_of(150, 4)
    frame.loc[150, "person_id"] = frame.loc[0, "person_id"]
    frame.loc[151, "mask"] = "wear"
    del embeddings[frame.loc[152, "photo_id"]]
    found = pseudo_ages(frame, embeddings, precision=0.9)
    assert found.manifest["age_group"].iloc[150:153].isna().all()
    assert found.report["abstained"]["given_on_another_photo"] == 1
    assert found.report["abstained"]["no_embedding"] == 2


def test_too_few_people_teach_no_age_and_nothing_missing_needs_none() -> None:
    frame, embeddings, _ = manifest_of(20, 5)
    found = pseudo_ages(frame, embeddings)
    assert found.report["status"] == "abstained"
    assert "10 labelled people of each" in found.report["reason"]
    assert found.report["abstained"] == {"no_model": 5}
    whole, embeddings, _ = manifest_of(20, 0)
    assert pseudo_ages(whole, embeddings).report["status"] == "nothing_missing"
