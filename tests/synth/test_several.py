"""Several people in a photo, all of them masked."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from datasets.portraits import Portrait
from synth import Face, MaskEngine, PhotoRefusedError
from synth.arrays import BoolArray, RgbImage
from synth.framing import Size
from synth.several import within
from synth.warp import Region
from tests.synth.builders import paint

ENGINE = MaskEngine(faces="all")


def pair(gap: int = 0, height: int = 340) -> tuple[RgbImage, list[Face]]:
    """Two painted people side by side, the left one nearer to the camera."""
    left, right = paint(size=(300, 340)), paint(size=(300, 340), unit=60.0, person=2)
    between = np.full((340, gap, 3), 120, np.uint8)
    rgb = np.hstack([left.rgb, between, right.rgb])[:height]
    return np.ascontiguousarray(rgb), [
        Face.from_landmarks(left.landmarks),
        Face.from_landmarks(right.landmarks + np.array([300 + gap, 0])),
    ]


def halves(mask: BoolArray) -> tuple[bool, bool]:
    return bool(mask[:, :300].any()), bool(mask[:, 300:].any())


@pytest.mark.parametrize("style", ["correct", "nose_out", "chin"])
def test_everybody_is_masked_alike(style: str) -> None:
    rgb, faces = pair()
    ready = ENGINE.prepare(rgb, found=faces)
    masked = ENGINE.mask(ready, wear=style, mask="surgical", seed=3)
    assert halves(masked.touched) == (True, True)
    assert np.array_equal(masked.rgb[~masked.touched], rgb[~masked.touched])
    assert masked.wear_style == style
    alone = ENGINE.mask(ENGINE.prepare(rgb, found=faces[:1]), wear=style, mask="surgical", seed=3)
    assert halves(alone.touched) == (True, False)
    assert np.array_equal(masked.rgb[:, :290], alone.rgb[:, :290])
    assert masked.coverage.mouth <= alone.coverage.mouth
    assert masked.coverage.eyes >= alone.coverage.eyes


def test_the_same_seed_masks_everybody_the_same() -> None:
    rgb, faces = pair()
    one, two = (ENGINE.mask(ENGINE.prepare(rgb, found=faces), seed=5) for _ in range(2))
    assert np.array_equal(one.rgb, two.rgb)


def test_without_a_mask_nobody_is_touched() -> None:
    rgb, faces = pair()
    assert np.array_equal(ENGINE.mask(ENGINE.prepare(rgb, found=faces), wear="not_wear").rgb, rgb)


def test_a_face_that_cannot_be_masked_refuses_the_photo_and_says_which() -> None:
    rgb, faces = pair()
    tiny = Face(faces[1].box, (faces[1].landmarks - faces[1].landmarks.mean(0)) * 0.2 + faces[1].landmarks.mean(0))
    with pytest.raises(PhotoRefusedError, match=r"one at \d+, \d+ .*face_too_small") as caught:
        ENGINE.prepare(rgb, found=[faces[0], tiny])
    assert caught.value.reason == "several_faces"


def test_a_passer_by_far_off_is_left_alone() -> None:
    rgb, faces = pair()
    small = Face.from_landmarks((faces[1].landmarks - [450, 120]) * 0.3 + [450, 120])
    assert ENGINE.prepare(rgb, found=[faces[0], small]).others == ()


def test_those_outside_the_frame_are_not_masked() -> None:
    rgb, faces = pair(gap=400)
    assert ENGINE.prepare(rgb, found=faces, size=Size(192, 256)).others == ()


def test_only_the_finished_photo_is_kept_of_those_in_between() -> None:
    rgb, faces = pair()
    masked = ENGINE.mask(ENGINE.prepare(rgb, found=faces), mask="surgical", seed=5)
    assert len(masked.drawn) == 2
    assert all(each.rgb is masked.rgb for each in masked.drawn)
    assert [halves(np.pad(each.touched, _around(each.region, rgb.shape))) for each in masked.drawn] == [
        (True, False),
        (False, True),
    ]


def _around(region: Region, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """What to pad a region's pixels by, so that they lie where they do in the photo."""
    return (region.y0, shape[0] - region.y1), (region.x0, shape[1] - region.x1)


@pytest.mark.parametrize("width", [224, 256, 300])
def test_a_frame_that_cuts_through_somebody_refuses_the_photo(width: int) -> None:
    _, faces = pair()
    near = [faces[0], faces[1].moved(np.array([[1.0, 0.0, 300.0 - width], [0.0, 1.0, 0.0]]))]
    face = near[1].landmarks
    with pytest.raises(PhotoRefusedError, match=r"cut_off") as caught:
        within(near[1:], (340, int(face[:, 0].mean()) + 10, 3), ENGINE.gate)
    assert caught.value.reason == "several_faces"
    assert within(near[1:], (340, int(face[:, 0].mean()) - 10, 3), ENGINE.gate) == []


def test_faces_down_to_a_quarter_of_the_largest_are_looked_for(drawn: tuple[Portrait, ...]) -> None:
    small = cv2.resize(drawn[1].rgb, (120, 160), interpolation=cv2.INTER_AREA)
    both = np.full((360, 480, 3), 128, np.uint8)
    both[20:340, 200:440], both[120:280, 40:160] = drawn[0].rgb, small
    masked = ENGINE.mask(both, mask="surgical", seed=1)
    assert masked.touched[:, :170].any()
    assert masked.touched[:, 230:].any()
