from __future__ import annotations

import math

import pandas as pd
import pytest

from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, encode_label
from datasets.manifest import make_manifest, make_refusals
from pipelines.report import counts, tallies
from pipelines.report.text import number, share, times, visible
from tests.pipelines.report_builders import NO_EXCLUSIONS, population, row, variant

LABELLED = {"mask": "wear", "gender": "female", "age": 64.0}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return population()


@pytest.fixture(scope="module")
def empty() -> pd.DataFrame:
    return make_manifest([])


def test_before_is_the_base_sources_own_photos() -> None:
    frame = make_manifest(
        [
            row("competition", "a.jpg", **LABELLED),
            variant("competition", "a.jpg", "v1", **LABELLED),
            row("folder", "b.jpg", **LABELLED),
        ]
    )
    assert list(counts.is_base(frame, "competition")) == [True, False, False]


def test_classes_agree_with_the_manifest(frame: pd.DataFrame) -> None:
    table = counts.class_counts(frame, "competition")
    base = frame[frame["source"].eq("competition")]
    for label, line in table.iterrows():
        assert line["after"] == (frame["label"] == label).sum()
        assert line["before"] == (base["label"] == label).sum()
        assert encode_label(line["mask"], line["gender"], line["age_group"]) == label
    assert table["before_share"].sum() == pytest.approx(1)
    assert table["after_share"].sum() == pytest.approx(1)
    assert table["after"].sum() == frame["label"].notna().sum() < len(frame)


def test_growth_is_after_over_before_and_missing_where_nothing_was() -> None:
    frame = make_manifest(
        [row("competition", "a.jpg", **LABELLED)]
        + [variant("folder", f"{n}.jpg", "v", **LABELLED) for n in range(4)]
        + [variant("folder", "old.jpg", "w", **LABELLED | {"mask": "not_wear"})]
    )
    table = counts.class_counts(frame, "competition").set_index("name")
    assert table.loc["wear/female/60_plus", "growth"] == 5
    assert math.isnan(table.loc["not_wear/female/60_plus", "growth"])
    assert list(table.index[~table["rarest"]]) == ["wear/female/60_plus"]
    assert counts.imbalance(table["after"]) is None


def test_imbalance_is_largest_over_smallest() -> None:
    assert counts.imbalance(pd.Series([8, 2, 4])) == 4


@pytest.mark.parametrize("seed", range(4))
def test_nothing_falls_out_of_a_count(seed: int) -> None:
    frame = population(seed, people=15)
    axes = counts.axis_counts(frame, "competition")
    sources = counts.source_counts(frame, "competition")
    for axis in ("mask", "gender", "age_group"):
        assert axes.loc[axis, "after"].sum() == len(frame)
        assert axes.loc[axis, "before"].sum() == counts.is_base(frame, "competition").sum()
        assert sources[axis].sum(axis=1).equals(sources[("all", "photos")] + sources[("all", "variants")])
    assert sources[("all", "photos")].sum() + sources[("all", "variants")].sum() == len(frame)
    assert (counts.provenance(frame).sum(axis=1) == len(frame)).all()


def test_the_base_source_comes_first_and_persons_are_counted_once(frame: pd.DataFrame) -> None:
    table = counts.source_counts(frame, "folder")
    assert list(table.index) == ["folder", "competition"]
    assert table.loc["competition", ("all", "persons")] == 40


def test_what_is_unknown_is_crossed_as_well() -> None:
    whole = {"mask": "wear", "gender": "male", "age": 20.0}
    rows = [row("folder", "a.jpg", **whole), row("folder", "b.jpg", mask="wear", gender="male")]
    rows += [row("folder", f"{n}.jpg", mask="wear") for n in range(3)]
    rows += [row("folder", f"old{n}.jpg", age=70.0) for n in range(5)]
    frame = make_manifest(rows)
    by_age = counts.crossing(frame, "gender", "age_group")
    assert list(by_age.index) == [*GENDERS, "unknown"]
    assert list(by_age.columns) == [*AGE_GROUPS, "unknown"]
    assert by_age.loc["male"].to_list() == [1, 0, 0, 1]
    assert by_age.loc["unknown"].to_list() == [0, 0, 5, 3]
    assert by_age.to_numpy().sum() == len(frame)
    by_gender = counts.crossing(frame, "mask", "gender")
    assert by_gender.loc["unknown"].to_list() == [0, 0, 5]
    assert by_gender["unknown"].to_list() == [3, 0, 0, 5]


def test_rows_and_columns_of_unknowns_are_there_only_where_there_are_any() -> None:
    frame = make_manifest([row("folder", "a.jpg", mask="wear", gender="male"), row("folder", "b.jpg", mask="wear")])
    table = counts.crossing(frame, "mask", "gender")
    assert list(table.index) == list(MASK_STATES)
    assert list(table.columns) == [*GENDERS, "unknown"]
    assert list(counts.crossing(frame.iloc[:1], "mask", "gender").columns) == list(GENDERS)
    turned = counts.crossing(frame, "gender", "mask")
    assert "unknown" in turned.index
    assert "unknown" not in turned.columns


def test_ages_fall_into_bins_closed_at_the_left() -> None:
    ages = {"a": 29.9, "b": 30.0, "c": 34.0, "d": 60.0, "e": 104.0, "f": None}
    frame = make_manifest([row("folder", f"{name}.jpg", age=age, gender="male") for name, age in ages.items()])
    table = counts.age_histogram(frame, step=5)
    filled = table[table["male"] > 0]["male"]
    assert dict(filled) == {25: 1, 30: 2, 60: 1, 100: 1}
    assert table[["female", "unknown"]].sum().sum() == 0


