from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.errors import FoldLeakError, UsageError
from datasets.folds import assign_folds, check_folds
from datasets.manifest import make_manifest
from tests.datasets.builders import row


def people(count, photos=2):
    return [row(f"{i}/{j}.jpg", person_id=f"folder:{i}") for i in range(count) for j in range(photos)]


def dealt(manifest, **options):
    return manifest.assign(fold=assign_folds(manifest, **options))


def test_a_person_has_one_fold():
    manifest = dealt(make_manifest(people(40, photos=3)))
    assert (manifest.groupby("person_id")["fold"].nunique() == 1).all()
    assert manifest["fold"].dtype == "Int64"
    check_folds(manifest)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(2, 9), st.integers(0, 3))
def test_a_person_keeps_the_fold_whoever_else_is_there(kept, n_folds, seed):
    frame = pd.DataFrame(people(61, photos=1)).assign(parent_id=pd.Series([None] * 61, dtype="str"))
    everyone = assign_folds(frame, n_folds, seed)
    some = frame.iloc[sorted(kept)[::-1]]
    assert assign_folds(some, n_folds, seed).tolist() == everyone[some.index].tolist()
    assert set(everyone) <= set(range(n_folds))


def test_folds_are_about_equal():
    frame = pd.DataFrame({"photo_id": range(5000), "person_id": [f"p{i}" for i in range(5000)]})
    counts = assign_folds(frame.assign(parent_id=None), 5).value_counts()
    assert len(counts) == 5
    # Five standard deviations of a binomial of 5000 draws at 1/5.
    assert (counts - 1000).abs().max() < 5 * 28.3


def test_seed_deals_anew():
    manifest = make_manifest(people(50))
    assert (assign_folds(manifest, seed=1) != assign_folds(manifest, seed=2)).any()
    assert assign_folds(manifest, seed=1).equals(assign_folds(manifest, seed=1))


def test_a_variant_takes_its_parents_fold_even_if_it_names_another_person():
    rows = people(30, photos=1)
    variants = [
        row(f"v{i}.jpg", photo_id=f"{parent['photo_id']}#wear1", parent_id=parent["photo_id"], recipe_id="r")
        for i, parent in enumerate(rows)
    ]
    manifest = dealt(make_manifest(rows + variants))
    assert manifest["fold"].tolist()[:30] == manifest["fold"].tolist()[30:]
    check_folds(manifest)


def test_variants_without_their_parent_go_by_their_person():
    variants = [
        row(
            f"v{i}.jpg",
            photo_id=f"folder:p{i}.jpg#1",
            parent_id=f"folder:p{i}.jpg",
            recipe_id="r",
            person_id="folder:kim",
        )
        for i in range(20)
    ]
    assert assign_folds(make_manifest(variants)).nunique() == 1


def test_leaks_are_found():
    manifest = dealt(make_manifest(people(10)))
    torn = manifest.copy()
    torn.loc[0, "fold"] = (torn.loc[0, "fold"] + 1) % 5
    with pytest.raises(FoldLeakError, match="1 people are in more than one fold, such as 'folder:0'"):
        check_folds(torn)
    parent, variant = row("p.jpg"), row("v.jpg", parent_id="folder:p.jpg", recipe_id="r", person_id="folder:other")
    apart = make_manifest([{**parent, "fold": 0}, {**variant, "fold": 1}])
    with pytest.raises(FoldLeakError, match="a variant and its parent"):
        check_folds(apart)


def test_rows_without_a_fold_are_no_leak():
    manifest = dealt(make_manifest(people(3)))
    manifest.loc[0, "fold"] = pd.NA
    check_folds(manifest)
    others = manifest.index[manifest["person_id"] != manifest.loc[0, "person_id"]]
    manifest.loc[others[0], "fold"] = (manifest.loc[others[0], "fold"] + 1) % 5
    with pytest.raises(FoldLeakError):
        check_folds(manifest)


def test_at_least_two_folds():
    with pytest.raises(UsageError, match="at least 2"):
        assign_folds(make_manifest([row()]), n_folds=1)
    assert len(assign_folds(make_manifest([]))) == 0
