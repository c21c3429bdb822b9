from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datasets.labels import encode_label
from datasets.manifest import make_manifest
from models.errors import EmbeddingError, GenderModelError, SettingsError, TooFewLabelsError
from models.gender import GenderModel, learn_gender, pseudo_label
from tests.models.builders import embeddings_of, row


def people(count: int, gap: float, seed: int = 0, photos: int = 1) -> tuple[Any, Any, Any]:
    """Embeddings, genders and persons of `count` people, alternately male and female."""
    rng = np.random.default_rng(seed)
    genders = np.repeat(np.resize(["male", "female"], count), photos)
    persons = np.repeat([f"p{each}" for each in range(count)], photos)
    return embeddings_of(genders, rng, gap), genders, persons


def fitted(*given: Any, **options: Any) -> GenderModel:
    return learn_gender(*given, **options).model


@pytest.fixture(scope="module")
def model() -> GenderModel:
    return fitted(*people(600, gap=1.5), seed=0)


def test_probabilities_are_calibrated_on_people_never_seen(model: GenderModel) -> None:
    vectors, genders, _ = people(3000, gap=1.5, seed=1)
    female = model.predict_proba(vectors)[:, 1]
    truth = genders == "female"
    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        inside = (female >= low - 0.1) & (female < low + 0.1)
        assert abs(truth[inside].mean() - female[inside].mean()) < 0.1
    assert ((female > 0.5) == truth).mean() > 0.85


def test_abstention_reaches_the_precision_on_people_never_seen(model: GenderModel) -> None:
    vectors, genders, _ = people(3000, gap=1.5, seed=2)
    decided = [model.decide(np.array([score]))[0] for score in model.score(vectors)]
    made = np.array([each is not None for each in decided])
    right = np.array(decided, dtype=object)[made] == genders[made]
    assert 0.3 < made.mean() < 0.95
    assert right.mean() >= 0.96
    assert model.held_out["precision"] >= 0.97


def test_a_higher_precision_decides_less() -> None:
    data = people(600, gap=1.5)
    loose, strict = (fitted(*data, seed=0, precision=each) for each in (0.93, 0.98))
    assert loose.threshold < strict.threshold
    assert loose.held_out["coverage"] > strict.held_out["coverage"] > 0


def test_embeddings_without_gender_in_them_decide_nothing() -> None:
    model = fitted(*people(300, gap=0.0), seed=0)
    vectors, _, _ = people(200, gap=0.0, seed=5)
    assert [model.decide(np.array([score]))[0] for score in model.score(vectors)] == [None] * 200
    assert model.held_out["coverage"] == 0
    assert model.held_out["precision"] is None


def test_photos_of_one_person_never_help_to_judge_that_person() -> None:
    # Each person's photos are alike and tell nothing of gender: judged by photo, a leak would look like knowledge.
    rng = np.random.default_rng(0)
    genders = np.repeat(np.resize(["male", "female"], 120), 6)
    persons = np.repeat([f"p{each}" for each in range(120)], 6)
    vectors = np.repeat(rng.normal(size=(120, 128)), 6, axis=0) + rng.normal(0, 0.05, (720, 128))
    assert fitted(vectors, genders, persons, seed=0).held_out["accuracy"] < 0.7


def test_same_seed_gives_the_same_model() -> None:
    data = people(80, gap=2.0, photos=2)
    first, again = fitted(*data, seed=3), fitted(*data, seed=3)
    np.testing.assert_array_equal(first.score(data[0]), again.score(data[0]))
    assert first.held_out == again.held_out


def by_band(seed: int, count: int = 900) -> tuple[Any, Any, Any, Any]:
    """People of all ages, in whom gender shows well from 20 to 59 years, and in others hardly."""
    rng = np.random.default_rng(seed)
    genders, ages = np.resize(["male", "female"], count), rng.permutation(np.resize([8.0, 40.0, 70.0], count))
    vectors = np.where(ages[:, None] == 40, embeddings_of(genders, rng, 4.0), embeddings_of(genders, rng, 0.3))
    return vectors, genders, np.array([f"p{each}" for each in range(count)]), ages


