from __future__ import annotations

import numpy as np
import pytest

from synth.errors import SynthUsageError
from synth.looks import list_mask_types, mask_type
from synth.loops import EAR
from synth.shape import CHIN, MEAN_FACE, NOSE_TIP
from synth.surface import Outline
from synth.wear import BESIDE, get_wear_style, list_wear_styles, mask_state_of

INCORRECT = ("nose_out", "chin", "chin_out", "hanging", "over_eyes")
STATES = {"correct": "wear", **dict.fromkeys(INCORRECT, "incorrect"), "not_wear": "not_wear"}


@pytest.mark.parametrize(("style", "state"), STATES.items())
def test_each_style_means_one_mask_state(style: str, state: str) -> None:
    assert mask_state_of(style) == state


def test_all_styles_are_listed_and_known() -> None:
    assert set(STATES) == set(list_wear_styles())
    assert list_wear_styles()[-1] == "not_wear"
    assert all(mask_state_of(style) in ("wear", "incorrect", "not_wear") for style in list_wear_styles())


@pytest.mark.parametrize("ask", [get_wear_style, mask_state_of])
def test_an_unknown_style_lists_the_known(ask) -> None:
    with pytest.raises(SynthUsageError) as caught:
        ask("sideways")
    assert all(style in str(caught.value) for style in list_wear_styles())


@pytest.mark.parametrize("kind", list_mask_types())
def test_edges_sit_where_the_style_puts_them_on_the_mean_face(kind: str) -> None:
    cut = mask_type(kind).cut
    eyes, tip, lip = MEAN_FACE[36:48, 1].max(), MEAN_FACE[30, 1], MEAN_FACE[57, 1]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        correct, nose_out, chin = (get_wear_style(name).place(cut, rng) for name in ("correct", "nose_out", "chin"))
        assert eyes < correct.top < tip
        assert tip < nose_out.top < MEAN_FACE[51, 1]
        assert lip < chin.top < MEAN_FACE[CHIN, 1]
        for outline in (correct, nose_out, chin):
            assert outline.bottom > MEAN_FACE[CHIN, 1]
            assert outline.top_side < outline.bottom_side
            assert abs(outline.tilt) <= 10


def test_masks_lie_on_the_bridge_as_a_rule_and_those_that_slip_stop_at_the_nose() -> None:
    cut = mask_type("surgical").cut
    tops = {
        name: np.array([get_wear_style(name).place(cut, np.random.default_rng(seed)).top for seed in range(400)])
        for name in ("correct", "nose_out")
    }
    assert np.median(tops["correct"]) < MEAN_FACE[28:30, 1].mean()
    assert 0 < (tops["correct"] > 0.25).mean() < 0.15, "just over the tip, but seldom"
    assert np.median(tops["nose_out"]) < MEAN_FACE[33, 1]
    assert 0 < (tops["nose_out"] > 0.58).mean() < 0.25, "down to the lip, but seldom"


def test_the_rarer_styles_sit_where_they_are_named_for() -> None:
    cut, brows = mask_type("surgical").cut, MEAN_FACE[17:27, 1].max()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        chin_out, over_eyes = (get_wear_style(name).place(cut, rng) for name in ("chin_out", "over_eyes"))
        assert chin_out.top < MEAN_FACE[29, 1]
        assert MEAN_FACE[57, 1] < chin_out.bottom < MEAN_FACE[CHIN, 1]
        assert over_eyes.top < brows
        assert MEAN_FACE[36:48, 1].max() < over_eyes.bottom < MEAN_FACE[33, 1]


def hanging(from_one: bool, kind: str = "surgical") -> list[Outline]:
    """Hanging masks, from one ear or from both."""
    drawn = [get_wear_style("hanging").place(mask_type(kind).cut, np.random.default_rng(seed)) for seed in range(120)]
    return [outline for outline in drawn if (outline.hangs != 0) == from_one]


