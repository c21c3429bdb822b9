"""Where faces lie: found once by content, and guessed likely where none is found."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets.portraits.draw import draw_person
from datasets.portraits.person import Person
from models.boxes import FACES, read_boxes
from pipelines import face_boxes
from pipelines.face_boxes import boxes_of_files, boxes_of_manifest, fill_in, share_of
from synth import FaceFinder
from synth.face import STEADY, Face
from tests.models.builders import row, save_rows


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return draw_person(Person("p1", "female", 35), seed=1)


def photo(folder: Path, name: str, rgb: np.ndarray, **values: Any) -> dict[str, Any]:
    Image.fromarray(rgb).save(folder / name)
    sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return row(name, name, path=name, sha256=sha256, width=rgb.shape[1], height=rgb.shape[0], **values)


def test_a_face_is_found_where_it_is_and_only_once(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    find = FaceFinder.find

    def watched(self: FaceFinder, rgb: np.ndarray, *rest: Any, **named: Any) -> list[Face]:
        looked.append(rgb.shape)
        return find(self, rgb, *rest, **named)

    monkeypatch.setattr(FaceFinder, "find", watched)
    boxes_of_manifest = partial(face_boxes.boxes_of_manifest, isolated=False)  # where it is watched
    wall = np.full((200, 200, 3), 90, np.uint8)
    rows = [photo(tmp_path, "face.png", portrait), photo(tmp_path, "wall.png", wall)]
    manifest = save_rows(tmp_path, rows)
    first = boxes_of_manifest(manifest)
    assert first.found == {"found": 1, "none": 1}
    names = [each["photo_id"] for each in rows]
    boxes = read_boxes(tmp_path, names, [each["sha256"] for each in rows])
    (face,) = find(FaceFinder(), portrait)
    expected = share_of(face, portrait.shape)
    np.testing.assert_allclose(boxes[0], expected, atol=1e-4)
    assert 0.2 < boxes[0][0] + boxes[0][2] / 2 < 0.8
    assert np.isnan(boxes[1]).all()
    times = len(looked)
    assert boxes_of_manifest(manifest).reused
    text = (tmp_path / FACES).read_bytes()
    (tmp_path / FACES).unlink()
    boxes_of_manifest(manifest)
    assert (tmp_path / FACES).read_bytes() == text
    assert len(looked) == times  # known by content


@pytest.fixture
def faceless(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nobody has a face; the hashes of the photos that were looked at."""
    looked: list[str] = []

    def find(_rgb: np.ndarray, sha256: str, _cache: Path) -> list[Face]:
        looked.append(sha256)
        return []

    monkeypatch.setattr(face_boxes, "_find", find)
    return looked


def walls(folder: Path, count: int) -> list[dict[str, Any]]:
    wall = np.full((60, 60, 3), 90, np.uint8)
    return [photo(folder, f"{each}.png", wall + each) for each in range(count)]


def look(manifest: Path) -> face_boxes.BoxesSummary:
    return boxes_of_manifest(manifest, isolated=False)


def test_a_table_that_lacks_a_photo_is_made_anew(tmp_path: Path, faceless: list[str]) -> None:
    rows = walls(tmp_path, 2)
    look(save_rows(tmp_path, rows[:1]))
    assert not look(save_rows(tmp_path, rows)).reused
    (tmp_path / FACES).write_text("nonsense")
    assert not look(save_rows(tmp_path, rows)).reused
    assert look(save_rows(tmp_path, rows)).reused


@pytest.mark.parametrize(
    "said",
    [{"person_id": "sample:other"}, {"mask": "wear"}, {"width": 61}, {"parent_id": "sample:0.png", "recipe_id": "r"}],
)
def test_a_table_made_of_what_the_manifest_said_before_is_made_anew(
    tmp_path: Path, faceless: list[str], said: dict[str, Any]
) -> None:
    first, second = walls(tmp_path, 2)
    look(save_rows(tmp_path, [first, second]))
    assert not look(save_rows(tmp_path, [first, second | said])).reused


