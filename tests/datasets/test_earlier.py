"""What a merge knows from before: folds, people, evaluation sets; and what it leaves when it is killed."""

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
from datasets.identities import PEOPLE, read_people
from datasets.manifest import read_manifest
from datasets.merge import MergeOptions, merge
from tests.datasets.builders import row, save_manifest
from tests.datasets.merge_builders import merged, near, outputs, refused, two_sources


@pytest.fixture
def sources(tmp_path):
    return two_sources(tmp_path)


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
