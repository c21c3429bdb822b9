from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

import datasets.identities as identities
import datasets.manifest as manifests
from datasets import atomic
from datasets.duplicates.table import make_duplicates, write_duplicates
from datasets.earlier import check_apart, read_evaluation
from datasets.errors import FoldLeakError, ManifestError, UsageError
from datasets.folds import check_folds
from datasets.identities import PEOPLE, join_people, read_people
from datasets.manifest import read_manifest
from datasets.merge import MergeOptions, merge
from tests.datasets.builders import row, save_manifest

SAME = "ab" * 32
FILES = ("manifest.parquet", "manifest.csv", "refusals.csv", PEOPLE)


def outputs(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def merged(inputs, out, **options):
    return merge(inputs, out, rules="research", options=MergeOptions(**options))


def refused(result):
    return dict(result.refusals[["photo_id", "reason"]].values.tolist())


def near(folder, *pairs, kind="near"):
    """A table of pairs of photo ids, each photo a person of its own."""
    rows = [
        {"kind": kind, "first": a, "second": b, "first_person": a, "second_person": b, "score": 0.9, "mirrored": False,
         "conflict": ""}
        for a, b in pairs
    ]  # fmt: skip
    write_duplicates(make_duplicates(rows), folder)
    return [folder]


@pytest.fixture
def sources(tmp_path):
    """Two sources of which a:1 and b:1 are one picture, and b:2 another picture of a:2."""
    save_manifest(tmp_path / "a", [row(f"{i}", source="a", gender="male", age=30.0) for i in range(6)])
    save_manifest(tmp_path / "b", [row(f"{i}", source="b", age=30.0) for i in range(6)])
    return [tmp_path / "a", tmp_path / "b"]


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


def test_people_in_an_evaluation_set_never_enter(sources, tmp_path):
    """By their own id, by the bytes of a file, by a copy of a photo, and with all their other photos and variants."""
    variant = {"parent_id": "a:5", "recipe_id": "r", "person_id": "a:5", "photo_id": "a:5#1"}
    save_manifest(tmp_path / "v", [row("5#1", source="a", **variant)])
    save_manifest(
        tmp_path / "eval",
        [row("0", source="a"), row("x", source="e", sha256=read_manifest(sources[1])["sha256"][1]),
         row("y", source="e"), row("z", source="e", person_id="a:5")],
    )  # fmt: skip
    result = merged(
        [*sources, tmp_path / "v"],
        tmp_path / "out",
        evaluation=[tmp_path / "eval"],
        duplicates=near(tmp_path / "d", ("e:y", "b:2")),
    )
    gone = {"a:0", "b:1", "b:2", "a:5", "a:5#1"}
    assert refused(result) == dict.fromkeys(gone, "in_evaluation")
    assert len(result.manifest) == 13 - len(gone)
    again = merged([tmp_path / "out"], tmp_path / "again", evaluation=[tmp_path / "eval"])
    assert again.manifest["photo_id"].tolist() == result.manifest["photo_id"].tolist()


def test_who_an_evaluation_set_knows_by_another_name_never_enters(sources, tmp_path):
    """When it was merged a:3 and b:3 were found to be one person, and only a:3's id was left in it."""
    save_manifest(tmp_path / "own", [row("3", source="a"), row("9", source="e", person_id="b:3")])
    pairs = near(tmp_path / "d", ("a:3", "b:3"), kind="same_person")
    merged([tmp_path / "own"], tmp_path / "eval", duplicates=pairs)
    assert set(read_manifest(tmp_path / "eval")["person_id"]) == {"a:3"}
    result = merged([sources[1]], tmp_path / "out", evaluation=[tmp_path / "eval"])
    assert refused(result) == {"b:3": "in_evaluation"}
    assert read_people(tmp_path / "out").same == {"b:3": "a:3"}


def variant_of(parent, person):
    return row(f"{parent[2:]}#1", source="a", photo_id=f"{parent}#1", parent_id=parent, recipe_id="r", person_id=person)


def test_a_variant_goes_with_its_parents_person_wherever_the_parent_is(sources, tmp_path):
    save_manifest(tmp_path / "v", [variant_of("a:5", "a:else"), variant_of("a:4", "a:other")])
    save_manifest(tmp_path / "by_person", [row("x", source="e", person_id="a:5")])
    inputs = [*sources, tmp_path / "v"]
    result = merged(inputs, tmp_path / "one", evaluation=[tmp_path / "by_person"])
    assert refused(result) == dict.fromkeys(["a:5", "a:5#1"], "in_evaluation")
    save_manifest(tmp_path / "by_parent", [row("5", source="a")])
    alone = merged([tmp_path / "v"], tmp_path / "two", evaluation=[tmp_path / "by_parent"])
    assert alone.manifest["photo_id"].tolist() == ["a:4#1"]
    save_manifest(tmp_path / "by_variant", [variant_of("a:2", "e:kim")])
    there = merged(inputs, tmp_path / "three", evaluation=[tmp_path / "by_variant"])
    assert refused(there) == {"a:2": "in_evaluation"}


def test_a_photo_of_several_inputs_has_one_parent(sources, tmp_path):
    """The same photo twice is no trouble when its variants look for it."""
    save_manifest(tmp_path / "again", [row("5", source="a"), variant_of("a:5", "a:else")])
    save_manifest(tmp_path / "eval", [row("x", source="e", person_id="a:5")])
    result = merged([*sources, tmp_path / "again"], tmp_path / "out", evaluation=[tmp_path / "eval"])
    assert set(refused(result)) == {"a:5", "a:5#1"}


def test_a_leak_into_training_is_loud(sources, tmp_path):
    save_manifest(tmp_path / "eval", [row("0", source="e", person_id="e:kim")])
    manifest, evaluation = read_manifest(sources[0]), read_evaluation([tmp_path / "eval"])
    check_apart(manifest, evaluation, {})
    with pytest.raises(FoldLeakError, match="1 photos show people or files of an evaluation set"):
        check_apart(manifest, evaluation, {"e:kim": "a:3"})
    copied = replace(evaluation, photos=evaluation.photos.assign(sha256=manifest["sha256"].iloc[2]))
    with pytest.raises(FoldLeakError, match="such as 'a:2'"):
        check_apart(manifest, copied, {})


def test_folds_that_contradict_each_other_follow_most_photos(tmp_path):
    """Kim and Lee were dealt apart, and turn out to be one person."""
    kim = [row(f"k{i}", source="a", person_id="a:kim", fold=1) for i in range(3)]
    lee = [row(f"l{i}", source="a", person_id="a:lee", fold=0) for i in range(2)]
    save_manifest(tmp_path / "old", [*kim, *lee, row("x", source="a", fold=2)])
    pairs = [
        {"kind": "same_person", "first": "a:k0", "second": "a:l0", "first_person": "a:kim", "second_person": "a:lee",
         "score": 0.2, "mirrored": False, "conflict": ""}
    ]  # fmt: skip
    write_duplicates(make_duplicates(pairs), tmp_path / "d")
    options = MergeOptions(duplicates=[tmp_path / "d"], folds_from=[tmp_path / "old"])
    result = merge([tmp_path / "old"], tmp_path / "new", rules="research", n_folds=3, options=options)
    assert result.people == {"joined": 1, "kept_fold": 1, "new_fold": 0, "moved_fold": 1}
    assert result.manifest.set_index("photo_id")["fold"].drop("a:x").eq(1).all()


def test_photos_of_all_ids_of_a_person_count_together_and_those_of_several_manifests_once(tmp_path):
    """Kim and Ann have two photos each in fold 1, Lee three in fold 0; all three are one person."""
    ids = {"kim": (2, 1), "ann": (2, 1), "lee": (3, 0)}
    rows = [
        row(f"{name}{i}", source="a", person_id=f"a:{name}", fold=fold)
        for name, (photos, fold) in ids.items() for i in range(photos)
    ]  # fmt: skip
    save_manifest(tmp_path / "old", rows)
    lee = [each for each in rows if each["person_id"] == "a:lee"]
    save_manifest(tmp_path / "again", [*lee, row("x", source="a", fold=1)])
    pairs = near(tmp_path / "d", ("a:kim", "a:lee"), ("a:ann", "a:kim"), kind="same_person")
    inputs = [tmp_path / "old", tmp_path / "again"]
    options = MergeOptions(duplicates=pairs)
    manifest = merge(inputs, tmp_path / "new", rules="research", n_folds=2, options=options).manifest
    assert set(manifest["person_id"]) == {"a:ann", "a:x"}
    assert manifest["fold"].tolist() == [1] * 8


def test_named_folds_come_before_those_of_the_inputs(tmp_path):
    kim = {"source": "a", "person_id": "a:kim"}
    save_manifest(tmp_path / "in", [row(f"{i}", **kim, fold=0) for i in range(3)] + [row("x", source="a", fold=1)])
    save_manifest(tmp_path / "named", [row("0", **kim, fold=1), row("y", source="a", fold=0)])
    options = MergeOptions(folds_from=[tmp_path / "named"])
    result = merge([tmp_path / "in"], tmp_path / "out", rules="research", n_folds=2, options=options)
    folds = result.manifest.set_index("photo_id")["fold"]
    assert folds[["a:0", "a:1", "a:2", "a:x"]].tolist() == [1, 1, 1, 1]
    assert result.people == {"joined": 0, "kept_fold": 1, "new_fold": 0, "moved_fold": 1}


def test_another_seed_forgets_the_folds_of_the_inputs(sources, tmp_path):
    first = merged(sources, tmp_path / "first")
    again = merge([tmp_path / "first"], tmp_path / "again", rules="research", seed=5)
    assert again.people == {"joined": 0, "kept_fold": 0, "new_fold": 12, "moved_fold": 0}
    assert (again.manifest["fold"] != first.manifest["fold"]).any()


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


OWN = MergeOptions(keep_own=True)


def test_a_merge_keeps_the_folds_of_the_one_it_replaces(sources, tmp_path):
    out = tmp_path / "out"
    before = merge(sources[:1], out, rules="research", options=OWN).manifest.set_index("photo_id")["fold"]
    after = merge(sources, out, rules="research", options=OWN)
    assert after.people["kept_fold"] == 6
    assert after.manifest.set_index("photo_id")["fold"][before.index].equals(before)
    assert merge(sources, out, rules="research", seed=1, options=OWN).people["kept_fold"] == 0
    anew = replace(OWN, deal_anew=True)
    assert merge(sources, out, rules="research", seed=1, options=anew).people["kept_fold"] == 0


def test_an_empty_merge_is_in_nobodys_way_and_a_broken_one_is_named(sources, tmp_path):
    out, closed = tmp_path / "out", tmp_path / "closed"
    save_manifest(closed, [row("1", source="c", licence="LicenseRef-unstated")])
    assert merge([closed], out, rules="competition", options=OWN).manifest.empty
    assert merge(sources, out, rules="competition", options=OWN).people["new_fold"] == 12
    for name in ("manifest.parquet", PEOPLE):
        kept = (out / name).read_bytes()
        (out / name).write_bytes(b"broken")
        with pytest.raises(ManifestError, match=r"would lose their folds: name another folder, or deal all anew"):
            merge(sources, out, rules="competition", options=OWN)
        (out / name).write_bytes(kept)
    (out / PEOPLE).write_bytes(b"broken")
    anew = merge(sources, out, rules="competition", options=replace(OWN, deal_anew=True))
    assert anew.people["new_fold"] == 12
    assert read_people(out).folds == 5


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


class Killed(BaseException):
    pass


@pytest.mark.parametrize("seed", [0, 3])
def test_a_merge_that_is_killed_at_any_write_and_run_again_is_the_same(sources, tmp_path, monkeypatch, seed):
    """Over a merge of one source, dealt with seed 0: new people, joined people, and perhaps another seed."""
    options = MergeOptions(duplicates=near(tmp_path / "d", ("a:3", "b:3"), kind="same_person"), keep_own=True)

    def again(out):
        return merge(sources, out, rules="research", seed=seed, options=options)

    def before(name):
        merge(sources[:1], tmp_path / name, rules="research", options=OWN)
        return tmp_path / name

    again(before("whole"))
    real, writes = atomic.atomic_write, []

    @contextmanager
    def dying(path, **how):
        with real(path, **how) as temporary:
            yield temporary
        writes.append(path.name)
        if len(writes) == last:
            raise Killed

    for last in range(1, 6):
        out = before(f"killed{last}")
        writes.clear()
        with monkeypatch.context() as patched:
            for module in (identities, manifests):
                patched.setattr(module, "atomic_write", dying)
            with pytest.raises(Killed):
                again(out)
        frame, people = read_manifest(out), read_people(out)
        check_folds(frame, people.same)
        assert people.same == {"b:3": "a:3"}
        again(out)
        assert outputs(out) == outputs(tmp_path / "whole"), writes
    assert writes == [PEOPLE, "refusals.csv", "manifest.csv", "manifest.parquet", PEOPLE]


def test_progress_is_of_manifests_and_then_of_photos(sources, tmp_path):
    told = []
    merge(sources, tmp_path / "out", rules="research", progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2), (12, 12)]


def test_folds_are_kept_only_where_they_fit(sources, tmp_path):
    first = merged(sources, tmp_path / "first")
    folds = first.manifest.set_index("photo_id")["fold"]
    again = merged([tmp_path / "first"], tmp_path / "again")
    assert again.people["kept_fold"] == 12
    fewer = merge([tmp_path / "first"], tmp_path / "fewer", rules="research", n_folds=3)
    assert fewer.people["new_fold"] == 12
    anew = merge(
        [tmp_path / "first"], tmp_path / "anew", rules="research", seed=5, options=MergeOptions(deal_anew=True)
    )
    assert anew.people["new_fold"] == 12
    assert (anew.manifest.set_index("photo_id")["fold"] != folds).any()
    with pytest.raises(UsageError, match="has 5 folds and 3 are asked for"):
        merge(
            sources, tmp_path / "x", rules="research", n_folds=3, options=MergeOptions(folds_from=[tmp_path / "first"])
        )
    with pytest.raises(UsageError, match="has no folds to keep"):
        merged(sources, tmp_path / "x", folds_from=[sources[0]])


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
