from __future__ import annotations

import pandas as pd
import pytest

from datasets.duplicates.table import conflict_between, make_duplicates, read_duplicates, write_duplicates
from datasets.errors import ManifestError, UsageError


def pair(first, second, **values):
    known = {"kind": "near", "score": 0.98766, "mirrored": False, "conflict": ""}
    return {
        **known,
        "first": first,
        "second": second,
        "first_person": f"p{first}",
        "second_person": f"p{second}",
        **values,
    }


def test_pairs_are_turned_sorted_and_written_as_they_were(tmp_path):
    table = make_duplicates([pair("c", "b"), pair("a", "b", kind="exact", score=1), pair("b", "c")])
    assert table[["kind", "first", "second", "first_person", "second_person"]].values.tolist() == [
        ["exact", "a", "b", "pa", "pb"], ["near", "b", "c", "pb", "pc"]
    ]  # fmt: skip
    assert table["score"].tolist() == [1.0, 0.9877]
    write_duplicates(table, tmp_path)
    pd.testing.assert_frame_equal(read_duplicates(tmp_path), table)
    write_duplicates(make_duplicates([]), tmp_path)
    assert read_duplicates(tmp_path / "duplicates.csv").empty


def test_conflicts_are_told():
    one = {"mask": "wear", "gender": "male", "age_group": None}
    assert conflict_between(one, {"mask": "wear", "gender": "female", "age_group": "under_30"}) == "gender male/female"
    assert conflict_between(one, one) == ""


def test_what_is_no_table_is_named(tmp_path):
    with pytest.raises(UsageError, match="no table of duplicates at"):
        read_duplicates(tmp_path)
    (tmp_path / "duplicates.csv").write_text("kind,first\nnear,a\n")
    with pytest.raises(ManifestError, match=r"missing columns \['second', 'first_person'"):
        read_duplicates(tmp_path)
    table = make_duplicates([pair("a", "b")]).assign(kind="alike")
    write_duplicates(table, tmp_path)
    with pytest.raises(ManifestError, match="'alike'"):
        read_duplicates(tmp_path)


def test_ids_stay_texts_whatever_they_look_like(tmp_path):
    for name in ("007", "1e5", "NA", "true"):
        table = make_duplicates([pair(name, f"{name}0", first_person=name, second_person="2")])
        write_duplicates(table, tmp_path)
        pd.testing.assert_frame_equal(read_duplicates(tmp_path), table)
