from __future__ import annotations

import pytest

from datasets.errors import ManifestError, UsageError
from datasets.folds import check_folds
from datasets.identities import PEOPLE, join_people, read_people
from datasets.merge import merge
from tests.datasets.builders import row, save_manifest
from tests.datasets.merge_builders import SAME, merged, near, outputs, refused, two_sources


@pytest.fixture
def sources(tmp_path):
    return two_sources(tmp_path)


def test_of_near_duplicates_the_better_labelled_is_kept(sources, tmp_path):
    result = merged(sources, tmp_path / "out", duplicates=near(tmp_path / "d", ("b:1", "a:1")))
    assert refused(result) == {"b:1": "near_duplicate"}
    assert result.refusals["detail"].tolist() == ["same picture as a:1"]
    assert len(result.manifest) == 11


def test_of_equally_labelled_ones_the_larger_is_kept(tmp_path):
    save_manifest(tmp_path / "a", [row("1", source="a", width=100, height=100)])
    save_manifest(tmp_path / "b", [row("1", source="b", width=300, height=300), row("2", source="b", width=10)])
    pairs = near(tmp_path / "d", ("a:1", "b:1"), ("a:1", "b:2"))
    result = merged([tmp_path / "a", tmp_path / "b"], tmp_path / "out", duplicates=pairs)
    assert result.manifest["photo_id"].tolist() == ["b:1"]
    assert refused(result) == {"a:1": "near_duplicate", "b:2": "near_duplicate"}


def test_a_pair_may_name_a_record_that_a_twin_stands_for(tmp_path):
    save_manifest(tmp_path / "a", [row("1", source="a", sha256=SAME, gender="male"), row("9", source="a")])
    save_manifest(tmp_path / "b", [row("1", source="b", sha256=SAME)])
    pairs = near(tmp_path / "d", ("b:1", "a:9"))
    result = merged([tmp_path / "a", tmp_path / "b"], tmp_path / "out", duplicates=pairs)
    assert refused(result) == {"b:1": "duplicate", "a:9": "near_duplicate"}


def test_contradictions_are_listed_and_settled_as_told(tmp_path):
    save_manifest(tmp_path / "a", [row("1", source="a", age=20.0), row("2", source="a")])
    save_manifest(tmp_path / "b", [row("1", source="b", age=70.0)])
    inputs, pairs = [tmp_path / "a", tmp_path / "b"], near(tmp_path / "d", ("a:1", "b:1"))
    kept = merged(inputs, tmp_path / "keep", duplicates=pairs)
    assert kept.manifest["photo_id"].tolist() == ["a:1", "a:2"]
    assert kept.refusals.values.tolist() == [
        ["b:1", "merge", "label_conflict", "same picture as a:1; age_group under_30 there, 60_plus here"]
    ]
    dropped = merged(inputs, tmp_path / "drop", duplicates=pairs, conflicts="drop")
    assert dropped.manifest["photo_id"].tolist() == ["a:2"]
    assert refused(dropped) == {"a:1": "label_conflict", "b:1": "label_conflict"}
    with pytest.raises(UsageError, match="conflicts must be one of keep, drop"):
        merged(inputs, tmp_path / "no", conflicts="guess")


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        # a:1 and b:1 are one file; c:1 shows the same picture, and agrees with one of them, or says nothing.
        ({"a": {"gender": "male", "sha256": SAME}, "b": {"gender": "female", "sha256": SAME}, "c": {}}, ["ac"]),
        ({"a": {"gender": "male", "sha256": SAME}, "b": {"gender": "female", "sha256": SAME}, "c": {}}, ["bc"]),
        # The one that contradicts links the two that don't.
        ({"a": {"gender": "male"}, "b": {"gender": "female"}, "c": {"gender": "male"}}, ["ab", "bc"]),
        # The best record says nothing of what the two others contradict each other in.
        ({"a": {"mask": "wear", "age": 20.0}, "b": {"gender": "female"}, "c": {"gender": "male"}}, ["ab", "ac"]),
    ],
)
def test_dropping_a_contradicted_picture_leaves_none_of_its_records(tmp_path, labels, pairs):
    for source, values in labels.items():
        save_manifest(tmp_path / source, [row("1", source=source, **values), row("2", source=source)])
    inputs = [tmp_path / source for source in labels]
    table = near(tmp_path / "d", *((f"{one}:1", f"{other}:1") for one, other in pairs))
    dropped = merged(inputs, tmp_path / "drop", duplicates=table, conflicts="drop")
    assert dropped.manifest["photo_id"].tolist() == ["a:2", "b:2", "c:2"]
    assert set(dropped.refusals["photo_id"]) == {"a:1", "b:1", "c:1"}
    told = dropped.refusals["detail"][dropped.refusals["detail"].str.startswith("records of its picture")]
    assert told.str.contains(r"gender female by \w:1, male by \w:1").tolist() == [True]
    before = outputs(tmp_path / "drop")
    merged([tmp_path / "drop", *inputs[::-1]], tmp_path / "drop", duplicates=table, conflicts="drop")
    assert outputs(tmp_path / "drop") == before
    assert len(merged(inputs, tmp_path / "keep", duplicates=table).manifest) == 4


