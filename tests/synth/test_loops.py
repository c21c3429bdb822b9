"""Cords: from the mask to ears or crown, thin, hidden by the head's own side."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from synth.errors import SynthUsageError
from synth.looks import mask_type
from synth.loops import EAR, ENDS, Cords, Strap, cords, draw_loops
from synth.pose import fit_pose
from synth.shape import MEAN_FACE
from synth.surface import Outline, sheet
from synth.warp import HeadToPicture, Region
from synth.wear import get_wear_style
from tests.synth.builders import view

WORN = sheet(Outline(top=0.12, bottom=1.38, top_side=0.36, bottom_side=0.9, top_half=0.77, bottom_half=0.62))
ON_CHIN = sheet(Outline(top=1.04, bottom=1.46, top_side=0.72, bottom_side=0.95, top_half=0.76, bottom_half=0.66))
REGION = Region(0, 0, 300, 340)


def seen(yaw: float, strap: Strap = Strap(), unit: float = 90.0) -> np.ndarray:  # noqa: B008
    landmarks = view(yaw, unit=unit).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    return painted(draw_loops(cords(WORN, strap.attach), to_picture, REGION, strap))


def painted(drawn: list[Cords]) -> np.ndarray:
    """Opacity of all cords over the region."""
    alpha = np.zeros((REGION.height, REGION.width), np.float32)
    for each in drawn:
        alpha[each.region.slices] = np.maximum(alpha[each.region.slices], each.alpha)
    return alpha


def halves(yaw: float, strap: Strap = Strap()) -> tuple[float, float]:  # noqa: B008
    """Cords drawn at the picture's left and right."""
    alpha = seen(yaw, strap)
    middle = round(float(view(yaw).project(np.array([0.0, 0.6, 0.4]))[0]))
    return float(alpha[:, :middle].sum()), float(alpha[:, middle:].sum())


@pytest.mark.parametrize("worn", [WORN, ON_CHIN])
@pytest.mark.parametrize("attach", ["ears", "head"])
def test_two_cords_a_side_go_from_the_mask_backwards(attach: str, worn) -> None:
    sides, lines = cords(worn, attach)
    upper, lower = ENDS[attach]
    assert sides.tolist() == [-1, -1, 1, 1]
    for side, line, end in zip(sides, lines, (upper, lower, upper, lower), strict=True):
        assert np.sign(line[:, 0]).tolist() == [side] * len(line)
        np.testing.assert_allclose(line[-1], end * [side, 1, 1], atol=1e-9)
        assert np.linalg.norm(line[0] - worn.points[:, 0 if side < 0 else -1], axis=1).min() < 0.1


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_mask_on_one_ear_hangs_by_two_taut_cords_and_its_other_loop_dangles(side: float) -> None:
    place, cut = get_wear_style("hanging").place, mask_type("surgical").cut
    hung = next(each for seed in range(20) if (each := place(cut, np.random.default_rng(seed))).hangs)
    hung = hung if hung.hangs == side else hung.mirrored()
    worn = sheet(hung)
    sides, (*taut, loop) = cords(worn, hangs=side)
    assert sides.tolist() == [side] * 3
    for line in taut:
        np.testing.assert_allclose(line[-1], EAR * [side, 1, 1], atol=1e-9)
        assert line[0, 1] < np.median(worn.points[..., 1])
    # It starts at the lower end, is open below it, and goes back beneath the sheet.
    lowest = worn.points[..., 1].max()
    assert loop[:, 1].max() > lowest + 0.1
    assert loop[0, 1] < lowest
    assert loop[-1, 1] < lowest


def test_a_head_strap_passes_above_and_below_the_ear() -> None:
    ears, head = (cords(WORN, attach)[1][:, -1] for attach in ("ears", "head"))
    assert head[0][1] < ears[0][1] < ears[1][1] < head[1][1]


def test_what_nothing_holds_has_no_cords() -> None:
    assert [len(each) for each in cords(WORN, "none")] == [0, 0]
    assert seen(0, Strap("none")).max() == 0


def test_an_unknown_attachment_lists_the_known() -> None:
    with pytest.raises(SynthUsageError, match="ears, head, none"):
        Strap("glue")


def test_seen_from_the_front_both_sides_show_alike() -> None:
    left, right = halves(0)
    assert left == pytest.approx(right, rel=0.2)
    assert left + right > 50
    assert 0 <= seen(0).min() <= seen(0).max() <= 1


def test_the_far_cords_go_out_of_sight_little_by_little() -> None:
    shown = [halves(yaw)[1] for yaw in (0, 8, 16, 24, 35)]
    assert all(before > after for before, after in pairwise(shown) if before > 1)
    assert 0 < shown[2] < shown[0]
    assert shown[-1] < 0.06 * shown[0]
    assert halves(35)[0] > shown[0]


def test_left_and_right_are_mirrored() -> None:
    assert halves(25)[0] == pytest.approx(halves(-25)[1], rel=0.1)


def test_hair_over_the_ears_leaves_the_part_on_the_cheek() -> None:
    whole, part = seen(0), seen(0, Strap(seen=0.5))
    assert 0.2 * whole.sum() < part.sum() < 0.8 * whole.sum()
    assert (part <= whole + 1e-6).all()


def test_a_cord_thinner_than_a_pixel_is_faint() -> None:
    landmarks = view(0, unit=20.0).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    small = painted(draw_loops(cords(WORN), to_picture, REGION, Strap(width=0.01)))
    assert 0 < small.max() < 0.5


def test_cords_outside_the_region_are_left_out() -> None:
    landmarks = view(0).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    assert draw_loops(cords(WORN), to_picture, Region(290, 0, 300, 20), Strap()) == []


def test_the_cords_of_both_sides_come_in_pieces_that_do_not_overlap() -> None:
    landmarks = view(0).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    pieces = draw_loops(cords(WORN), to_picture, REGION, Strap(), margin=3)
    assert len(pieces) == 2
    left, right = (each.region for each in pieces)
    assert left.x1 <= right.x0
    for each in pieces:
        assert max(edge.max() for edge in (each.alpha[:3], each.alpha[-3:], each.alpha[:, :3])) == 0
    # So wide a margin that the pieces would overlap: then there is but one.
    assert len(draw_loops(cords(WORN), to_picture, REGION, Strap(), margin=100)) == 1


def test_a_hanging_mask_is_held_at_one_side() -> None:
    sides, lines = cords(WORN, "ears", 1.0)
    assert sides.tolist() == [1, 1, 1]
    assert (lines[:, -1, 0] > 0).all()


def test_a_strap_from_the_mouth_goes_round_the_cheek_not_through_it() -> None:
    for side, line in zip(*cords(WORN, "head"), strict=True):
        straight = np.linspace(line[0], line[-1], len(line))
        middle = len(line) // 2
        assert side * line[middle, 0] > side * straight[middle, 0] + 0.01
