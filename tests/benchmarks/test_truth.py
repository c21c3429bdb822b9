from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common import rolled
from benchmarks.truth import RULES, Truth
from synth import list_wear_styles
from synth.wear import NOT_WEAR
from tests.benchmarks.builders import portrait, sheet


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(portrait())


WORN = {
    "correct": sheet(185, 325),
    "nose_out": sheet(228, 325),
    "chin": sheet(270, 330, 150, 250),
    "chin_out": sheet(185, 275),
    "hanging": sheet(170, 260, 50, 130),
    "over_eyes": sheet(140, 180),
}


def test_every_wear_style_has_a_rule() -> None:
    assert set(list_wear_styles()) - {NOT_WEAR} <= set(RULES)
    assert set(WORN) == set(RULES)


@pytest.mark.parametrize("style", sorted(RULES))
def test_a_mask_in_its_place_has_no_fault(truth: Truth, style: str) -> None:
    assert truth.faults(WORN[style], style) == []


@pytest.mark.parametrize("worn", sorted(RULES))
@pytest.mark.parametrize("asked", sorted(RULES))
def test_no_style_passes_for_another(truth: Truth, worn: str, asked: str) -> None:
    if worn != asked:
        assert truth.faults(WORN[worn], asked)


@pytest.mark.parametrize(
    ("alpha", "told"),
    [
        (sheet(215, 325), "nose covered"),
        (sheet(185, 240), "mouth covered"),
        (sheet(160, 325), "left eye touched"),
        (sheet(185, 325, 70, 290), "spill left"),
        (sheet(185, 400, 180, 220), "spill middle below"),
        (sheet(185, 325, 190, 210), "mouth covered"),
        (np.zeros((420, 400), dtype=np.float32), "mask of 0.0%"),
    ],
)
def test_what_is_wrong_is_told(truth: Truth, alpha: np.ndarray, told: str) -> None:
    assert any(fault.startswith(told) for fault in truth.faults(alpha, "correct"))


def test_a_veil_on_the_eye_is_a_touch_but_hides_nothing(truth: Truth) -> None:
    veil = sheet(185, 325)
    veil[140:180, 130:190] = 0.2
    assert [fault.split(" on ")[0] for fault in truth.faults(veil, "correct")] == ["left eye touched"]


def test_the_outline_holds_the_head_and_the_neck_and_no_more(truth: Truth) -> None:
    assert truth.head[200, 200]
    assert truth.head[350, 200]
    assert not truth.head[200, 60]
    assert not truth.head[400, 200]
    assert truth.beyond[200, 200] == 0
    # The ear ends at x = 92; 194 pixels are a face's width.
    assert truth.beyond[200, 52] == pytest.approx(40 / truth.portrait.face_width, abs=0.01)


@pytest.mark.parametrize("degrees", [30, -45])
def test_truth_turns_with_the_portrait(truth: Truth, degrees: float) -> None:
    turned = Truth(rolled(truth.portrait, degrees))
    for name, part in truth.parts.items():
        assert turned.parts[name].sum() == pytest.approx(part.sum(), rel=0.06)
    assert turned.head.sum() == pytest.approx(truth.head.sum(), rel=0.01)


def test_a_side_is_the_faces_own(truth: Truth) -> None:
    upside_down = Truth(rolled(truth.portrait, 180))
    flipped = sheet(185, 325, 70, 290)[::-1, ::-1]
    assert any(fault.startswith("spill left") for fault in upside_down.faults(flipped, "correct"))


def test_a_scarf_may_lie_over_the_neck(truth: Truth) -> None:
    scarf = sheet(185, 325)
    scarf[325:385, 150:250] = 1.0
    assert truth.faults(scarf, "correct", "scarf") == []
    assert truth.faults(scarf, "correct", "cloth")


def test_a_mask_pulled_down_may_hang_before_the_throat_but_not_beside_the_jaw(truth: Truth) -> None:
    pulled = sheet(295, 358, 150, 250)
    assert truth.faults(pulled, "chin") == []
    pulled[300:320, 60:340] = 1.0
    assert any(fault.startswith("spill") for fault in truth.faults(pulled, "chin"))