def test_variants_are_no_near_duplicates(tmp_path):
    """Masks are what tells them apart; a table that names one, made by another program, changes nothing of it."""
    save_manifest(
        tmp_path / "a",
        [row("1", source="a", mask="not_wear"), row("2", source="a", mask="wear", parent_id="a:1", recipe_id="r")],
    )
    table = near(tmp_path / "d", ("a:1", "a:2"))
    for conflicts in ("keep", "drop"):
        result = merged([tmp_path / "a"], tmp_path / conflicts, duplicates=table, conflicts=conflicts)
        assert result.manifest["photo_id"].tolist() == ["a:1", "a:2"]


def test_people_of_duplicates_are_one_person_in_one_fold(tmp_path):
    """Two people with one file in common, in two sources: their other photos must not part."""
    for seed in range(6):
        folder = tmp_path / str(seed)
        for source in ("a", "b"):
            rows = [row(f"{i}", source=source, person_id=f"{source}:kim") for i in range(3)]
            rows += [row(f"o{i}", source=source) for i in range(4)]
            rows[0]["sha256"] = SAME
            save_manifest(folder / source, rows)
        result = merge([folder / "a", folder / "b"], folder / "out", rules="research", seed=seed)
        kim = result.manifest[result.manifest["person_id"] == "a:kim"]
        assert len(kim) == 5
        assert kim["fold"].nunique() == 1
        assert result.people["joined"] == 1
        assert read_people(folder / "out").same == {"b:kim": "a:kim"}


@pytest.mark.parametrize("kind", ["near", "same_person"])
def test_people_found_to_be_the_same_are_joined_through_chains(sources, tmp_path, kind):
    pairs = near(tmp_path / "d", ("a:3", "b:3"), ("b:3", "a:4"), kind=kind)
    result = merged(sources, tmp_path / "out", duplicates=pairs)
    people = result.manifest.set_index("photo_id")["person_id"]
    assert people["a:3"] == "a:3"
    assert len(result.manifest) == (12 if kind == "same_person" else 10)
    if kind == "same_person":
        assert people["b:3"] == people["a:4"] == "a:3"
    check_folds(result.manifest, {"b:3": "a:3", "a:4": "a:3"})


def test_who_is_known_stays_known_when_the_result_is_merged_again(sources, tmp_path):
    pairs = near(tmp_path / "d", ("a:3", "b:3"))
    merged(sources, tmp_path / "out", duplicates=pairs)
    before = outputs(tmp_path / "out")
    save_manifest(tmp_path / "c", [row("1", source="c", person_id="b:3")])
    grown = merged([tmp_path / "out", tmp_path / "c"], tmp_path / "grown")
    assert grown.manifest.set_index("photo_id").loc["c:1", "person_id"] == "a:3"
    check_folds(grown.manifest)
    merged([tmp_path / "out", *sources], tmp_path / "out", duplicates=pairs)
    assert outputs(tmp_path / "out") == before
    merged(sources[::-1], tmp_path / "other", duplicates=pairs)
    assert outputs(tmp_path / "other") == before