def test_confidence_and_threshold_go_by_age_where_it_is_known() -> None:
    vectors, genders, persons, ages = by_band(0)
    model = fitted(vectors, genders, persons, seed=0, precision=0.97, ages=ages)
    vectors, genders, _, ages = by_band(1)
    female = model.predict_proba(vectors, ages)[:, 1]
    sure = np.maximum(female, 1 - female)
    assert sure[ages == 40].mean() > 0.9
    assert sure[ages != 40].mean() < 0.7
    decided = [model.decide(np.array([score]), age) for score, age in zip(model.score(vectors), ages, strict=True)]
    made = np.array([each.gender is not None for each in decided])
    assert made[ages == 40].mean() > 0.5
    assert made[ages != 40].mean() < 0.01
    right = np.array([each.said for each in decided]) == genders
    assert right[made].mean() >= 0.96
    # Of unknown age somebody is as unsure as all of them together.
    unknown = np.array([model.decide(np.array([score])).gender is not None for score in model.score(vectors)])
    assert unknown[ages == 40].mean() < made[ages == 40].mean()


def test_a_saved_model_keeps_what_goes_by_age(tmp_path: Path) -> None:
    vectors, genders, persons, ages = by_band(0, 450)
    model = fitted(vectors, genders, persons, seed=0, ages=ages)
    model.save(tmp_path / "gender.npz")
    loaded = GenderModel.load(tmp_path / "gender.npz")
    assert loaded.calibration.by_age == model.calibration.by_age
    assert set(model.calibration.by_age) == {"under 20", "20 to 59", "60 and over"}
    np.testing.assert_array_equal(loaded.predict_proba(vectors, ages), model.predict_proba(vectors, ages))


def two_sources(shift: float) -> tuple[Any, Any, Any, Any]:
    """People of two sources; in the second all values are moved, so that what the first teaches fits it badly."""
    vectors, genders, persons = people(600, gap=3.0)
    sources = np.repeat(["one", "two"], 300)
    vectors[sources == "two"] += shift * np.random.default_rng(9).normal(0, 1, vectors.shape[1])
    return vectors, genders, persons, sources


def test_confidence_is_that_for_a_source_not_learned_from() -> None:
    near, far = two_sources(0.0), two_sources(4.0)
    alike = fitted(*near[:3], seed=0, sources=near[3]).held_out
    apart = fitted(*far[:3], seed=0, sources=far[3]).held_out
    blind = fitted(*far[:3], seed=0).held_out
    assert set(alike["other_sources"]) == set(apart["other_sources"]) == {"one", "two"}
    assert blind["other_sources"] == {}
    assert apart["other_sources"]["two"]["people"] == 300
    assert apart["accuracy"] < alike["accuracy"] - 0.05
    assert apart["coverage"] < min(alike["coverage"], blind["coverage"])


def test_a_source_of_few_people_is_not_held_out_whole() -> None:
    vectors, genders, persons = people(300, gap=3.0)
    sources = np.where(np.arange(300) < 6, "few", "many")
    assert fitted(vectors, genders, persons, sources=sources).held_out["other_sources"] == {}


def test_a_small_second_source_does_not_silence_a_big_one() -> None:
    vectors, genders, persons = people(624, gap=2.0)
    sources = np.where(np.arange(624) < 24, "small", "big")
    alone = fitted(vectors[24:], genders[24:], persons[24:]).held_out
    both = fitted(vectors, genders, persons, sources=sources).held_out
    assert alone["coverage"] > 0.5
    assert both["coverage"] > 0.9 * alone["coverage"]
    # Only of the small one do those learn enough who have not seen it.
    assert set(both["other_sources"]) == {"small"}


