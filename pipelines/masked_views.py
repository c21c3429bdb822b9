"""Faces with a mask drawn on them, read as `models.face_views` reads bare ones: what people seen masked only need."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.reuse import code_digest

if TYPE_CHECKING:
    from models.face_views import FaceViews
    from synth import Face, MaskEngine

MASKED_CACHE = "masked_faces.npz"
STYLES, WEIGHTS = ("correct", "nose_out"), (0.8, 0.2)
"""How the drawn masks are worn: below the nose about as often as on the competition's photos."""

_SMALLER = 0.7
"""How much smaller than its landmarks' box the detector's box of a face may be: of 87 real bare faces it is 0.85 times
as large, at least, and a mask hides a part of it."""


class MaskedViews:
    """Puts a mask on a face, looks for the face anew, as behind a real mask it must be, and describes it.

    Which mask is drawn goes by the photo's pixels, so that the same photo gives the same numbers everywhere.

    Args:
        model_path: As for `models.face_views.FaceViews`.
    """

    def __init__(self, model_path: Path | None = None) -> None:
        from models.face_views import FaceViews

        self._views: FaceViews = FaceViews(model_path)
        self.model_path = self._views.model_path
        self.drawing = code_digest("synth", "pipelines.masked_views")
        self._engine: MaskEngine | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None}

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], /) -> NDArray[np.floating[Any]]:
        """Return the description of a bare face with a mask on; nan where none can be drawn, or it isn't found then.

        Args:
            rgb: (H, W, 3) uint8, RGB.
            landmarks: (68, 2) `x, y` in pixels of the bare face.
        """
        from models.face_views import SIZE
        from synth import MaskEngine, PhotoRefusedError

        if self._engine is None:
            self._engine = MaskEngine()
        seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).digest()[:8], "little")
        known = np.asarray(landmarks, dtype=np.float64)
        wear = str(np.random.default_rng(seed).choice(STYLES, p=WEIGHTS))
        try:
            worn = self._engine.mask(rgb, wear=wear, seed=seed, landmarks=known)
        except PhotoRefusedError:
            return np.full(SIZE, np.nan, dtype=np.float16)
        faces = self._engine.finder.find(worn.rgb, partial(_rivals, known=known), partial(_bystander, known=known))
        found = refound(faces, known)
        if found is None:
            return np.full(SIZE, np.nan, dtype=np.float16)
        return self._views.embed(worn.rgb, found.landmarks)


def _rivals(largest: Face, _: tuple[int, ...], known: NDArray[np.float64]) -> float:
    """Return how small other faces are looked for beside the largest found: not at all, unless it is a bystander's."""
    if refound([largest], known) is not None:
        return 1.0
    side = float(np.sqrt(np.prod(known.max(0) - known.min(0))))
    return min(_SMALLER * side / max(float(np.sqrt(largest.area)), 1.0), 1.0)


def _bystander(face: Face, _: tuple[int, ...], known: NDArray[np.float64]) -> bool:
    """Return whether a face is another than the one masked, for which the network is asked then as for any photo."""
    return refound([face], known) is None


def refound(faces: Sequence[Face], known: NDArray[np.float64]) -> Face | None:
    """Return the face that is the one masked: others stand about, and a mask may hide it so that only they are found.

    That is the one whose middle lies nearest to where the bare face's was, within its landmarks' box; None where none
    does.

    Args:
        faces: Found after the mask was drawn.
        known: (68, 2) `x, y` in pixels, landmarks of the bare face.
    """
    low, high = known.min(0), known.max(0)
    # The middles of boxes: behind a mask the lower landmarks are but guessed.
    middles = [face.box.reshape(2, 2).mean(0) for face in faces]
    away = [float(np.linalg.norm(each - (low + high) / 2)) for each in middles]
    inside = [index for index, each in enumerate(middles) if (each >= low).all() and (each <= high).all()]
    return faces[min(inside, key=lambda index: away[index])] if inside else None