def test_joined_counts_ids_that_are_there(sources, tmp_path):
    """A table may know of people whom this merge hasn't."""
    pairs = near(tmp_path / "d", ("a:3", "b:3"), ("x:1", "x:2"), kind="same_person")
    assert merged(sources, tmp_path / "out", duplicates=pairs).people["joined"] == 1
    assert merged([tmp_path / "out"], tmp_path / "again").people["joined"] == 0


def test_what_is_used_after_all_is_refused_no_more(sources, tmp_path):
    save_manifest(tmp_path / "eval", [row("0", source="a")])
    pairs = near(tmp_path / "d", ("a:1", "b:1"))
    strict = merged(sources, tmp_path / "out", evaluation=[tmp_path / "eval"], duplicates=pairs)
    assert refused(strict) == {"a:0": "in_evaluation", "b:1": "near_duplicate"}
    assert refused(merged([tmp_path / "out"], tmp_path / "same")) == refused(strict)
    result = merged([tmp_path / "out", *sources], tmp_path / "again")
    assert len(result.manifest) == 12
    assert result.refusals.empty


def test_progress_is_of_manifests_and_then_of_photos(sources, tmp_path):
    told = []
    merge(sources, tmp_path / "out", rules="research", progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2), (12, 12)]


def test_chains_of_links_join_and_the_first_name_stands():
    same = join_people([("c", "b"), ("d", "c"), ("x", "x"), ("z", "y")])
    assert same == {"c": "b", "d": "b", "z": "y"}
    assert join_people([]) == {}


def test_a_broken_table_of_people_is_named(sources, tmp_path):
    merged(sources, tmp_path / "out")
    for broken in ("no json", "[]", '{"folds": 5}', '{"folds": "x", "seed": 0, "same_people": {}}'):
        (tmp_path / "out" / PEOPLE).write_text(broken)
        with pytest.raises(ManifestError, match="table of people"):
            read_people(tmp_path / "out")


def test_a_merge_never_replaces_what_it_only_reads(sources, tmp_path):
    save_manifest(tmp_path / "eval", [row("0", source="a")])
    pairs = near(tmp_path / "d", ("a:1", "b:1"))
    before = (tmp_path / "eval" / "manifest.parquet").read_bytes()
    for given in (tmp_path / "eval", tmp_path / "eval" / "manifest.parquet"):
        with pytest.raises(UsageError, match=r"holds an evaluation set, .*would be written over"):
            merged(sources, tmp_path / "eval", evaluation=[given])
    assert (tmp_path / "eval" / "manifest.parquet").read_bytes() == before
    with pytest.raises(UsageError, match="holds a table of duplicates"):
        merged(sources, pairs[0], duplicates=pairs)


def variant(name, parent, **values):
    made = {"parent_id": parent, "seed": 1, "recipe_id": "0" * 16, "wear_style": "correct"}
    return row(name, **made, mask="wear", mask_from="synthetic", **values)


def merged_both_ways(inputs, folder, duplicates):
    """The same merge with contradictions settled and with them dropped: what is left of each."""
    results = [merged(inputs, folder / rule, duplicates=duplicates, conflicts=rule) for rule in ("keep", "drop")]
    return [set(result.manifest["photo_id"]) for result in results], results


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("chain", [True, False])
def test_variants_with_a_label_that_lost_go_with_it(tmp_path, there, chain):
    """Also where their photo is in no input, as in a flow that merges nothing but variants of a source."""
    save_manifest(tmp_path / "a", [row("1", source="a", gender="male", age=30.0), row("2", source="a")])
    photos = [row("1", source="b", gender="female"), row("2", source="b", gender="male")] if there else []
    made = [variant(f"{n}-x", f"b:{n}", source="b", gender=g) for n, g in ((1, "female"), (2, "male"))]
    save_manifest(tmp_path / "b", [*photos, *made])
    linked = [("a:1", "c:9"), ("c:9", "b:1")] if chain and not there else [("a:1", "b:1")]
    pairs = near(tmp_path / "d", *linked, ("a:2", "b:2"))
    (kept, left), (result, _) = merged_both_ways([tmp_path / "a", tmp_path / "b"], tmp_path, pairs)
    assert {"a:1", "b:2-x"} <= kept
    assert refused(result)["b:1-x"] == "contested"
    assert "its picture is that of a:1; gender male there, female here" in result.refusals["detail"].tolist()
    assert not {"a:1", "b:1", "b:1-x"} & left
    assert "b:2-x" in left