def test_a_source_is_held_out_where_the_rest_holds_half_of_all_people() -> None:
    vectors, genders, persons = people(400, gap=2.0)
    even = np.where(np.arange(400) < 200, "one", "two")
    assert set(fitted(vectors, genders, persons, sources=even).held_out["other_sources"]) == {"one", "two"}
    uneven = np.where(np.arange(400) < 202, "one", "two")
    assert set(fitted(vectors, genders, persons, sources=uneven).held_out["other_sources"]) == {"two"}


@pytest.mark.parametrize(("most", "photos"), [(30, [40] * 24), (80, [40] * 3 + [1] * 37), (25, [1] * 300)])
def test_of_more_photos_than_it_takes_it_learns_from_some_of_everybody(
    most: int, photos: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.machine_fit.MAX_PHOTOS", most)
    vectors, genders, persons = people(len(photos), gap=4.0)
    rows = np.repeat(np.arange(len(photos)), photos)
    learned = learn_gender(vectors[rows], genders[rows], persons[rows])
    used = np.flatnonzero(np.isfinite(learned.female))
    assert len(used) == most
    counts = np.unique(rows[used], return_counts=True)[1]
    assert len(counts) == min(most, len(photos))
    # Of those who have many photos nobody teaches with two more than another.
    many = counts[np.array(photos)[np.unique(rows[used])] == 40]
    assert np.ptp(many) <= 1 if len(many) else counts.max() == 1
    assert learned.model.held_out["people"] == len(counts)


def test_of_more_people_than_it_takes_some_are_of_the_rare_gender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.machine_fit.MAX_PHOTOS", 40)
    vectors, _, persons = people(900, gap=4.0)
    genders = np.where(np.arange(900) < 12, "female", "male")
    learned = learn_gender(vectors, genders, persons)
    used = np.isfinite(learned.female)
    assert used.sum() == 40
    assert (genders[used] == "female").sum() >= 10


def test_few_people_of_many_photos_are_too_few() -> None:
    vectors, genders, persons = people(3, gap=4.0, photos=40)
    with pytest.raises(TooFewLabelsError, match="there are 2 male"):
        learn_gender(vectors, genders, persons)


def test_a_face_unlike_all_others_is_not_decided_on(model: GenderModel) -> None:
    vectors, _, _ = people(50, gap=1.5, seed=3)
    strange = model.predict_proba(vectors + 50 * np.random.default_rng(0).normal(size=vectors.shape))
    assert strange.max() < 0.75


def test_saved_and_loaded_it_says_the_same(model: GenderModel, tmp_path: Path) -> None:
    vectors, _, _ = people(50, gap=1.5, seed=9)
    model.save(tmp_path / "gender.npz")
    loaded = GenderModel.load(tmp_path / "gender.npz")
    np.testing.assert_array_equal(loaded.predict_proba(vectors), model.predict_proba(vectors))
    assert loaded.threshold == model.threshold
    assert loaded.held_out == model.held_out


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no", b"\x80\x04]\x94."])
def test_a_broken_model_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gender.npz"
    with pytest.raises(GenderModelError, match="no gender model"):
        GenderModel.load(path)
    path.write_bytes(content)
    with pytest.raises(GenderModelError, match="not a saved gender model"):
        GenderModel.load(path)


def test_a_model_file_with_pickles_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gender.npz"
    np.savez(path, head=np.array({"format": 1}, dtype=object))
    with pytest.raises(GenderModelError):
        GenderModel.load(path)


