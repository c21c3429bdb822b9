from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from datasets.duplicates.table import make_duplicates, write_duplicates
from datasets.manifest import make_manifest, make_refusals
from datasets.merge import MergeOptions, merge
from datasets.settling import Conflicts
from pipelines.report import write_report
from pipelines.report.pairs import LISTED, PICTURED, other_photo, pairs
from tests.datasets.builders import row as plain
from tests.datasets.builders import save_manifest
from tests.pipelines.report_builders import NO_EXCLUSIONS, Page, draw, row, variant


def refusal(photo_id: str, reason: str, detail: str, stage: str = "merge") -> dict[str, str]:
    return {"photo_id": photo_id, "stage": stage, "reason": reason, "detail": detail}


@pytest.mark.parametrize(
    ("detail", "found"),
    [
        ("same bytes as a:x.jpg", "a:x.jpg"),
        ("same bytes as a:x.jpg; gender male there, female here", "a:x.jpg"),
        ("same picture as b:my photos (1), old/x y; z.jpg; mask wear there", "b:my photos (1), old/x y; z.jpg"),
        ("same bytes as a:x.jpg#wear1 (twice)", "a:x.jpg#wear1"),
        ("its photo shows a:x.jpg; gender male there, female here", "a:x.jpg"),
        ("looks like c:unknown.jpg", None),
        ("", None),
    ],
)
def test_the_other_photo_is_read_off_the_detail(detail: str, found: str | None) -> None:
    ids = {"a:x.jpg", "a:x.jpg#wear1", "b:my photos (1), old/x y; z.jpg"}
    assert other_photo(detail, ids) == found


def test_kept_and_dropped_stand_side_by_side_contradictions_first(tmp_path: Path) -> None:
    frame = make_manifest(
        [row("a", "1.jpg", mask="wear", gender="male", age=41.0), row("a", "2.jpg"), row("a", "3.jpg")]
    )
    draw(tmp_path, frame)
    Image.new("RGB", (50, 50), "blue").save(tmp_path / "elsewhere.png")
    refused = make_refusals(
        [
            refusal("b:1.jpg", "duplicate", "same bytes as a:2.jpg"),
            refusal("c:9.jpg", "near_duplicate", "same picture as a:3.jpg"),
            refusal("b:7.jpg", "label_conflict", "same bytes as a:1.jpg; gender male there, female here"),
            refusal("b:8.jpg", "licence", "left out"),
            refusal("b:x", "label_conflict", "two rows of train.csv with different labels", stage="labels"),
        ]
    )
    found = pairs(refused, frame, tmp_path, {"c:9.jpg": tmp_path / "elsewhere.png"})
    assert found is not None
    shown = found["pictured"]
    assert [(pair.dropped.photo_id, pair.other.photo_id) for pair in shown] == [
        ("b:7.jpg", "a:1.jpg"), ("b:1.jpg", "a:2.jpg"), ("c:9.jpg", "a:3.jpg")
    ]  # fmt: skip
    assert [pair.contradicts for pair in shown] == [True, False, False]
    assert shown[0].other.labels == "wear · male · 41 years"
    assert shown[1].other.picture == shown[1].dropped.picture
    assert shown[2].other.picture != shown[2].dropped.picture
    assert None not in (shown[2].other.picture, shown[2].dropped.picture)
    assert {pair.standing for pair in shown} == {"kept"}
    assert found["text"] == (
        "3 photos were left out because each shows what another photo shows, and in 1 pair the labels contradict each "
        "other. What was kept is the better labelled photo."
    )
    assert len(found["conflicts"]) == 1


