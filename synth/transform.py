"""Masks inside a training loader: the engine as an albumentations transform.

    import albumentations as A
    from synth.transform import MaskTransform

    worn = {"correct": 5, "nose_out": 2, "chin": 1}
    augment = A.Compose([MaskTransform(wear=worn, p=0.5), A.HorizontalFlip()], seed=1)
    seen = augment(image=rgb, landmarks=points, mask_state="not_wear")
    seen["image"], seen["mask_state"]

albumentations is optional: only this module imports it.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.choice import check_policy
from synth.engine import MaskedFace, MaskEngine, Prepared
from synth.errors import PhotoRefusedError, SynthUsageError
from synth.looks import suited_types
from synth.plans import check_weights
from synth.tilt import check_tilt
from synth.wear import mask_state_of

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it asks the network at import

try:
    from albumentations.core.transforms_interface import ImageOnlyTransform
    from albumentations.core.type_definitions import Targets
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "synth.transform needs albumentations, which is not installed: pip install 'palette-faces[train]'",
        name="albumentations",
    ) from error


class MaskTransform(ImageOnlyTransform):  # type: ignore[misc]
    """Puts a mask on the face of a photo.

    The image is (H, W, 3) uint8, RGB. Where the engine refuses the photo, it stays as it is. What was done stands in
    the data under `state_key` and `style_key`, so that a loader can update its label: the values that were passed in,
    or None, unless a variant was made; the transform's own `refused` then tells why not.

    All that is random comes from albumentations' generator: a seeded `Compose` makes the same masks again. Workers of a
    loader that are forked inherit that generator as it is, this transform's as any other's: give each a seed of its own
    in `worker_init_fn`, by `set_random_seed`.

    Args:
        wear: a wear style, several, or styles and weights; `not_wear` leaves the photo as it is.
        types: mask types to draw from; all when empty. Each is only drawn for a style it can be worn in.
        p: how often the transform is applied at all.
        landmarks_key: of (68, 2 or more) landmarks in the data, x, y in pixels of the image, in iBUG 300-W order. With
            "keypoints", and `A.KeypointParams("xy", remove_invisible=False)` in `Compose`, they follow the transforms
            before this one. The face is looked for where the data holds none.
        faces: which face of several is meant, see `synth.choice.choose_face`.
        state_key: where the mask state stands: wear, incorrect, not_wear.
        style_key: where the wear style stands.
        cache: so many photos are remembered with their faces; worth it where the same pixels come every epoch.
        tilt: heads are raised or lowered by up to so many degrees (`MaskEngine.tilt`), `not_wear` among them: with
            that among the wear styles and p=1, a tilted head tells nothing of a mask.
        turn: heads are turned to either side by up to so many degrees, likewise.

    Raises:
        SynthUsageError: a wear style, mask type or face policy is unknown, no type can be worn in one of the styles,
            a weight is no positive number, or heads would be tilted or turned too far.
    """

    _targets = (Targets.IMAGE,)

    def __init__(
        self,
        wear: str | Sequence[str] | Mapping[str, float] = "correct",
        types: Sequence[str] = (),
        p: float = 0.5,
        landmarks_key: str = "landmarks",
        faces: str = "auto",
        state_key: str = "mask_state",
        style_key: str = "wear_style",
        cache: int = 0,
        tilt: float = 0.0,
        turn: float = 0.0,
    ) -> None:
        super().__init__(p=p)
        self.wear = _weights(wear)
        self.types = list(types)
        self.landmarks_key, self.faces = landmarks_key, faces
        self.state_key, self.style_key = state_key, style_key
        self.cache, self.tilt, self.turn = cache, tilt, turn
        check_tilt(tilt)
        check_tilt(turn, "turn")
        for style in self.wear:
            if not suited_types(self.types, style):
                raise SynthUsageError(f"none of these mask types can be worn {style}: {', '.join(self.types)}")
        check_policy(faces)
        self.refused = ""
        self._ready: OrderedDict[bytes, Prepared | PhotoRefusedError] = OrderedDict()

    @property
    def targets(self) -> dict[str, Callable[..., Any]]:
        """The image alone: one face's mask on several images or a volume would mean nothing."""
        return {"image": self.apply}

    @cached_property
    def engine(self) -> MaskEngine:
        """Made when first used, in the loader's worker."""
        return MaskEngine(faces=self.faces)

    def __getstate__(self) -> dict[str, Any]:
        """Without models and remembered photos: a worker makes its own."""
        state = {**self.__dict__, "_ready": OrderedDict()}
        state.pop("engine", None)
        return state

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws what is worn and makes the variant; `masked` is None where the photo was refused."""
        style, kind = self._drawn()
        seed = int(self.random_generator.integers(2**62))
        masked, self.refused = None, ""
        try:
            ready = self._prepared(np.ascontiguousarray(data["image"]), data.get(self.landmarks_key))
            if self.tilt or self.turn:
                pitch, yaw = (float(self.random_generator.uniform(-most, most)) for most in (self.tilt, self.turn))
                ready = self.engine.tilt(ready, pitch, yaw)
            masked = self.engine.mask(ready, wear=style, mask=kind, seed=seed)
        except PhotoRefusedError as refused:
            self.refused = refused.reason
        return {"masked": masked}

    def _drawn(self) -> tuple[str, str]:
        styles, weights = list(self.wear), np.array(list(self.wear.values()))
        style = styles[int(self.random_generator.choice(len(styles), p=weights / weights.sum()))]
        types = suited_types(self.types, style)
        return style, types[int(self.random_generator.integers(len(types)))]

    def _prepared(self, rgb: RgbImage, landmarks: Any) -> Prepared:
        points = None if landmarks is None else np.asarray(landmarks, dtype=np.float64)
        if points is not None:
            if points.ndim != 2 or points.shape[1] < 2:
                raise SynthUsageError(f"expected landmarks of shape (68, 2), got {points.shape}")
            points = points[:, :2]
        if not self.cache:
            return self.engine.prepare(rgb, landmarks=points)
        key = hashlib.blake2b(repr(rgb.shape).encode() + rgb.tobytes() + _bytes(points), digest_size=16).digest()
        found = self._ready.get(key) or self._remember(key, rgb, points)
        self._ready.move_to_end(key)
        if isinstance(found, PhotoRefusedError):
            raise found
        return found

    def _remember(self, key: bytes, rgb: RgbImage, points: FloatArray | None) -> Prepared | PhotoRefusedError:
        """Refusals too: the slow detector has then looked in vain."""
        try:
            self._ready[key] = self.engine.prepare(rgb.copy(), landmarks=points)
        except PhotoRefusedError as refused:
            self._ready[key] = refused.with_traceback(None)
        while len(self._ready) > self.cache:
            self._ready.popitem(last=False)
        return self._ready[key]

    def apply(self, img: RgbImage, masked: MaskedFace | None = None, **params: Any) -> RgbImage:
        """The variant's pixels, or the photo's where there is none."""
        return img if masked is None else masked.rgb

    def apply_with_params(self, params: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Puts what was done beside the image."""
        done: dict[str, Any] = super().apply_with_params(params, *args, **kwargs)
        masked = params.get("masked")
        if masked is not None:
            done[self.style_key] = masked.wear_style
            done[self.state_key] = mask_state_of(masked.wear_style)
        return done

    def __call__(self, *args: Any, force_apply: bool = False, **kwargs: Any) -> Any:
        """As every transform; the keys that say what was done are always there."""
        told = {self.state_key: None, self.style_key: None}
        return super().__call__(*args, force_apply=force_apply, **{**told, **kwargs})


def _weights(wear: str | Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    if isinstance(wear, str):
        wear = (wear,)
    weights = dict(wear) if isinstance(wear, Mapping) else dict.fromkeys(wear, 1.0)
    if not weights:
        raise SynthUsageError("expected at least one wear style")
    for style in weights:
        mask_state_of(style)
    check_weights(weights)
    return {style: float(weight) for style, weight in weights.items()}


def _bytes(points: FloatArray | None) -> bytes:
    return b"" if points is None else points.tobytes()