def test_variants_of_a_dropped_photo_go_with_it(tmp_path):
    save_manifest(tmp_path / "a", [row("1", source="a", age=20.0), variant("1-x", "a:1", source="a", age=20.0)])
    photos = [row("1", source="b", age=70.0), row("2", source="b", age=70.0)]
    save_manifest(tmp_path / "b", [*photos, variant("3-x", "b:3", source="b")])
    inputs, pairs = [tmp_path / "a", tmp_path / "b"], near(tmp_path / "d", ("a:1", "b:1"), ("a:1", "b:3"))
    (_, left), (_, result) = merged_both_ways(inputs, tmp_path, pairs)
    assert left == {"b:2"}
    assert refused(result)["a:1-x"] == refused(result)["b:3-x"] == "contested"


def test_variants_of_two_photos_of_one_picture_that_are_in_no_input(tmp_path):
    for source, gender in (("b", "female"), ("c", "male"), ("d", "female")):
        save_manifest(tmp_path / source, [variant("1-x", f"{source}:1", source=source, gender=gender)])
    inputs, pairs = [tmp_path / name for name in "bcd"], near(tmp_path / "t", ("b:1", "c:1"))
    (kept, left), _ = merged_both_ways(inputs, tmp_path, pairs)
    assert kept == {"b:1-x", "d:1-x"}
    assert left == {"d:1-x"}
    people = near(tmp_path / "p", ("b:1", "c:1"), kind="same_person")  # two pictures, which may say what they like
    assert len(merged(inputs, tmp_path / "same", duplicates=people).manifest) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"gender_from": "pseudo", "gender_confidence": 0.99}, {"gender_from": "given"}),
        ({"gender_from": "pseudo", "gender_confidence": 0.7}, {"gender_from": "pseudo", "gender_confidence": 0.9}),
    ],
)
def test_of_a_photo_without_a_label_the_surest_variant_s_counts(tmp_path, first, second):
    save_manifest(tmp_path / "a", [row("1", source="a", age=30.0, width=900)])
    save_manifest(tmp_path / "b", [variant("1-x", "b:1", source="b", gender="female", **first)])
    save_manifest(tmp_path / "c", [variant("1-x", "c:1", source="c", gender="male", **second)])
    inputs = [tmp_path / name for name in "abc"]
    result = merged(inputs, tmp_path / "out", duplicates=near(tmp_path / "t", ("a:1", "b:1"), ("a:1", "c:1")))
    assert refused(result) == {"b:1-x": "contested"}
    assert result.refusals["detail"].tolist() == ["its picture is that of a:1; gender male by c:1-x, female here"]


def test_a_variant_from_before_its_photo_was_corrected_goes(tmp_path):
    corrected = {"gender": "male", "gender_from": "corrected"}
    save_manifest(tmp_path / "a", [row("1", source="a", **corrected)])
    old = row("1", source="a", gender="female", gender_from="pseudo")
    save_manifest(tmp_path / "b", [old, variant("1-x", "a:1", source="a", gender="female")])
    result = merged([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert result.manifest[["photo_id", "gender"]].values.tolist() == [["a:1", "male"]]
    assert refused(result)["a:1-x"] == "contested"


def test_what_is_decided_anew_is_not_refused_for_an_old_reason_too(tmp_path):
    save_manifest(tmp_path / "a", [row("1", source="a", gender="male")])
    save_manifest(tmp_path / "b", [row("1", source="b")])
    save_manifest(tmp_path / "e", [row("1", source="b")])
    inputs, out = [tmp_path / "a", tmp_path / "b"], tmp_path / "out"
    merged(inputs, out, evaluation=[tmp_path / "e"])
    result = merged([out, *inputs], tmp_path / "again", duplicates=near(tmp_path / "d", ("a:1", "b:1")))
    assert result.refusals[["photo_id", "reason"]].values.tolist() == [["b:1", "near_duplicate"]]
