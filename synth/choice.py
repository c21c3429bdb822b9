"""Which of a photo's faces its label means: the one that stands out by its size and by its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synth.arrays import FloatArray
from synth.errors import PhotoRefusedError, SynthUsageError
from synth.face import Face

if TYPE_CHECKING:
    from synth.gate import Gate

CHOICE_VERSION = "1"
"""Raised with every change that chooses other faces, or asks for others to choose from."""

FACE_POLICIES = ("auto", "largest", "all", "refuse")

NOTABLE = 0.25
"""A face whose side is at least this share of the largest's is masked with it under the policy `all`."""

DOMINANCE = 2.2
"""The face that stands out outweighs the next so many times; a face weighs its area, less the further it is from the
middle of the photo."""

RIVALS = 0.67
"""Two faces whose sides differ more can't be taken for each other under the policy `auto`."""

CLOSE = 0.9
"""Middles of two faces side by side are so many mean sides of their boxes apart, at least."""

MIDDLE = 0.45
"""Distance from the photo's middle, as a share of half its sides, at which a face weighs 1/e of one in the middle."""


def check_policy(policy: str) -> None:
    """Makes sure that `choose_face` knows this policy.

    Raises:
        SynthUsageError: it doesn't.
    """
    if policy not in FACE_POLICIES:
        raise SynthUsageError(f"unknown face policy {policy!r}: expected one of {', '.join(FACE_POLICIES)}")


def choose_face(faces: list[Face], shape: tuple[int, ...], policy: str, gate: Gate) -> Face:
    """The face that the photo's label means, where there is no doubt about it.

    Args:
        faces: of the photo, the largest first.
        shape: of the photo (H, W, ...).
        policy: `auto` takes the face that stands out by size and place, `largest` takes the largest anyway, and so does
            `all`, which masks the others too (`other_faces`); `refuse` takes a face only where it is the only one.
        gate: the limits.

    Raises:
        PhotoRefusedError: `no_face` or `several_faces`.
    """
    if not faces:
        raise PhotoRefusedError("no_face", "neither the fast detector nor the network found one")
    if len(faces) == 1 or policy in ("largest", "all"):
        return faces[0]
    first, second = _by_weight(faces, shape)[:2]
    equals = sum(face.area > 0.5 * first.area for face in faces) - 1
    ratio = _weight(first, shape) / max(_weight(second, shape), 1e-9)
    if policy == "auto" and ratio >= gate.dominance and equals <= gate.max_equals:
        return first
    raise PhotoRefusedError("several_faces", f"{len(faces)} faces, and none stands out by size and place")


def foremost(faces: list[Face], shape: tuple[int, ...]) -> Face | None:
    """The face that stands out most by size and place, by however little; None where there is none.

    Args:
        faces: of the photo.
        shape: of the photo (H, W, ...).
    """
    return _by_weight(faces, shape)[0] if faces else None


def other_faces(faces: list[Face], chosen: Face, policy: str) -> list[Face]:
    """The faces that are masked beside the chosen one: under the policy `all` every one of notable size."""
    if policy != "all":
        return []
    return [face for face in faces if face is not chosen and _side(face) >= NOTABLE * _side(chosen)]


def rival_share(face: Face, shape: tuple[int, ...], policy: str = "auto", dominance: float = DOMINANCE) -> float:
    """How small another face of a photo matters under a policy, as a share of this face's side (`FaceFinder.find`).

    Under `auto` one matters that could weigh enough beside this face for none to stand out; beside a large face in the
    photo's middle there is no place for such a one.

    Args:
        face: the largest found.
        shape: of the photo (H, W, ...).
        policy: one of FACE_POLICIES.
        dominance: as in `synth.gate.Gate`.

    Returns:
        0 to 1; 1 where no smaller face matters.
    """
    if policy != "auto":
        return {"largest": 1.0, "all": NOTABLE, "refuse": NOTABLE}[policy]
    half = np.array([shape[1], shape[0]]) / 2
    away, own = np.abs(_middle(face) - half), _centrality(_away(face, shape))
    for share in np.arange(RIVALS, 1.0, 0.03):
        gap = CLOSE * (1 + float(share)) / 2 * _side(face)
        nearest = float((np.maximum(gap - away, 0) / half).min())
        if dominance * share**2 * np.exp(-((nearest / MIDDLE) ** 2)) > own:
            return float(share)
    return 1.0


def is_aside(face: Face, shape: tuple[int, ...], policy: str = "auto", dominance: float = DOMINANCE) -> bool:
    """Whether a face is so far from the middle that one of its size there, if there was one, would be meant instead.

    Upwards no face is: of a person shown to the waist the head is up there.

    Args:
        face: of a photo.
        shape: of the photo (H, W, ...).
        policy: one of FACE_POLICIES; a face is only ever aside under `auto`, as the others don't ask for its place.
        dominance: as in `synth.gate.Gate`.
    """
    x, y = _away(face, shape)
    return policy == "auto" and dominance * _centrality(np.array([x, max(y, 0.0)])) < 1


def _by_weight(faces: list[Face], shape: tuple[int, ...]) -> list[Face]:
    return sorted(faces, key=lambda face: -_weight(face, shape))


def _weight(face: Face, shape: tuple[int, ...]) -> float:
    return face.area * _centrality(_away(face, shape))


def _centrality(away: FloatArray) -> float:
    """1 in the middle of a photo, less the further from it."""
    return float(np.exp(-(away @ away) / MIDDLE**2))


def _away(face: Face, shape: tuple[int, ...]) -> FloatArray:
    """(2,) from the photo's middle to the face's, as shares of half its sides."""
    half = np.array([shape[1], shape[0]]) / 2
    return np.asarray((_middle(face) - half) / half)


def _middle(face: Face) -> FloatArray:
    return np.asarray(face.box.reshape(2, 2).mean(0))


def _side(face: Face) -> float:
    return float(face.box[2] - face.box[0])
