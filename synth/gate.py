"""The quality gate: which faces a mask can be drawn on, and what is said of the others."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.choice import DOMINANCE
from synth.covered import cover_score
from synth.errors import PhotoRefusedError
from synth.face import STEADY, Face
from synth.pose import Pose
from synth.shape import MEAN_FACE
from synth.warp import Region

REASONS: dict[str, str] = {
    "no_face": "no face was found",
    "several_faces": "more than one face could be the person meant",
    "face_too_small": "too few pixels between the eyes to draw a mask that looks like one",
    "extreme_pose": "the head is turned, tilted or bent too far",
    "cut_off": "nose, mouth or chin lie outside the photo",
    "ambiguous_face": "the landmarks don't fit a face, so nobody can say where the mask belongs",
    "already_covered": "mouth and chin are covered already, by a mask, a hand or another thing",
    "coverage_mismatch": "the drawn mask covers other parts than the wear style asked for",
    "folded": "the mask, or the picture of a head that is tilted or turned, would fold over itself",
    "off_photo": "the mask would lie outside the photo",
    "engine_failed": "a fault in palette met this photo: worth a report, with what the detail says",
    "worker_died": "the process that worked on this photo was ended, perhaps for want of memory",
}
"""Every reason code of this room, and what it tells the user."""


@dataclass(frozen=True)
class Gate:
    """The limits of what is drawn.

    Attributes:
        min_eye_distance: between the eyes' centres, in pixels; on a face 40 pixels wide it is 17.
        max_yaw, max_pitch, max_roll: degrees either way.
        max_error: of the landmarks against the mean face, head units: 99.9 % of 1,133 faces found in real
            photos lie below 0.105.
        dominance: in a photo with several faces the one that stands out is taken if it outweighs the next this many
            times (`synth.choice`).
        max_equals: with more other faces than this of at least half its size, no face of a photo stands out.
        min_skin: share of the lower face that must be coloured like the skin between the eyes.
        max_cover: how much the lower face may look covered (`synth.covered.cover_score`): at 0.6, 95 % of 224 masked
            faces would be refused instead of 92 %, and 1.6 % of 429 bare ones instead of 0.9 %.
    """

    min_eye_distance: float = 14.0
    max_yaw: float = 48.0
    max_pitch: float = 32.0
    max_roll: float = 95.0
    max_error: float = 0.115
    dominance: float = DOMINANCE
    max_equals: int = 2
    min_skin: float = 0.12
    max_cover: float = 2.0


MARGIN = 0.08
"""How far outside the photo a landmark may lie, in head units (7 mm): a face cropped close at the chin still shows
where a mask ends, and landmarks err by as much."""

PALER, REDDER = np.array([8.0, 9.0]), 30.0
"""How much less red and yellow, and how much more, skin below may be than skin between the eyes, in 8-bit Lab a, b.
Set on 300 bare web faces and 100 really masked ones that the finder finds."""


SKIN_SIDE = 160
"""Pixels of a face's shorter side that are looked at for skin, at least, where it has them."""


def check_face(rgb: RgbImage, face: Face, pose: Pose, gate: Gate) -> None:
    """Refuses a face no mask would look right on.

    Raises:
        PhotoRefusedError: with the first reason that applies.
    """
    apart = pose.pixels_per_unit * float(np.linalg.norm(MEAN_FACE[36:42].mean(0) - MEAN_FACE[42:48].mean(0)))
    if apart < gate.min_eye_distance:
        raise PhotoRefusedError(
            "face_too_small", f"{apart:.0f} px between the eyes, {gate.min_eye_distance:.0f} needed"
        )
    limits = zip(("yaw", "pitch", "roll"), pose.angles, (gate.max_yaw, gate.max_pitch, gate.max_roll), strict=True)
    for name, angle, limit in limits:
        if abs(angle) > limit:
            raise PhotoRefusedError("extreme_pose", f"{name} {angle:.0f} degrees, at most {limit:.0f} look right")
    check_inside(face, pose, rgb.shape)
    if face.spread > STEADY:
        raise PhotoRefusedError(
            "ambiguous_face",
            f"the landmarks depend on the detector's box by {face.spread:.2f}, limit {STEADY}: a profile?",
        )
    if pose.error > gate.max_error:
        raise PhotoRefusedError("ambiguous_face", f"landmarks miss a face by {pose.error:.3f}, limit {gate.max_error}")
    skin = skin_below(rgb, face)
    if skin < gate.min_skin:
        raise PhotoRefusedError("already_covered", f"{skin:.0%} of the lower face looks like the skin above it")
    score = cover_score(rgb, face)
    if score > gate.max_cover:
        raise PhotoRefusedError("already_covered", f"colours and edges below the eyes are a mask's by {score:.1f}")


def check_inside(face: Face, pose: Pose, shape: tuple[int, ...]) -> None:
    """Refuses a face whose nose, mouth or chin a photo of `shape` (H, W, ...) doesn't show.

    Raises:
        PhotoRefusedError: `cut_off`.
    """
    margin = MARGIN * pose.pixels_per_unit
    needed = face.landmarks[[*range(3, 14), *range(27, 36), *range(48, 60)]]
    outside = np.asarray(((needed < -margin) | (needed > [shape[1] + margin, shape[0] + margin])).any(-1))
    if outside.mean() > 0.1 or outside[5]:
        raise PhotoRefusedError("cut_off", f"{int(outside.sum())} of {len(needed)} landmarks lie outside the photo")


def skin_below(rgb: RgbImage, face: Face) -> float:
    """Share of mouth, cheeks and chin whose colour is that of the skin between the eyes, 0..1.

    Between the eyes and not on the cheeks, which a mask covers too. Chroma alone is compared (CIE Lab a, b), so that
    beards and shadows, which darken skin, are told from cloth, which recolours it; a grayscale photo says nothing and
    gives 1. Redder than the skin above may be lips, or skin below sunglasses.
    """
    region = Region.around(face.landmarks, 2, rgb.shape)
    # Of a large face every second pixel, or third, tells as much.
    step = max(min(region.width, region.height) // SKIN_SIDE, 1)
    lab = cv2.cvtColor(np.ascontiguousarray(rgb[region.slices][::step, ::step]), cv2.COLOR_RGB2Lab)
    points = (face.landmarks - [region.x0, region.y0]) / step
    upper, lower = _inside(lab, points[[21, 22, 39, 42, 27]]), _inside(lab, points[[*range(4, 13), 31, 35]])
    there = cv2.countNonZero(lower)
    if cv2.countNonZero(upper) < 4 or there < 12:
        return 1.0
    skin = np.median(lab[upper > 0][:, 1:], axis=0)
    least, most = np.floor(skin - PALER) + 1, np.ceil(skin + REDDER) - 1
    alike = cv2.inRange(lab, (0, *np.maximum(least, 0)), (255, *np.minimum(most, 255)))
    return cv2.countNonZero(cv2.bitwise_and(alike, lower)) / there


def _inside(lab: RgbImage, outline: FloatArray) -> RgbImage:
    """(h, w) uint8: 255 within the convex hull of the (N, 2) points."""
    mask = np.zeros(lab.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(outline).astype(np.int32)), 255)
    return mask
