"""Which face is meant: by size, by place, and where others are looked for."""

from __future__ import annotations

import numpy as np
import pytest

from synth import Face, PhotoRefusedError
from synth.choice import FACE_POLICIES, NOTABLE, choose_face, foremost, is_aside, rival_share
from synth.gate import Gate

SHAPE = (400, 600, 3)


def boxed(x: float, y: float, side: float) -> Face:
    """A face whose box has its middle at x, y."""
    return Face(np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2]), np.zeros((68, 2)))


@pytest.mark.parametrize("policy", ["auto", "largest", "all", "refuse"])
def test_the_only_face_is_taken_under_every_policy(policy: str) -> None:
    face = boxed(10, 10, 20)
    assert choose_face([face], SHAPE, policy, Gate()) is face


def test_a_face_that_stands_out_is_taken_unless_others_are_to_be_refused() -> None:
    person, passer_by = boxed(300, 200, 200), boxed(560, 60, 60)
    faces = [person, passer_by]
    assert choose_face(faces, SHAPE, "auto", Gate()) is person
    assert choose_face(faces, SHAPE, "largest", Gate()) is person
    with pytest.raises(PhotoRefusedError, match="several_faces"):
        choose_face(faces, SHAPE, "refuse", Gate())


def test_of_two_alike_none_is_taken_but_by_size() -> None:
    left, right = boxed(150, 200, 200), boxed(450, 200, 190)
    with pytest.raises(PhotoRefusedError, match="several_faces"):
        choose_face([left, right], SHAPE, "auto", Gate())
    assert choose_face([left, right], SHAPE, "largest", Gate()) is left


def test_the_middle_counts_as_well_as_the_size() -> None:
    person, larger_at_the_edge = boxed(300, 200, 150), boxed(30, 30, 160)
    assert choose_face([larger_at_the_edge, person], SHAPE, "auto", Gate()) is person


def test_beside_a_large_face_in_the_middle_no_smaller_one_matters() -> None:
    shares = [rival_share(boxed(x, 200, side), SHAPE) for x, side in ((300, 180), (120, 180), (300, 40))]
    assert shares[0] == 1.0
    assert max(shares[1:]) < 0.8


@pytest.mark.parametrize(("policy", "share"), [("largest", 1.0), ("all", NOTABLE), ("refuse", NOTABLE)])
def test_how_small_a_face_matters_is_the_policys(policy: str, share: float) -> None:
    assert rival_share(boxed(300, 200, 180), SHAPE, policy) == share
    assert policy in FACE_POLICIES


@pytest.mark.parametrize("x", range(60, 600, 90))
@pytest.mark.parametrize("side", [60, 110, 180])
def test_who_could_be_taken_for_the_face_is_looked_for(x: int, side: int) -> None:
    first = boxed(x, 200, side)
    share = rival_share(first, SHAPE)
    smaller_ones = [each for each in (0.7, 0.8, 0.9) if each < share - 0.03]
    assert smaller_ones or share < 0.75
    for smaller in smaller_ones:
        for place in range(0, 600, 20):
            apart = abs(place - x) > (1 + smaller) / 2 * side
            if apart:
                assert choose_face([first, boxed(place, 200, smaller * side)], SHAPE, "auto", Gate()) is first


def test_the_foremost_face_is_larger_or_nearer_to_the_middle() -> None:
    child, mother, passer_by = boxed(310, 200, 120), boxed(520, 190, 150), boxed(320, 60, 40)
    assert foremost([mother, child, passer_by], SHAPE) is child
    assert foremost([mother, passer_by], SHAPE) is mother
    assert foremost([], SHAPE) is None
    twins = [boxed(200, 200, 100), boxed(400, 200, 100)]
    assert foremost(twins, SHAPE) is twins[0]


def test_a_face_is_aside_where_one_in_the_middle_would_stand_out_beside_it() -> None:
    for x in range(0, 601, 20):
        face, other = boxed(x, 200, 100), boxed(300, 200, 100)
        stands_out = True
        try:
            choose_face([face, other], SHAPE, "auto", Gate())
        except PhotoRefusedError:
            stands_out = False
        assert is_aside(face, SHAPE) == stands_out
    assert is_aside(boxed(40, 200, 300), SHAPE)
    assert is_aside(boxed(300, 380, 100), SHAPE)
    # Of a person shown to the waist the head is up there.
    assert not is_aside(boxed(300, 40, 100), SHAPE)
    assert not any(is_aside(boxed(40, 200, 100), SHAPE, policy) for policy in FACE_POLICIES if policy != "auto")
