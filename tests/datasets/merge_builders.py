"""Small merges, and what came of them."""

from __future__ import annotations

from datasets.duplicates.table import make_duplicates, write_duplicates
from datasets.identities import PEOPLE
from datasets.merge import MergeOptions, merge
from tests.datasets.builders import row, save_manifest

SAME = "ab" * 32
FILES = ("manifest.parquet", "manifest.csv", "refusals.csv", PEOPLE)


def outputs(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def merged(inputs, out, rules="research", **options):
    return merge(inputs, out, rules=rules, options=MergeOptions(**options))


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


def two_sources(folder):
    """Two sources of six photos each, every one a person of its own; those of the first have a gender."""
    save_manifest(folder / "a", [row(f"{i}", source="a", gender="male", age=30.0) for i in range(6)])
    save_manifest(folder / "b", [row(f"{i}", source="b", age=30.0) for i in range(6)])
    return [folder / "a", folder / "b"]