def test_variants_by_type_and_style_and_what_they_cover() -> None:
    rows = [
        variant("folder", f"{n}.jpg", "v", mask="wear", wear_style="correct", mask_type="kf94", nose_covered=cover)
        for n, cover in enumerate((0.8, 1.0))
    ]
    rows += [variant("folder", "c.jpg", "v", mask="not_wear", nose_covered=0.0), row("folder", "p.jpg", mask="wear")]
    frame = make_manifest(rows)
    table = counts.variant_counts(frame)
    assert table.loc["kf94", "correct"] == 2
    assert table.loc["none", "none"] == 1
    assert table.to_numpy().sum() == 3
    covered = counts.coverage(frame).set_index("wear_style")
    assert covered.loc["correct", "nose_covered"] == pytest.approx(0.9)
    assert covered.loc["none", "mask"] == "not_wear"
    assert math.isnan(covered.loc["correct", "chin_covered"])


def test_only_pseudo_labelled_genders_are_in_the_confidence_histogram(frame: pd.DataFrame) -> None:
    edges, heights = counts.pseudo_confidences(frame)
    assert heights.sum() == (frame["gender_from"] == "pseudo").sum() > 0
    assert edges[0] == 0.5
    low = make_manifest([row("folder", "a.jpg", gender="male", gender_from="pseudo", gender_confidence=0.2)])
    assert counts.pseudo_confidences(low)[0][0] == 0


def test_folds_are_counted_and_a_split_person_is_seen(frame: pd.DataFrame) -> None:
    table = tallies.fold_counts(frame)
    assert list(table.index) == [0, 1, 2]
    assert (table["photos"] + table["variants"]).sum() == len(frame)
    assert table.loc[0, list(MASK_STATES)].sum() == pytest.approx(1)
    assert table.loc[0, list(GENDERS)].sum() <= 1
    assert table.loc[0, list(AGE_GROUPS)].sum() <= 1
    assert tallies.fold_classes(frame).sum().sum() == frame["label"].notna().sum()
    assert tallies.split_persons(frame) == 0
    moved = frame.copy()
    moved.loc[0, "fold"] = 2
    assert tallies.split_persons(moved) == 1


def test_a_fold_that_lacks_a_class_has_a_smallest_of_zero() -> None:
    frame = make_manifest([row("folder", "a.jpg", fold=0, **LABELLED), row("folder", "b.jpg", **LABELLED)])
    table = tallies.fold_counts(frame)
    assert list(table["smallest"]) == [0]
    assert list(table["classes"]) == [1]
    assert list(table["photos"]) == [1]


def test_refusals_by_stage_and_reason_the_frequent_first() -> None:
    lines = [("f:b", "mask", "no_face"), ("f:a", "mask", "no_face"), ("f:c", "mask", "cut_off"), ("f:d", "find", "x")]
    table = tallies.refusal_counts(
        make_refusals({"photo_id": p, "stage": s, "reason": r, "detail": f"of {p}"} for p, s, r in lines), examples=1
    )
    assert table[["stage", "reason", "count"]].to_numpy().tolist() == [
        ["find", "x", 1],
        ["mask", "no_face", 2],
        ["mask", "cut_off", 1],
    ]
    assert table.loc[1, "examples"] == ["f:a"]
    assert table.loc[1, "detail"] == "of f:a"


def test_a_licence_wholly_left_out_still_stands_in_the_table() -> None:
    frame = make_manifest([row("folder", "a.jpg"), row("folder", "b.jpg")])
    excluded = pd.DataFrame(
        [["mega-age", "LicenseRef-x", "non_commercial", 7, "its terms"]], columns=NO_EXCLUSIONS.columns
    )
    table = tallies.licence_counts(frame, excluded).set_index("source")
    assert table.loc["folder", ["kept", "excluded", "why"]].to_list() == [2, 0, ""]
    assert table.loc["mega-age", ["kept", "excluded", "why"]].to_list() == [0, 7, "its terms"]


def test_an_empty_manifest_counts_to_nothing(empty: pd.DataFrame) -> None:
    assert counts.class_counts(empty, "competition")["after"].to_list() == [0] * 18
    assert counts.axis_counts(empty, "competition")["after_share"].to_list() == [0.0] * 11
    assert len(counts.source_counts(empty, "competition")) == 0
    assert counts.age_histogram(empty).sum().sum() == 0
    assert counts.variant_counts(empty).empty
    assert counts.coverage(empty).empty
    assert tallies.fold_counts(empty).empty
    assert tallies.refusal_counts(pd.DataFrame()).empty
    assert tallies.licence_counts(empty, pd.DataFrame()).empty


def test_figures_read_as_people_write_them() -> None:
    assert number(1234567) == "1,234,567"
    assert number(None) == number(math.nan) == "–"
    assert (share(0.1234), share(0.0001), share(0.0), share(1.0)) == ("12.3 %", "<0.1 %", "0.0 %", "100.0 %")
    assert (times(2.549), times(1234.4), times(math.nan)) == ("×2.5", "×1,234", "–")


def test_what_cannot_be_seen_is_shown() -> None:
    assert visible("a\x00b\u202ec\udcff\n") == "a\ufffdb\ufffdc\ufffd\ufffd"
    assert visible("한국 사람 'né' \"x\" <b>") == "한국 사람 'né' \"x\" <b>"
    assert visible("abcdefghij", 5) == "ab…ij"
    assert len(visible("x" * 99, 26)) == 26
