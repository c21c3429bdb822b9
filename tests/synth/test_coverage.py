"""Measuring what is covered, on opacities painted by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from synth.coverage import Coverage, measure, worn_style
from synth.face import Face
from synth.warp import Region
from tests.synth.builders import paint

FACE = paint()
SHAPE = FACE.rgb.shape
WHOLE = Region(0, 0, SHAPE[1], SHAPE[0])


def known() -> Face:
    return Face.from_landmarks(FACE.landmarks)


def test_nothing_covers_nothing_and_all_covers_all() -> None:
    assert measure(np.zeros(SHAPE[:2]), WHOLE, known(), SHAPE) == Coverage(0, 0, 0, 0)
    seen = measure(np.ones(SHAPE[:2]), WHOLE, known(), SHAPE)
    assert (seen.nose, seen.mouth, seen.chin, seen.eyes) == (1, 1, 1, 1)


def test_the_area_is_a_share_of_the_face() -> None:
    face = np.zeros(SHAPE[:2], np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(np.round(FACE.landmarks).astype(np.int32)), 1)
    assert measure(face.astype(np.float32), WHOLE, known(), SHAPE).area == pytest.approx(1, abs=0.03)
    assert measure(face * np.float32(0.25), WHOLE, known(), SHAPE).area == pytest.approx(0.25, abs=0.01)


def test_what_is_half_transparent_counts_half() -> None:
    seen = measure(np.full(SHAPE[:2], 0.5), WHOLE, known(), SHAPE)
    assert (seen.nose, seen.mouth, seen.chin, seen.eyes) == pytest.approx((0.5,) * 4)


def test_each_part_is_measured_where_it_is() -> None:
    for part, points in {"nose": [30, 31, 32, 33, 34, 35], "mouth": range(48, 60), "eyes": range(36, 42)}.items():
        outline = FACE.landmarks[list(points)]
        region = Region.around(outline, 2, SHAPE)
        seen = measure(np.ones((region.height, region.width)), region, known(), SHAPE)
        assert getattr(seen, part) == pytest.approx(1)
        assert all(getattr(seen, other) < 0.35 for other in {"nose", "mouth", "chin", "eyes"} - {part})


def test_half_a_mouth_is_half_covered() -> None:
    middle = int(FACE.landmarks[48:60, 0].mean().round())
    alpha = np.zeros(SHAPE[:2])
    alpha[:, :middle] = 1
    assert measure(alpha, WHOLE, known(), SHAPE).mouth == pytest.approx(0.5, abs=0.03)


def test_a_region_counts_the_same_as_the_whole_photo_around_it() -> None:
    rng = np.random.default_rng(0)
    region = Region(60, 90, 260, 300)
    alpha = rng.uniform(0, 1, (region.height, region.width))
    full = np.zeros(SHAPE[:2])
    full[region.slices] = alpha
    assert measure(alpha, region, known(), SHAPE) == measure(full, WHOLE, known(), SHAPE)


def test_a_part_outside_the_photo_is_uncovered() -> None:
    away = Face.from_landmarks(np.add(FACE.landmarks, [2000, 0]))
    seen = measure(np.ones(SHAPE[:2]), WHOLE, away, SHAPE)
    assert (seen.nose, seen.mouth, seen.chin, seen.eyes) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("seen", "style"),
    [
        (Coverage(1, 1, 1, 0), "correct"),
        (Coverage(0.0, 1, 1, 0), "nose_out"),
        (Coverage(0.0, 0.0, 0.9, 0), "chin"),
        (Coverage(0.0, 0.0, 0.6, 0, 0.3), "chin"),
        (Coverage(0.0, 0.0, 0.5, 0, 0.3), None),
        (Coverage(0.0, 0.0, 0.0, 0), "not_wear"),
        (Coverage(1, 1, 1, 0.3), None),
        (Coverage(0.6, 1, 1, 0), None),
        (Coverage(1, 0.5, 1, 0), None),
        (Coverage(0, 0.5, 1, 0), None),
        (Coverage(1, 1, 0, 0), "chin_out"),
        (Coverage(1, 1, 0.5, 0), None),
        (Coverage(0, 0, 0.2, 0), None),
        (Coverage(0, 0, 0.2, 0, 0.3), "hanging"),
        (Coverage(0, 0, 0.3, 0, 0.3), None),
        (Coverage(0, 0, 0, 0, 0.04), None),
        (Coverage(0.4, 0, 0, 1, 0.4), "over_eyes"),
        (Coverage(0.4, 0.3, 0, 1, 0.4), None),
        (Coverage(0, 0, 0, 0.5, 0.3), None),
    ],
)
def test_the_style_follows_from_what_is_covered(seen: Coverage, style: str | None) -> None:
    assert worn_style(seen) == style
