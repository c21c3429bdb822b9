"""Photos of several people in which every one gets a mask, worn alike, so that the label holds for whoever is meant."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from synth.arrays import RgbImage
from synth.coverage import Coverage
from synth.errors import PhotoRefusedError
from synth.face import Face
from synth.gate import Gate, check_face, check_inside
from synth.looks import Look
from synth.pose import fit_pose

if TYPE_CHECKING:
    from synth.engine import MaskedFace, MaskEngine, Prepared


def check_others(rgb: RgbImage, others: Sequence[Face], gate: Gate) -> None:
    """Refuses a photo in which one of the further faces can't be masked.

    Raises:
        PhotoRefusedError: `several_faces`, with where that face is and what is wrong with it.
    """
    for face in others:
        try:
            check_face(rgb, face, fit_pose(face.landmarks), gate)
        except PhotoRefusedError as refused:
            raise _told(face, refused) from refused


def within(others: Sequence[Face], shape: tuple[int, ...], gate: Gate) -> list[Face]:
    """Those of the further faces that a new frame of `shape` (H, W, ...) still shows.

    Raises:
        PhotoRefusedError: `several_faces`: the frame cuts through one of them.
    """
    seen = []
    for face in others:
        middle = face.landmarks.mean(0)
        if (middle < 0).any() or (middle >= [shape[1], shape[0]]).any():
            continue
        try:
            check_inside(face, fit_pose(face.landmarks), shape)
        except PhotoRefusedError as refused:
            raise _told(face, refused) from refused
        seen.append(face)
    return seen


def _told(face: Face, refused: PhotoRefusedError) -> PhotoRefusedError:
    x, y = (round(float(value)) for value in face.box.reshape(2, 2).mean(0))
    return PhotoRefusedError("several_faces", f"of several faces the one at {x}, {y} can't be masked: {refused}")


def mask_everyone(engine: MaskEngine, ready: Prepared, wear: str, mask: str | Look | None, seed: int) -> MaskedFace:
    """Masks the chosen face and then the others, in one style and type, each with a look of its own.

    Returns:
        The variant; its look is the chosen face's, its coverage that of the least covered face for nose, mouth and
        chin, and of the most covered one for the eyes.

    Raises:
        PhotoRefusedError: the mask of one of them covers other parts than the style asks.
    """
    masked = engine.mask(replace(ready, others=()), wear=wear, mask=mask, seed=seed)
    for number, other in enumerate(ready.others, start=1):
        own = int.from_bytes(hashlib.sha256(f"{seed}|face {number}".encode()).digest()[:8], "big") >> 2
        more = engine.mask(replace(other, rgb=masked.rgb), wear=wear, mask=masked.mask_type, seed=own)
        covered = _least(masked.coverage, more.coverage)
        # Of each mask only where it lies is of use: the photos in between, one a face, would stay in memory.
        drawn = tuple(replace(each, rgb=more.rgb) for each in (*masked.drawn, *more.drawn))
        masked = replace(masked, rgb=more.rgb, coverage=covered, drawn=drawn)
    return masked


def _least(one: Coverage, two: Coverage) -> Coverage:
    return replace(
        one,
        nose=min(one.nose, two.nose),
        mouth=min(one.mouth, two.mouth),
        chin=min(one.chin, two.chin),
        eyes=max(one.eyes, two.eyes),
    )
