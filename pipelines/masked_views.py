"""Faces with a mask drawn on them, read as `models.face_views` reads bare ones: what people seen masked only need."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.reuse import code_digest

if TYPE_CHECKING:
    from models.face_views import FaceViews
    from synth import MaskEngine

MASKED_CACHE = "masked_faces.npz"
STYLES, WEIGHTS = ("correct", "nose_out"), (0.8, 0.2)
"""How the drawn masks are worn: below the nose about as often as on the competition's photos."""


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
        """Return the description of a bare face with a mask on; nan where none can be drawn, or no face is found then.

        Args:
            rgb: (H, W, 3) uint8, RGB.
            landmarks: (68, 2) `x, y` in pixels of the bare face.
        """
        from models.face_views import SIZE
        from synth import MaskEngine, PhotoRefusedError

        if self._engine is None:
            self._engine = MaskEngine()
        seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).digest()[:8], "little")
        wear = str(np.random.default_rng(seed).choice(STYLES, p=WEIGHTS))
        try:
            worn = self._engine.mask(rgb, wear=wear, seed=seed, landmarks=np.asarray(landmarks, dtype=np.float64))
        except PhotoRefusedError:
            return np.full(SIZE, np.nan, dtype=np.float16)
        faces = self._engine.finder.find(worn.rgb, rivals=1.0)
        if not faces:
            return np.full(SIZE, np.nan, dtype=np.float16)
        return self._views.embed(worn.rgb, faces[0].landmarks)