def merged(
    folder: Path, photos: dict[str, dict[str, Any]], conflicts: Conflicts, near: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """The section on duplicates of a real merge of photos, labels by id; those of one `sha256` are the same file."""
    by_source: dict[str, list[dict[str, Any]]] = {}
    for photo_id, values in photos.items():
        source, _, name = photo_id.partition(":")
        by_source.setdefault(source, []).append(plain(name, source=source, **values))
    for source, rows in by_source.items():
        save_manifest(folder / source, rows)
    table = [
        {"kind": "near", "first": a, "second": b, "first_person": a, "second_person": b, "score": 0.9,
         "mirrored": False, "conflict": ""}
        for a, b in near
    ]  # fmt: skip
    write_duplicates(make_duplicates(table), folder / "d")
    options = MergeOptions(duplicates=[folder / "d"], conflicts=conflicts)
    made = merge([folder / source for source in by_source], folder / "out", rules="research", options=options)
    found = pairs(made.refusals, made.manifest, folder / "out", {})
    assert found is not None
    return found


SAME, OTHER = {"sha256": "ab" * 32}, {"sha256": "cd" * 32}
CLASH: dict[str, dict[str, Any]] = {
    "a:1.jpg": {**SAME, "gender": "male", "age": 30.0},
    "b:1.jpg": {**SAME, "gender": "female"},
    "a:2.jpg": {},
}
TAME: dict[str, dict[str, Any]] = {"a:3.jpg": {**OTHER, "gender": "male"}, "b:3.jpg": OTHER}


def test_contradicting_photos_that_were_kept_are_said_to_be(tmp_path: Path) -> None:
    found = merged(tmp_path, CLASH, "keep")
    assert [(pair.dropped.photo_id, pair.other.photo_id, pair.standing) for pair in found["conflicts"]] == [
        ("b:1.jpg", "a:1.jpg", "kept")
    ]
    assert found["text"].startswith("1 photo was left out because it shows what another photo shows, and in 1 pair")
    assert found["text"].endswith("What was kept is the better labelled photo.")


def test_nothing_is_said_to_be_kept_that_was_dropped(tmp_path: Path) -> None:
    found = merged(tmp_path, CLASH, "drop")
    (pair,) = found["conflicts"]
    assert (pair.dropped.photo_id, pair.other.photo_id, pair.standing) == ("b:1.jpg", "a:1.jpg", "left out too")
    assert pair.other.labels == "–"
    assert pair.detail == "same bytes as a:1.jpg; gender male there, female here"
    assert found["text"].endswith("What it shows was left out altogether: no photo of it was kept.")


def test_pairs_of_which_one_was_kept_and_pairs_of_which_none_was_are_told_apart(tmp_path: Path) -> None:
    found = merged(tmp_path, CLASH | TAME, "drop")
    assert [pair.standing for pair in found["conflicts"]] == ["left out too"]
    assert found["text"] == (
        "2 photos were left out because each shows what another photo shows, and in 1 pair the labels contradict each "
        "other. What became of the better labelled photos: 1 kept, 1 left out too."
    )


def test_a_double_of_a_double_is_shown_with_what_was_kept_of_all_three(tmp_path: Path) -> None:
    third: dict[str, dict[str, Any]] = {"c:9.jpg": {"gender": "male", "age": 30.0, "mask": "wear"}}
    found = merged(tmp_path, TAME | third, "keep", near=[("a:3.jpg", "c:9.jpg")])
    assert found["text"].endswith("What was kept is the better labelled photo.")
    frame = make_manifest([row("c", "9.jpg")])
    draw(tmp_path, frame)
    refused = make_refusals(
        [
            refusal("b:3.jpg", "duplicate", "same bytes as a:3.jpg"),
            refusal("a:3.jpg", "near_duplicate", "same picture as c:9.jpg"),
        ]
    )
    again = pairs(refused, frame, tmp_path, {})
    assert again is not None
    assert again["text"] == found["text"]
    assert [(pair.other.photo_id, pair.standing) for pair in again["pictured"]] == [("c:9.jpg", "kept")] * 2


def test_a_photo_that_is_there_by_its_variants_was_kept_as_such(tmp_path: Path) -> None:
    refused = make_refusals([refusal("b:3.jpg", "duplicate", "same bytes as a:3.jpg")])
    frame = make_manifest([variant("a", "3.jpg", "wear1", mask="wear")])
    draw(tmp_path, frame)
    found = pairs(refused, frame, tmp_path, {"b:3.jpg": tmp_path / str(frame["path"].iloc[0])})
    assert found is not None
    (pair,) = found["pictured"]
    assert (pair.other.photo_id, pair.standing) == ("a:3.jpg", "kept as variants")
    assert found["text"].endswith("What became of the better labelled photos: 1 kept as variants.")


def test_two_that_name_each_other_come_to_an_end(tmp_path: Path) -> None:
    lines = [("a:1.jpg", "same bytes as b:1.jpg"), ("b:1.jpg", "same bytes as a:1.jpg")]
    refused = make_refusals(refusal(photo_id, "duplicate", detail) for photo_id, detail in lines)
    found = pairs(refused, make_manifest([]), tmp_path, {})
    assert found is not None
    assert "no photo of it was kept" in found["text"]


def test_very_many_are_counted_and_not_all_pictured(tmp_path: Path) -> None:
    frame = make_manifest([row("a", "1.jpg")])
    draw(tmp_path, frame)
    refused = make_refusals(refusal(f"b:{n:04d}.jpg", "duplicate", "same bytes as a:1.jpg") for n in range(LISTED + 50))
    found = pairs(refused, frame, tmp_path, {})
    assert found is not None
    assert len(found["pictured"]) == PICTURED
    assert "50 more are in refusals.csv" in found["more"]


@pytest.mark.parametrize("nothing", [make_refusals([]), pd.DataFrame()])
def test_no_duplicates_are_no_section(tmp_path: Path, nothing: pd.DataFrame) -> None:
    assert pairs(nothing, make_manifest([]), tmp_path, {}) is None


def test_the_page_shows_them(tmp_path: Path) -> None:
    frame = make_manifest([row("a", "1.jpg", gender="male")])
    draw(tmp_path, frame)
    refused = make_refusals(
        [refusal("b:<b>.jpg", "label_conflict", "same bytes as a:1.jpg; gender male there, female here")]
    )
    out = write_report(tmp_path / "r.html", merged=frame, root=tmp_path, refusals=refused, excluded=NO_EXCLUSIONS)
    page = Page(out.read_text(encoding="utf-8"))
    assert page.faults == []
    cells = page.row("Labels that contradict each other", "b:<b>.jpg")
    assert cells == ["a:1.jpg", "kept", "male", "same bytes as a:1.jpg; gender male there, female here"]
    assert [attrs["alt"] for attrs in page.of("img")][-2:] == ["kept: a:1.jpg", "left out: b:<b>.jpg"]
