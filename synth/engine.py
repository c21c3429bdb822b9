"""The mask engine: one call on an RGB array."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import cv2
import numpy as np

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.choice import check_policy, choose_face, is_aside, other_faces, rival_share
from synth.compose import Composition, compose
from synth.coverage import Coverage, measure, worn_style
from synth.errors import PhotoRefusedError, SynthUsageError
from synth.face import Face
from synth.finder import FaceFinder
from synth.framing import Size, reframe_all
from synth.gate import Gate, check_face
from synth.light import Light, read_light
from synth.looks import Look, check_suited, list_mask_types, mask_type, sample_look
from synth.memory import keep_memory
from synth.pose import Pose, fit_pose
from synth.several import check_others, mask_everyone, within
from synth.surface import Outline
from synth.tilt import tilt_head
from synth.warp import HeadToPicture
from synth.wear import NOT_WEAR, get_wear_style

TRIES = 3
"""How often a style is drawn anew where the measured coverage contradicts it, before the variant is refused."""


TURNED = 8.0
"""Yaw in degrees from which only one ear can hold a mask that hangs from one."""


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
        drawn: the mask of each face that has one, and where it lies.
    """

    rgb: RgbImage
    wear_style: str
    mask_type: str
    look: Look | None
    coverage: Coverage
    drawn: tuple[Composition, ...]

    @cached_property
    def touched(self) -> BoolArray:
        """(H, W) bool: outside of it every pixel is the photo's own."""
        touched = np.zeros(self.rgb.shape[:2], dtype=bool)
        for each in self.drawn:
            touched[each.region.slices] |= each.touched
        return touched

    @cached_property
    def alpha(self) -> FloatArray:
        """(H, W) float32 in 0..1: opacity of the mask's sheet, its loops and shadow left out."""
        alpha = np.zeros(self.rgb.shape[:2], dtype=np.float32)
        for each in self.drawn:
            np.maximum(alpha[each.region.slices], each.alpha, out=alpha[each.region.slices])
        return alpha