def test_bad_input_is_named(model: GenderModel) -> None:
    vectors, genders, persons = people(30, gap=1.0)
    with pytest.raises(TooFewLabelsError, match="there are 0 female"):
        fitted(vectors[genders == "male"], genders[genders == "male"], persons[genders == "male"])
    with pytest.raises(SettingsError, match="must be male or female, not x"):
        fitted(vectors, np.where(genders == "male", "x", genders), persons)
    with pytest.raises(SettingsError, match="give one each"):
        fitted(vectors, genders[1:], persons)
    with pytest.raises(SettingsError, match="precision"):
        fitted(vectors, genders, persons, precision=1.0)
    with pytest.raises(SettingsError, match="3 sources"):
        fitted(vectors, genders, persons, sources=np.array(["a", "b", "c"]))
    with pytest.raises(EmbeddingError, match="128"):
        model.predict_proba(vectors[:, :5])
    with pytest.raises(EmbeddingError, match="finite"):
        model.predict_proba(np.full((2, 128), np.nan))


def known_and_unknown(unknown: int = 40, gap: float = 4.0) -> tuple[list[dict[str, Any]], dict[str, Any], list[str]]:
    """Rows of 120 people with a gender and some without, their embeddings, and the truth of those without."""
    vectors, genders, persons = people(120 + unknown, gap)
    rows = [
        row(f"{person}.jpg", person, mask="not_wear", age=40.0, gender=gender if at < 120 else None)
        for at, (person, gender) in enumerate(zip(persons, genders, strict=True))
    ]
    ids = [each["photo_id"] for each in rows]
    return rows, dict(zip(ids, vectors, strict=True)), list(genders[120:])


def test_missing_genders_are_filled_and_given_ones_untouched() -> None:
    rows, embeddings, truth = known_and_unknown()
    before = make_manifest(rows)
    result = pseudo_label(before, embeddings)
    known = before["gender"].notna()
    pd.testing.assert_frame_equal(result.manifest[known], before[known])
    filled = result.manifest[~known & result.manifest["gender"].notna()]
    assert len(filled) == result.report["rows_filled"] >= 30
    assert (filled["gender"] == pd.Series(truth, index=range(120, 160))[filled.index]).mean() > 0.9
    assert set(filled["gender_from"]) == {"pseudo"}
    assert filled["gender_confidence"].between(result.report["threshold"], 1).all()
    labels = [
        encode_label(m, g, a) for m, g, a in zip(filled["mask"], filled["gender"], filled["age_group"], strict=True)
    ]
    assert filled["label"].tolist() == labels
    rest = result.manifest[result.manifest["gender"].isna()]
    assert rest["gender_confidence"].isna().all()
    assert result.report["abstained"] == ({"unsure": len(rest)} if len(rest) else {})
    assert result.report["labelled_people"] == 120


def test_all_rows_of_a_person_get_one_decision() -> None:
    rows, embeddings, _ = known_and_unknown(unknown=10)
    # Two photos that on their own would be judged differently: one decision comes of their mean.
    odd = embeddings_of(["male", "female"], np.random.default_rng(1), gap=6.0)
    extra = [row(f"two{at}.jpg", "two", mask="not_wear", age=30.0) for at in range(2)]
    embeddings |= {each["photo_id"]: odd[at] for at, each in enumerate(extra)}
    manifest = pseudo_label(make_manifest([*rows, *extra]), embeddings, precision=0.6).manifest
    two = manifest[manifest["person_id"] == "sample:two"]
    assert two["gender"].nunique(dropna=False) == 1
    assert two["gender_confidence"].nunique(dropna=False) == 1


