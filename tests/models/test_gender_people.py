"""Whose photos gender is learned from, and by what photos people are judged."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from datasets.manifest import make_manifest
from models.gender_people import chosen_to_teach, joining, seen_masked_only, speaking, teaching
from tests.models.builders import row


def told(rows: pd.Series[Any], frame: pd.DataFrame) -> set[str]:
    """Names of the photos whose rows are chosen."""
    return {photo_id.partition(":")[2] for photo_id in frame.loc[rows, "photo_id"]}


def test_a_bare_photo_speaks_before_a_masked_one_where_its_face_was_found() -> None:
    rows = [
        row("both bare", "both", mask="not_wear"),
        row("both worn", "both", mask="wear"),
        row("hidden bare", "hidden"),
        row("hidden worn", "hidden", mask="incorrect"),
        row("worn", "worn", mask="wear"),
        row("known bare", "known", mask="not_wear", gender="male"),
        row("known worn", "known", mask="wear"),
        row("guessed", "guessed", mask="wear", gender="male", gender_from="pseudo"),
        row("guessed worn", "guessed", mask="wear"),
        row("this", "either", mask="wear", gender="male", gender_from="pseudo"),
        row("that", "either", mask="wear", gender="female", gender_from="pseudo"),
        row("either worn", "either", mask="wear"),
        row("one way", "whole", mask="wear", gender="male", gender_from="pseudo"),
        row("another", "whole", mask="wear", gender="female", gender_from="pseudo"),
    ]
    frame = make_manifest(rows)
    found = [each["photo_id"] for each in rows if each["photo_id"] not in ("sample:hidden bare", "sample:known bare")]
    bare, covered = speaking(frame, found)
    assert told(bare, frame) == {"both bare"}
    always = {"guessed", "guessed worn", "this", "that", "either worn", "one way", "another"}
    assert told(covered, frame) == {"hidden worn", "worn", "known worn"} | always
    either = {"this", "that", "either worn"}  # what was guessed earlier differs, and nobody lacks less for it
    assert told(seen_masked_only(frame, found), frame) == {"hidden worn", "worn"} | either
    assert told(seen_masked_only(frame, list(frame["photo_id"])), frame) == {"worn"} | either
    assert not seen_masked_only(frame, []).any()


def test_bare_photos_of_one_given_gender_teach() -> None:
    rows = [
        row("given", "a", gender="male", gender_from="given"),
        row("untold origin", "b", gender="male", mask="not_wear"),
        row("corrected", "c", gender="female", gender_from="corrected"),
        row("pseudo", "d", gender="female", gender_from="pseudo"),
        row("synthetic", "e", gender="female", gender_from="synthetic"),
        row("masked", "f", gender="female", mask="wear"),
        row("one", "g", gender="female"),
        row("other", "g", gender="male", mask="wear"),
        row("none", "h"),
        row("known", "i", gender="male"),
        row("guessed", "i", gender="female", gender_from="pseudo"),
    ]
    frame = make_manifest(rows)
    taught = {"given", "untold origin", "corrected", "known"}
    assert told(teaching(frame), frame) == taught
    assert {each.partition(":")[2] for each in chosen_to_teach(frame, 99)} == taught


def test_those_chosen_are_even_over_the_sources_and_over_people() -> None:
    rows = [row(f"{person} {photo}", str(person), "big", gender="male") for person in range(40) for photo in range(5)]
    rows += [row(str(person), str(person), "small", gender="female") for person in range(12)]
    rows += [row(str(person), str(person), "few", gender="female") for person in range(3)]
    frame = make_manifest(rows)
    chosen = chosen_to_teach(frame, 35)
    assert Counter(each.partition(":")[0] for each in chosen) == {"big": 20, "small": 12, "few": 3}
    people = frame[frame["photo_id"].isin(chosen)]["person_id"]
    assert people.nunique() == 35
    assert chosen_to_teach(frame.sample(frac=1, random_state=1), 35) == chosen
    assert chosen_to_teach(frame, 10) < chosen
    assert len(chosen_to_teach(frame, 999)) == len(frame)
    assert chosen_to_teach(frame, 0) == set()


def test_who_may_join_lacks_a_gender_shows_a_bare_face_and_is_not_known_to_be_too_young() -> None:
    rows = [
        row("bare", "one", mask="not_wear"),
        row("worn", "one", mask="wear"),
        row("unfound", "two", mask="not_wear"),
        row("child", "child", mask="not_wear", age=6.0),
        row("grown", "grows", mask="not_wear", age=12.0),
        row("small", "grows", mask="not_wear", age=8.0),
        row("given", "given", mask="not_wear", gender="male"),
        row("of given", "given", mask="not_wear"),
        row("guessed", "guessed", mask="not_wear", gender="male", gender_from="pseudo"),
        row("of guessed", "guessed", mask="not_wear"),
    ]
    frame = make_manifest(rows)
    found = [each["photo_id"] for each in rows if each["photo_id"] != "sample:unfound"]
    assert told(joining(frame, found, 10.0), frame) == {"bare", "grown", "small"}
    assert told(joining(frame, found, 0.0), frame) == {"bare", "grown", "small", "child"}
