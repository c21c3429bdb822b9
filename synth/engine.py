"""The mask engine: one call on an RGB array."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.compose import compose
from synth.coverage import Coverage, measure, worn_style
from synth.errors import PhotoRefusedError, SynthUsageError
from synth.face import Face
from synth.finder import FaceFinder
from synth.framing import Size, reframe_all
from synth.gate import Gate, check_face, check_policy, choose_face, other_faces, rivals_of
from synth.light import Light, read_light
from synth.looks import Look, list_mask_types, mask_type, sample_look
from synth.pose import Pose, fit_pose
from synth.several import check_others, mask_everyone, within
from synth.warp import HeadToPicture
from synth.wear import NOT_WEAR, get_wear_style

TRIES = 3
"""How often a style is drawn anew where the measured coverage contradicts it, before the variant is refused."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photo ready for any number of masks: its face was found, measured and passed the gate.

    Attributes:
        rgb: (H, W, 3) uint8, RGB, reframed where that was asked for.
        face: in its pixels.
        pose, light: of that face.
        to_picture: head coordinates to its pixels.
        zoom: how many times the reframing enlarged the photo; 1 without reframing.
        others: further faces of the photo that are masked with this one, each as if it were the only one.
    """

    rgb: RgbImage
    face: Face
    pose: Pose
    light: Light
    to_picture: HeadToPicture
    zoom: float = 1.0
    others: tuple[Prepared, ...] = ()


@dataclass(frozen=True, eq=False)
class MaskedFace:
    """A variant.

    Attributes:
        rgb: (H, W, 3) uint8, RGB.
        wear_style: as asked for and as measured; they agree.
        mask_type: of the look; empty without a mask.
        look: what was drawn; None without a mask.
        coverage: measured.
        touched: (H, W) bool: outside of it every pixel is the photo's own.
    """

    rgb: RgbImage
    wear_style: str
    mask_type: str
    look: Look | None
    coverage: Coverage
    touched: BoolArray


@dataclass
class MaskEngine:
    """Draws masks on faces.

    Args:
        gate: the limits of what is drawn.
        faces: which face of several is meant, see `synth.gate.choose_face`.
        finder: finds faces where no landmarks are given.
    """

    gate: Gate = field(default_factory=Gate)
    faces: str = "auto"
    finder: FaceFinder = field(default_factory=FaceFinder)

    def __post_init__(self) -> None:
        cv2.setNumThreads(1)
        check_policy(self.faces)

    def prepare(
        self,
        rgb: RgbImage,
        *,
        landmarks: FloatArray | None = None,
        size: Size | None = None,
        found: list[Face] | None = None,
    ) -> Prepared:
        """Finds and checks the face of a photo, once for all its variants.

        Args:
            rgb: (H, W, 3) uint8, RGB.
            landmarks: (68, 2), x, y in pixels, where they are known.
            size: reframes to the competition's framing at this size.
            found: what `find` returns of this photo, where that is known.

        Raises:
            PhotoRefusedError: no mask can be drawn; with the reason.
            SynthUsageError: an array of another shape or type.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise SynthUsageError(f"expected an (H, W, 3) uint8 RGB array, got {rgb.shape} {rgb.dtype}")
        if landmarks is not None:
            found, face = [], Face.from_landmarks(landmarks)
        else:
            found = self.find(rgb) if found is None else found
            face = choose_face(found, rgb.shape, self.faces, self.gate)
        check_face(rgb, face, fit_pose(face.landmarks), self.gate)
        others = other_faces(found, face, self.faces)
        check_others(rgb, others, self.gate)
        zoom = 1.0
        if size is not None:
            rgb, (face, *others), zoom = reframe_all(rgb, [face, *others], size)
            others = within(others, rgb.shape, self.gate)
        return replace(_ready(rgb, face), zoom=zoom, others=tuple(_ready(rgb, other) for other in others))

    def find(self, rgb: RgbImage) -> list[Face]:
        """The faces of a photo, (H, W, 3) uint8 RGB, down to the size that matters here; the largest first."""
        return self.finder.find(rgb, rivals_of(self.faces))

    def mask(
        self,
        photo: RgbImage | Prepared,
        *,
        wear: str = "correct",
        mask: str | None = None,
        seed: int = 0,
        landmarks: FloatArray | None = None,
    ) -> MaskedFace:
        """Draws one variant.

        Args:
            photo: (H, W, 3) uint8, RGB, or what `prepare` made of it (cheaper for several variants).
            wear: a wear style, or `not_wear`.
            mask: a mask type; one is drawn by chance where it is missing.
            seed: same photo and arguments and seed, same pixels.
            landmarks: (68, 2), x, y in pixels, where they are known.

        Raises:
            PhotoRefusedError: the photo fails the gate, or what was drawn covers other parts than the style asks.
            SynthUsageError: an unknown style or type.
        """
        ready = photo if isinstance(photo, Prepared) else self.prepare(photo, landmarks=landmarks)
        if wear == NOT_WEAR:
            return _bare(ready)
        if ready.others:
            return mask_everyone(self, ready, wear, mask, seed)
        style, rng = get_wear_style(wear), np.random.default_rng(seed)
        look = sample_look(mask or str(rng.choice(list_mask_types())), rng)
        cut = mask_type(look.mask_type).cut
        seen: Coverage | None = None
        for _ in range(TRIES):
            outline = style.place(cut, rng)
            drawn = compose(ready.rgb, ready.to_picture, ready.light, look, outline, style.crumple, rng)
            seen = measure(drawn.alpha, drawn.region, ready.face, ready.rgb.shape)
            if worn_style(seen) == wear:
                touched = np.zeros(ready.rgb.shape[:2], dtype=bool)
                touched[drawn.region.slices] = drawn.touched
                return MaskedFace(drawn.rgb, wear, look.mask_type, look, seen, touched)
        raise PhotoRefusedError("coverage_mismatch", f"{wear} was asked for, measured was {_told(seen)}")


def _ready(rgb: RgbImage, face: Face) -> Prepared:
    pose = fit_pose(face.landmarks)
    to_picture = HeadToPicture(pose, face.landmarks)
    return Prepared(rgb, face, pose, read_light(rgb, pose, to_picture), to_picture)


def _bare(ready: Prepared) -> MaskedFace:
    """The photo through the same path, without a mask."""
    untouched = np.zeros(ready.rgb.shape[:2], dtype=bool)
    return MaskedFace(ready.rgb.copy(), NOT_WEAR, "", None, Coverage(0.0, 0.0, 0.0, 0.0), untouched)


def _told(seen: Coverage | None) -> str:
    if seen is None:
        return "nothing"
    return f"nose {seen.nose:.0%}, mouth {seen.mouth:.0%}, chin {seen.chin:.0%}, eyes {seen.eyes:.0%}"