def test_a_gender_guessed_earlier_is_handed_on_as_a_guess() -> None:
    rows, embeddings, truth = known_and_unknown(unknown=3)
    guess = {"gender_from": "pseudo", "mask": "not_wear", "age": 40.0}
    wrong = "male" if truth[1] == "female" else "female"
    rows += [
        row("a.jpg", "p120", gender="male", gender_confidence=0.93, **guess),
        row("b.jpg", "p120", gender="male", gender_confidence=0.91, **guess),
        row("c.jpg", "p121", gender="male", gender_confidence=0.95, **guess),
        row("d.jpg", "p121", gender="female", gender_confidence=0.95, **guess),
        row("e.jpg", "p122", gender=wrong, gender_confidence=0.99, **guess),
        row("f.jpg", "p122", gender=truth[2], mask="not_wear", age=40.0),
        row("g.jpg", "child", gender="female", gender_confidence=0.9, **{**guess, "age": 4.0}),
        row("h.jpg", "child", mask="not_wear", age=4.0),
    ]
    before = make_manifest(rows)
    result = pseudo_label(before, embeddings, precision=0.6)
    after = result.manifest.set_index("photo_id")
    told = after[["gender", "gender_from", "gender_confidence"]]
    assert told.loc["sample:p120.jpg"].tolist() == ["male", "pseudo", 0.91]
    assert told.loc["sample:h.jpg"].tolist() == ["female", "pseudo", 0.9]
    assert told.loc["sample:p122.jpg"].tolist() == [truth[2], "pseudo", 1.0]  # what is given counts more
    assert told.loc["sample:p121.jpg", "gender"] == truth[1]  # guesses that differ tell nothing: it is decided anew
    assert told.loc["sample:p121.jpg", "gender_confidence"] != 0.95
    assert result.decided["person_id"].tolist() == ["sample:p121"]
    had = before["gender"].notna()
    pd.testing.assert_frame_equal(result.manifest[had], before[had])


def test_a_person_with_a_given_gender_keeps_it() -> None:
    rows, embeddings, _ = known_and_unknown(unknown=2)
    rows += [row("again.jpg", "p0", mask="wear", age=40.0), row("both.jpg", "both", age=40.0)]
    rows += [row(f"both{gender}.jpg", "both", gender=gender, age=40.0) for gender in ("male", "female")]
    result = pseudo_label(make_manifest(rows), embeddings)
    by_id = result.manifest.set_index("photo_id")["gender"]
    assert by_id["sample:again.jpg"] == "male"
    assert pd.isna(by_id["sample:both.jpg"])
    assert result.report["abstained"]["given_genders_differ"] == 1


def test_children_and_faces_not_found_are_left_alone() -> None:
    rows, embeddings, _ = known_and_unknown(unknown=4)
    rows[120] |= {"age": 5.0}
    del embeddings[rows[121]["photo_id"]]
    result = pseudo_label(make_manifest(rows), embeddings)
    assert result.manifest.loc[[120, 121], "gender"].isna().all()
    assert result.report["abstained"]["too_young"] == 1
    assert result.report["abstained"]["no_embedding"] == 1


def test_everybody_who_was_looked_at_is_told_of_with_their_age_group() -> None:
    rows, embeddings, _ = known_and_unknown(unknown=4)
    rows[120] |= {"age": 5.0}
    del embeddings[rows[121]["photo_id"]]
    rows[122] |= {"age": None}
    rows += [row("older.jpg", "p123", mask="wear", age=61.0), row("again.jpg", "p0", mask="wear", age=40.0)]
    decided = pseudo_label(make_manifest(rows), embeddings, precision=0.6).decided
    told = decided.set_index("person_id")
    assert sorted(told.index) == [f"sample:p{each}" for each in range(120, 124)]
    assert told["reason"].to_dict() == {
        "sample:p120": "too_young",
        "sample:p121": "no_embedding",
        "sample:p122": "pseudo",
        "sample:p123": "pseudo",
    }
    assert told["age_group"][[f"sample:p{each}" for each in range(120, 124)]].tolist() == [
        "under_30",
        "30_to_59",
        "",
        "60_plus",
    ]
    # The least sure first, and those of whom nothing is said last.
    assert decided["confidence"].isna().tolist() == [False, False, True, True]
    assert decided["confidence"][0] <= decided["confidence"][1]


def test_youngest_counts_from_its_year_on_and_by_the_oldest_photo() -> None:
    rows, embeddings, _ = known_and_unknown(unknown=4)
    for at, age in ((120, 9.99), (121, 10.0), (122, 5.0)):
        rows[at] |= {"age": age}
    rows.append(row("older.jpg", "p122", mask="wear", age=40.0))
    told = pseudo_label(make_manifest(rows), embeddings, precision=0.5).decided.set_index("person_id")["reason"]
    assert [told[f"sample:p{at}"] for at in (120, 121, 122, 123)] == ["too_young", "pseudo", "pseudo", "pseudo"]