def test_a_hanging_mask_hangs_from_either_ear_or_from_both() -> None:
    assert {outline.hangs for outline in hanging(True)} == {-1.0, 1.0}
    assert len(hanging(True)) > 30
    assert len(hanging(False)) > 30


def test_from_one_ear_it_hangs_upright_beside_the_mouth() -> None:
    for outline in hanging(True):
        # Its middle lies on the side of the ear that it hangs from.
        assert outline.shift * outline.hangs > MEAN_FACE[54, 0]
        assert 70 < outline.tilt * outline.hangs < 100


@pytest.mark.parametrize("kind", list_mask_types("hanging"))
def test_from_both_ears_it_lies_along_the_jaw_below_a_bare_chin(kind: str) -> None:
    right = MEAN_FACE[16:7:-1]
    for outline in hanging(False, kind):
        assert outline.top > MEAN_FACE[CHIN, 1] - 0.05
        assert outline.bottom > outline.top + 0.2
        assert outline.top_side < outline.bottom_side < outline.bottom
        assert outline.top_half >= np.interp(outline.top_side, right[:, 1], right[:, 0])
        assert outline.drapes


def test_no_two_masks_sit_alike() -> None:
    rng = np.random.default_rng(0)
    cut = mask_type("kf94").cut
    assert len({get_wear_style("correct").place(cut, rng) for _ in range(20)}) == 20


def test_a_mask_that_slipped_down_is_no_wider_than_the_jaw() -> None:
    right = MEAN_FACE[16:7:-1]
    for kind in list_mask_types():
        for seed in range(10):
            worn = get_wear_style("nose_out").place(mask_type(kind).cut, np.random.default_rng(seed))
            assert worn.top_half <= np.interp(worn.top_side, right[:, 1], right[:, 0]) + BESIDE


def test_a_scarf_over_the_eyes_is_folded() -> None:
    for seed in range(10):
        worn = get_wear_style("over_eyes").place(mask_type("scarf").cut, np.random.default_rng(seed))
        assert worn.bottom < MEAN_FACE[NOSE_TIP, 1] + 0.05


def test_chin_masks_are_cups_whose_upper_edge_bows_down_between_corners_at_the_jaw() -> None:
    right, heights, flares = MEAN_FACE[16:7:-1], [], []
    for kind in list_mask_types():
        for seed in range(10):
            worn = get_wear_style("chin").place(mask_type(kind).cut, np.random.default_rng(seed))
            assert worn.top_side < worn.top
            assert worn.bottom_half > 0.6 * worn.top_half
            heights.append(worn.bottom - worn.top)
            flares.append(worn.top_half - np.interp(worn.top_side, right[:, 1], right[:, 0]))
    # From a thin roll to half a mask, from within the jaw to standing off it.
    assert min(heights) < 0.4
    assert max(heights) > 0.6
    assert min(flares) < 0 < 0.05 < max(flares)


def test_a_moulded_cup_keeps_its_width_when_it_slips() -> None:
    cup, cloth = mask_type("n95_cup").cut, mask_type("cloth").cut
    for seed in range(10):
        slipped, soft = (get_wear_style("nose_out").place(cut, np.random.default_rng(seed)) for cut in (cup, cloth))
        assert slipped.bottom_half > 0.9 * cup.bottom_half
        jaw = np.interp(soft.bottom_side, MEAN_FACE[16:7:-1, 1], MEAN_FACE[16:7:-1, 0])
        assert soft.bottom_half <= jaw + BESIDE


def test_hanging_masks_go_from_crescents_to_rectangles_and_hang_lower_than_the_ear() -> None:
    squareness = []
    for hung in hanging(True):
        middle, height = 0.5 * (hung.top + hung.bottom), hung.bottom - hung.top
        squareness.append((hung.bottom_side - hung.top_side) / height)
        # Its long side stands upright: its upper end lies half a length above its middle.
        assert middle - hung.top_half > EAR[1] + 0.3
        assert height < hung.top_half * 2
    assert min(squareness) < 0.45
    assert max(squareness) > 0.85
