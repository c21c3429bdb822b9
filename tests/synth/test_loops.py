from __future__ import annotations

import numpy as np
import pytest

from synth.loops import EAR, cords, draw_loops
from synth.pose import fit_pose
from synth.shape import MEAN_FACE
from synth.surface import Outline, sheet
from synth.warp import HeadToPicture, Region
from tests.synth.builders import view

WORN = sheet(Outline(top=0.12, bottom=1.38, top_side=0.36, bottom_side=0.9, top_half=0.77, bottom_half=0.62))
REGION = Region(0, 0, 300, 340)


def seen(yaw: float) -> tuple[HeadToPicture, np.ndarray]:
    landmarks = view(yaw).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    return to_picture, draw_loops(WORN, to_picture, REGION, 3.0).alpha


def test_two_cords_a_side_go_from_the_mask_to_the_ear() -> None:
    lines = cords(WORN)
    assert sorted(side for side, _ in lines) == [-1, -1, 1, 1]
    for side, line in lines:
        assert np.sign(line[:, 0]).tolist() == [side] * len(line)
        assert line[-1, 2] < line[0, 2]
        assert abs(line[-1, 0]) == pytest.approx(EAR[0], abs=0.05)


def test_seen_from_the_front_both_sides_show() -> None:
    _, alpha = seen(0)
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert alpha[:, :150].sum() == pytest.approx(alpha[:, 150:].sum(), rel=0.2)
    assert alpha.sum() > 50


@pytest.mark.parametrize(("yaw", "hidden"), [(35, 1.0), (-35, -1.0)])
def test_the_far_ears_cords_are_hidden(yaw: float, hidden: float) -> None:
    to_picture, alpha = seen(yaw)
    for side, line in cords(WORN):
        x, y = np.round(to_picture(line)[6]).astype(int)
        near = alpha[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
        assert near.max() < 0.05 if side == hidden else near.max() > 0.4