def test_a_table_by_another_finder_is_made_anew(
    tmp_path: Path, faceless: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = save_rows(tmp_path, walls(tmp_path, 1))
    look(manifest)
    monkeypatch.setattr(FaceFinder, "identity", lambda _: "another")
    assert not look(manifest).reused
    assert look(manifest).reused


def test_photos_that_can_not_be_read_are_tried_again_until_they_can(
    tmp_path: Path, portrait: np.ndarray, faceless: list[str]
) -> None:
    rows = walls(tmp_path, 4)
    manifest = save_rows(tmp_path, rows)
    kept = {name: (tmp_path / name).read_bytes() for name in ("0.png", "1.png", "2.png")}
    (tmp_path / "0.png").write_bytes(b"broken")
    Image.fromarray(portrait[9:]).save(tmp_path / "1.png")  # another photo under its name
    (tmp_path / "2.png").unlink()
    first = look(manifest)
    assert (first.found, first.unread) == ({"none": 4}, 3)
    told = pd.read_csv(tmp_path / FACES, keep_default_na=False)["unread"].tolist()
    assert told == ["not_an_image", "changed", "unreadable", ""]
    again = look(manifest)
    assert (again.unread, again.reused) == (3, True)
    assert faceless == [rows[3]["sha256"]]  # nothing else was looked at, and that once
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    assert (look(manifest).unread, look(manifest).reused) == (0, True)
    assert {rows[each]["sha256"] for each in range(4)} == set(faceless)


def test_a_photo_that_ended_its_process_is_tried_again(
    tmp_path: Path, faceless: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_crash(_: object, items: list[Any], *, crashed: Any, **__: Any) -> list[Any]:
        return [crashed(each) for each in items]

    manifest = save_rows(tmp_path, walls(tmp_path, 1))
    with monkeypatch.context() as patch:
        patch.setattr(face_boxes, "map_files", all_crash)
        assert look(manifest).unread == 1
    assert (look(manifest).unread, len(faceless)) == (0, 2)


@pytest.mark.parametrize(("spread", "expected"), [(0.0, (0.2, 0.3, 0.4, 0.2)), (2 * STEADY, (0.1, 0.2, 0.3, 0.3))])
def test_doubtful_landmarks_give_way_to_the_detector(spread: float, expected: tuple[float, ...]) -> None:
    points = np.tile([0.3 * 200, 0.4 * 100], (68, 1))
    points[0], points[1] = (0.2 * 200, 0.3 * 100), (0.6 * 200, 0.5 * 100)
    face = Face(np.array([0.1 * 200, 0.2 * 100, 0.4 * 200, 0.5 * 100]), points, spread=spread)
    assert share_of(face, (100, 200, 3)) == pytest.approx(expected)


def filled(rows: list[tuple[str, str | None, str, str, tuple[int, int], float | None]]) -> dict[str, tuple[str, float]]:
    """How each photo's box is known, and its x; a row is photo, parent, person, source, size, and x of a face found."""
    frame = pd.DataFrame(
        [
            {"photo_id": name, "parent_id": parent, "person_id": person, "source": source, "width": w, "height": h}
            | {"mask": "not_wear" if name.endswith("#bare") else "wear"}
            for name, parent, person, source, (w, h), _ in rows
        ]
    )
    table = frame[["photo_id"]].assign(sha256="0" * 64)
    for column in ("x", "y", "width", "height"):
        table[column] = [np.nan if x is None else x for *_, x in rows]
    table["found"] = ["" if x is None else "found" for *_, x in rows]
    done = fill_in(table.assign(unread="", made_from=""), frame)
    return {name: (found, x) for name, found, x in zip(done["photo_id"], done["found"], done["x"], strict=True)}


SIZE, OTHER = (100, 120), (50, 50)


def test_a_face_that_is_not_found_is_where_it_likely_is() -> None:
    others = [(f"s:{each}", None, f"s:q{each}", "s", OTHER, 0.6) for each in range(5)]
    told = filled(
        [
            ("s:a", None, "s:p", "s", SIZE, 0.1),
            ("s:b", None, "s:p", "s", SIZE, 0.3),
            ("s:b#v", "s:b", "s:p", "s", SIZE, None),  # its photo's
            ("s:b#x", "s:b", "s:p", "s", SIZE, 0.9),  # likewise: the mask moved what was found
            ("s:b#y", "s:b", "s:p", "s", (7, 7), 0.8),  # reframed: its own
            ("s:g#z", "s:g", "s:g", "s", SIZE, 0.7),  # its photo isn't here, but a bare variant of that is
            ("s:g#bare", "s:g", "s:g", "s", SIZE, 0.5),
            ("s:b#w", "s:b", "s:p", "s", OTHER, None),  # reframed, and no other photo of that size
            ("s:c", None, "s:p", "s", SIZE, None),  # as the same person's others
            *others,
            ("t:d", None, "t:r", "t", SIZE, None),  # nothing is known of its source
            ("t:e", None, "t:r", "t", OTHER, 0.2),  # its person's, of another size
        ]
    )
    assert told["s:a"] == ("found", 0.1)
    assert told["s:b#v"] == told["s:b#x"] == ("parent", 0.3)
    assert told["s:b#y"] == ("found", 0.8)
    assert told["s:g#z"] == ("parent", 0.5)
    assert told["s:g#bare"] == ("found", 0.5)
    assert told["s:c"] == ("person", 0.2)
    assert told["s:b#w"] == ("source", 0.6)
    assert told["t:d"][0] == ""
    assert np.isnan(told["t:d"][1])


def test_with_no_face_at_all_nothing_is_guessed() -> None:
    told = filled([("s:a", None, "s:p", "s", SIZE, None), ("s:a#v", "s:a", "s:p", "s", SIZE, None)])
    assert {found for found, _ in told.values()} == {""}


def test_photos_without_a_manifest_get_boxes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_boxes, "FEWEST", 2)
    shapes = [(40, 40), (40, 80), (40, 60)]
    for at, (height, width) in enumerate(shapes):
        Image.fromarray(np.full((height, width, 3), at, np.uint8)).save(tmp_path / f"{at}.png")

    def find(rgb: np.ndarray, sha256: str, cache: Path) -> list[Face]:
        assert len(sha256) == 64
        points = np.tile([10.0, 10.0], (68, 1))
        points[1] = (30.0, 20.0)
        return [] if rgb.shape[1] == 60 else [Face.from_landmarks(points)]

    monkeypatch.setattr(face_boxes, "_find", find)
    paths = [tmp_path / f"{at}.png" for at in range(3)]
    first, second, usual, gone = boxes_of_files([*paths, tmp_path / "gone.png"], tmp_path / "cache")
    np.testing.assert_allclose(first, [0.25, 0.25, 0.5, 0.25])
    np.testing.assert_allclose(second, [0.125, 0.25, 0.25, 0.25])
    np.testing.assert_allclose(usual, (first + second) / 2)
    np.testing.assert_array_equal(usual, gone)
    monkeypatch.setattr(face_boxes, "FEWEST", 3)
    assert np.isnan(boxes_of_files(paths, tmp_path / "cache")[2]).all()
    assert boxes_of_files([], tmp_path / "cache").shape == (0, 4)