@dataclass
class MaskEngine:
    """Draws masks on faces.

    Args:
        gate: the limits of what is drawn.
        faces: which face of several is meant, see `synth.choice.choose_face`.
        finder: finds faces where no landmarks are given.
    """

    gate: Gate = field(default_factory=Gate)
    faces: str = "auto"
    finder: FaceFinder = field(default_factory=FaceFinder)

    def __post_init__(self) -> None:
        cv2.setNumThreads(1)
        keep_memory()
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
        pose = fit_pose(face.landmarks)
        check_face(rgb, face, pose, self.gate)
        others = other_faces(found, face, self.faces)
        check_others(rgb, others, self.gate)
        source, zoom = rgb, 1.0
        if size is not None:
            before = face.landmarks
            rgb, (face, *others), zoom = reframe_all(rgb, [face, *others], size)
            others = within(others, rgb.shape, self.gate)
            pose = pose.moved(zoom, face.landmarks[0] - zoom * before[0])
        rest = (_ready(rgb, each, fit_pose(each.landmarks), source, zoom) for each in others)
        return replace(_ready(rgb, face, pose, source, zoom), others=tuple(rest))

    def find(self, rgb: RgbImage) -> list[Face]:
        """The faces of a photo, (H, W, 3) uint8 RGB, down to the size that matters here; the largest first."""
        policy, dominance = self.faces, self.gate.dominance
        rivals = partial(rival_share, policy=policy, dominance=dominance)
        return self.finder.find(rgb, rivals, partial(is_aside, policy=policy, dominance=dominance))

    def tilt(self, ready: Prepared, pitch: float, yaw: float = 0.0) -> Prepared:
        """The photo with its head raised, lowered or turned, ready for masks and for `not_wear` alike.

        Where the head can't be moved so far (`synth.tilt.tilt_head`), or fails the gate then, it is moved by half as
        much; where it can't be that either, or isn't alone, the photo is returned as it is.

        Args:
            ready: what `prepare` made of a photo.
            pitch: degrees; positive lowers the chin; up to `synth.tilt.FARTHEST` either way.
            yaw: degrees; positive turns the face to the picture's right; likewise.
        """
        for share in (1.0, 0.5) if (pitch or yaw) and not ready.others else ():
            try:
                return self._tilted(ready, share * pitch, share * yaw)
            except PhotoRefusedError:
                continue
        return ready

    def _tilted(self, ready: Prepared, pitch: float, yaw: float) -> Prepared:
        rgb, points = tilt_head(ready.rgb, ready.face.landmarks, pitch, yaw)
        face, pose = Face.from_landmarks(points), fit_pose(points)
        check_face(rgb, face, pose, self.gate)
        tilted = _ready(rgb, face, pose, ready.rgb, ready.zoom)
        # In pixels that were moved nobody sees how they were stored.
        return replace(tilted, light=replace(tilted.light, jpeg_quality=ready.light.jpeg_quality))

    def mask(
        self,
        photo: RgbImage | Prepared,
        *,
        wear: str = "correct",
        mask: str | Look | None = None,
        seed: int = 0,
        landmarks: FloatArray | None = None,
        outline: Outline | None = None,
    ) -> MaskedFace:
        """Draws one variant.

        Args:
            photo: (H, W, 3) uint8, RGB, or what `prepare` made of it (cheaper for several variants).
            wear: a wear style, or `not_wear`.
            mask: a mask type, whose colours and details are drawn by chance, or a whole look; where it is missing, any
                type that can be worn so.
            seed: same photo and arguments and seed, same pixels.
            landmarks: (68, 2), x, y in pixels, where they are known.
            outline: where the mask's edges sit, in place of what the wear style draws by chance.

        Raises:
            PhotoRefusedError: the photo fails the gate, or what was drawn covers other parts than the style asks.
            SynthUsageError: an unknown style or type, or a type that can't be worn so.
        """
        ready = photo if isinstance(photo, Prepared) else self.prepare(photo, landmarks=landmarks)
        if wear == NOT_WEAR:
            return _bare(ready)
        if ready.others:
            return mask_everyone(self, ready, wear, mask, seed)
        rng = np.random.default_rng(seed)
        look = mask if isinstance(mask, Look) else sample_look(mask or _any_type(wear, rng), rng)
        check_suited(look.mask_type, wear)
        return self._draw(ready, wear, look, outline, rng)

    def _draw(
        self, ready: Prepared, wear: str, look: Look, outline: Outline | None, rng: np.random.Generator
    ) -> MaskedFace:
        """Places a look by chance until it is seen to be worn in this style."""
        style, cut = get_wear_style(wear), mask_type(look.mask_type).cut
        refused = PhotoRefusedError("coverage_mismatch", "nothing was drawn")
        for _ in range(TRIES):
            placed = outline or _on_near_side(style.place(cut, rng), ready.pose)
            try:
                drawn = compose(ready.rgb, ready.to_picture, ready.light, look, placed, style.crumple * cut.soft, rng)
            except PhotoRefusedError as error:
                refused = error
                continue
            seen = measure(drawn.alpha, drawn.region, ready.face, ready.rgb.shape)
            if worn_style(seen) == wear:
                return MaskedFace(drawn.rgb, wear, look.mask_type, look, seen, (drawn,))
            refused = PhotoRefusedError("coverage_mismatch", f"{wear} was asked for, measured was {_told(seen)}")
        raise refused


def _any_type(wear: str, rng: np.random.Generator) -> str:
    types = list_mask_types(wear)
    return types[int(rng.integers(len(types)))]


def _on_near_side(outline: Outline, pose: Pose) -> Outline:
    """A mask hangs from the ear that a turned head shows: from the other one it would hang in the air."""
    return outline.mirrored() if outline.hangs * pose.angles[0] > TURNED else outline


def _ready(rgb: RgbImage, face: Face, pose: Pose, source: RgbImage, zoom: float) -> Prepared:
    to_picture = HeadToPicture(pose, face.landmarks)
    return Prepared(rgb, face, pose, read_light(rgb, pose, to_picture, source, zoom), to_picture, zoom)


def _bare(ready: Prepared) -> MaskedFace:
    """The photo through the same path, without a mask."""
    return MaskedFace(ready.rgb.copy(), NOT_WEAR, "", None, Coverage(0.0, 0.0, 0.0, 0.0), ())


def _told(seen: Coverage) -> str:
    return f"nose {seen.nose:.0%}, mouth {seen.mouth:.0%}, chin {seen.chin:.0%}, eyes {seen.eyes:.0%}"