def test_the_age_that_decides_is_that_of_the_oldest_photo() -> None:
    vectors, genders, persons, ages = by_band(0)
    rows = [
        row(f"{person}.jpg", person, mask="not_wear", age=age, gender=gender)
        for person, gender, age in zip(persons, genders, ages, strict=True)
    ]
    sure = vectors[(ages == 40) & (genders == "female")][0]
    rows += [row(f"new{age}.jpg", f"new{age}", mask="not_wear", age=float(age)) for age in (15, 40)]
    rows.append(row("new15later.jpg", "new15", mask="wear", age=40.0))
    rows.append(row("new40later.jpg", "new40", mask="wear", age=70.0))
    embeddings = {each["photo_id"]: vector for each, vector in zip(rows, [*vectors, sure, sure], strict=False)}
    result = pseudo_label(make_manifest(rows), embeddings)
    assert result.report["reason"] is None
    told = result.decided.set_index("person_id")["reason"]
    assert told.to_dict() == {"sample:new15": "pseudo", "sample:new40": "unsure"}


def test_given_genders_begin_with_the_most_surely_contradicted() -> None:
    rows, embeddings, _ = known_and_unknown(unknown=2, gap=2.0)
    given = pseudo_label(make_manifest(rows), embeddings).given
    right = given["said"].eq(given["gender"])
    assert 0 < (~right).sum() < 60
    assert right.is_monotonic_increasing
    assert given["confidence"][~right].is_monotonic_decreasing
    assert given["confidence"][right].is_monotonic_increasing


def test_where_no_confidence_is_enough_it_says_so() -> None:
    rows, embeddings, _ = known_and_unknown(gap=0.0)
    report = pseudo_label(make_manifest(rows), embeddings).report
    assert report["threshold"] is None
    assert report["status"] == "abstained"
    assert "no confidence reached a precision of 0.97" in report["reason"]
    assert report["abstained"] == {"unsure": 40}


def test_people_are_scored_alike_in_batches_of_any_size_and_shown_by_their_first_photo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, embeddings, _ = known_and_unknown(unknown=5)
    rows += [row(f"a{at}.jpg", f"p{at}", mask="not_wear", age=40.0) for at in range(120, 125)]
    embeddings |= {f"sample:a{at}.jpg": embeddings[f"sample:p{at}.jpg"] for at in range(120, 125)}
    whole = pseudo_label(make_manifest(rows), embeddings)
    assert set(whole.decided["photo_id"]) == {f"sample:a{at}.jpg" for at in range(120, 125)}
    assert (whole.report["people_missing"], whole.report["rows_filled"]) == (5, 2 * whole.report["people_filled"])
    monkeypatch.setattr("models.gender_deciding._AT_ONCE", 3)
    pd.testing.assert_frame_equal(pseudo_label(make_manifest(rows), embeddings).decided, whole.decided)


def test_given_genders_are_told_with_what_is_decided_at_the_threshold_for_their_age() -> None:
    vectors, genders, persons, ages = by_band(0, 600)
    rows = [
        row(f"{person}.jpg", person, mask="not_wear", age=age, gender=gender)
        for person, gender, age in zip(persons, genders, ages, strict=True)
    ]
    embeddings = {each["photo_id"]: vector for each, vector in zip(rows, vectors, strict=True)}
    rows.append(row("unknown.jpg", "unknown", mask="not_wear"))
    result = pseudo_label(make_manifest(rows), embeddings)
    given = result.given.merge(make_manifest(rows)[["photo_id", "age"]])
    thresholds = result.report["threshold_by_age"]
    assert thresholds["under 20"] is None
    grown = given["age"].eq(40)
    assert (given["decided"] == grown & given["confidence"].ge(thresholds["20 to 59"])).all()
    assert 0 < given["decided"].sum() < len(given)
    assert len(result.report["held_out"]["other_sources"]) == 0
    assert given["decided"].mean() == pytest.approx(result.report["held_out"]["coverage"])


