"""Forms: how masks of different builds stand off the face."""

from __future__ import annotations

import numpy as np
import pytest

from synth.errors import SynthUsageError
from synth.forms import BOAT_FOLDS, hang, lift, list_forms
from synth.shape import MEAN_FACE
from synth.surface import Outline, envelope_depth, sheet


def outline(form: str, bottom: float = 1.38) -> Outline:
    return Outline(
        top=0.12,
        bottom=bottom,
        top_side=0.4,
        bottom_side=0.85,
        top_half=0.75,
        bottom_half=0.6,
        standoff=0.12,
        form=form,
    )


@pytest.mark.parametrize("form", list_forms())
def test_a_form_is_symmetric_and_stands_off_most_in_the_middle(form: str) -> None:
    raised = lift(form, 17, 25)
    assert raised.shape == (17, 25)
    np.testing.assert_allclose(raised, raised[:, ::-1], atol=1e-12)
    assert raised.max() <= 1 + 1e-9
    assert raised[3:14, 12].min() > 0.5
    assert raised[8, 12] > raised[8, 0] + 0.3


def test_an_unknown_form_lists_the_known() -> None:
    with pytest.raises(SynthUsageError, match="cup"):
        lift("tent", 5, 5)


@pytest.mark.parametrize("form", list_forms())
def test_every_form_is_seen_from_the_front_without_folds(form: str) -> None:
    made = sheet(outline(form))
    assert np.isfinite(made.points).all()
    assert (made.normals[2:-2, 3:-3, 2] > 0).all()


def test_a_cup_bulges_where_a_sheet_is_flat() -> None:
    cup, flat = sheet(outline("cup")).points, sheet(outline("sheet")).points
    assert cup[8, 12, 2] == pytest.approx(flat[8, 12, 2], abs=0.02)
    assert cup[8, 4, 2] < flat[8, 4, 2]


def test_a_boat_is_upright_between_its_folds() -> None:
    rows = np.linspace(0, 1, 17)
    profile = lift("boat", 17, 25)[:, 12]
    between = (rows > BOAT_FOLDS[0]) & (rows < BOAT_FOLDS[1])
    assert profile[between].min() > 0.9
    assert profile[0] < 0.4
    assert profile[-1] < 0.4


def test_a_strip_under_the_chin_has_no_room_for_the_whole_form() -> None:
    def bulge(top: float) -> float:
        strip = Outline(
            top=top, bottom=1.45, top_side=0.7, bottom_side=0.95, top_half=0.75, bottom_half=0.65, standoff=0.15
        )
        points = sheet(strip).points[8, 12]
        return float(points[2] - envelope_depth(points[:1], points[1:2])[0])

    assert bulge(1.05) < 0.5 * bulge(0.2)


def test_a_drape_hangs_before_the_throat() -> None:
    chin = MEAN_FACE[8]
    y = np.array([chin[1] + 0.3])
    head = envelope_depth(np.zeros(1), y)
    hung = hang(np.zeros(1), y, head)
    assert hung[0] > head[0]
    assert hung[0] == pytest.approx(chin[2], abs=0.35)
    over_nose = np.array([0.5])
    assert hang(np.zeros(1), np.array([0.4]), over_nose)[0] == pytest.approx(0.5, abs=0.02)


def test_hanging_cloth_lies_on_the_cheeks_beside_the_mouth() -> None:
    for side in (MEAN_FACE[2:5], MEAN_FACE[12:15]):
        head = envelope_depth(side[:, 0], side[:, 1])
        np.testing.assert_allclose(hang(side[:, 0], side[:, 1], head), head, atol=0.1)
