from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from datasets.manifest import make_manifest, make_refusals
from pipelines.report import write_report
from pipelines.report.pairs import LISTED, PICTURED, other_photo, pairs
from tests.pipelines.report_builders import NO_EXCLUSIONS, Page, draw, row


def refusal(photo_id: str, reason: str, detail: str, stage: str = "merge") -> dict[str, str]:
    return {"photo_id": photo_id, "stage": stage, "reason": reason, "detail": detail}


@pytest.mark.parametrize(
    ("detail", "found"),
    [
        ("same bytes as a:x.jpg", "a:x.jpg"),
        ("same bytes as a:x.jpg; gender male there, female here", "a:x.jpg"),
        ("a mirrored copy of b:my photos (1), old/x y; z.jpg; 0.93 alike", "b:my photos (1), old/x y; z.jpg"),
        ("same person as a:x.jpg#wear1 (distance 0.31)", "a:x.jpg#wear1"),
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
            refusal("c:9.jpg", "near_duplicate", "0.97 alike a:3.jpg"),
            refusal("b:7.jpg", "label_conflict", "same bytes as a:1.jpg; gender male there, female here"),
            refusal("b:8.jpg", "licence", "left out"),
            refusal("b:x", "label_conflict", "two rows of train.csv with different labels", stage="labels"),
        ]
    )
    found = pairs(refused, frame, tmp_path, {"c:9.jpg": tmp_path / "elsewhere.png"})
    assert found is not None
    shown = found["pictured"]
    assert [(pair.dropped.photo_id, pair.kept.photo_id) for pair in shown] == [
        ("b:7.jpg", "a:1.jpg"), ("b:1.jpg", "a:2.jpg"), ("c:9.jpg", "a:3.jpg")
    ]  # fmt: skip
    assert [pair.contradicts for pair in shown] == [True, False, False]
    assert shown[0].kept.labels == "wear · male · 41 years"
    assert shown[1].kept.picture == shown[1].dropped.picture
    assert shown[2].kept.picture != shown[2].dropped.picture
    assert None not in (shown[2].kept.picture, shown[2].dropped.picture)
    assert "3 photos, 1 of them" in found["text"]
    assert len(found["conflicts"]) == 1


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
    assert cells == ["a:1.jpg", "male", "same bytes as a:1.jpg; gender male there, female here"]
    assert [attrs["alt"] for attrs in page.of("img")][-2:] == ["kept: a:1.jpg", "left out: b:<b>.jpg"]