def test_a_bare_face_speaks_for_its_person_before_a_masked_one() -> None:
    rows, embeddings, truth = known_and_unknown(unknown=2)
    masked = row("masked.jpg", "p120", mask="wear", age=40.0)
    wrong = "male" if truth[0] == "female" else "female"
    embeddings[masked["photo_id"]] = embeddings_of([wrong], np.random.default_rng(0), gap=60.0)[0]
    embeddings[rows[120]["photo_id"]] = embeddings_of([truth[0]], np.random.default_rng(0), gap=6.0)[0]
    manifest = pseudo_label(make_manifest([*rows, masked]), embeddings).manifest
    assert manifest.loc[manifest["person_id"] == "sample:p120", "gender"].tolist() == [truth[0]] * 2


def masked_people() -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Bare people with a gender and masked ones without, their embeddings, and those of the bare ones with masks drawn.

    A mask turns the embedding about: who learned from bare faces alone takes masked women for men.
    """
    rows, embeddings, _ = known_and_unknown(unknown=0)
    vectors, _, persons = people(40, 4.0, seed=7)
    for person, vector in zip(persons, vectors, strict=True):
        rows.append(row(f"masked{person}.jpg", f"masked{person}", mask="wear", age=40.0))
        embeddings[rows[-1]["photo_id"]] = -vector
    drawn = {each["photo_id"]: -embeddings[each["photo_id"]] for each in rows[:120]}
    return rows, embeddings, drawn


def test_people_seen_masked_only_are_decided_by_what_drawn_masks_taught() -> None:
    rows, embeddings, drawn = masked_people()
    result = pseudo_label(make_manifest(rows), embeddings, masked=drawn)
    filled = result.manifest.iloc[120:]
    truth = np.resize(["male", "female"], 40)
    made = filled["gender"].notna().to_numpy()
    assert made.mean() > 0.5
    assert (filled["gender"].to_numpy()[made] == truth[made]).mean() > 0.9
    assert set(filled["gender_from"][made]) == {"pseudo"}
    assert result.report["masked_only"]["labelled_people"] == 120
    assert result.report["masked_only"]["threshold"] <= 1


def test_people_seen_masked_only_get_no_gender_from_bare_faces() -> None:
    rows, embeddings, _ = masked_people()
    result = pseudo_label(make_manifest(rows), embeddings)
    assert result.manifest["gender"].iloc[120:].isna().all()
    assert result.report["abstained"] == {"masked_only": 40}
    assert result.report["masked_only"] is None


def test_too_few_labelled_people_abstains_and_says_why() -> None:
    rows, embeddings, _ = known_and_unknown()
    few = [*rows[:6], *rows[120:]]
    result = pseudo_label(make_manifest(few), embeddings)
    assert result.report["status"] == "abstained"
    assert "10 labelled people of each" in result.report["reason"]
    assert result.manifest["gender"].isna().sum() == 40


def test_nothing_missing_changes_nothing() -> None:
    rows, embeddings, _ = known_and_unknown(unknown=0)
    before = make_manifest(rows)
    result = pseudo_label(before, embeddings)
    pd.testing.assert_frame_equal(result.manifest, before)
    assert result.report["status"] == "nothing_missing"


def test_earlier_pseudo_labels_teach_nothing() -> None:
    rows, embeddings, _ = known_and_unknown()
    for each in rows[:120]:
        each |= {"gender_from": "pseudo", "gender_confidence": 0.98}
    result = pseudo_label(make_manifest(rows), embeddings)
    assert result.report["labelled_people"] == 0
    assert result.report["status"] == "abstained"
