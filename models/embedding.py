"""A face as 128 numbers: dlib's recognition network, which face_recognition wraps.

Its weights are read by path out of the `face_recognition_models` package, which is never imported: that package needs
`pkg_resources`, which newer setuptools no longer has.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import EmbeddingError, SettingsError
from models.face_network import CHIP_SIZE, FaceNetwork

EMBEDDING_SIZE = 128
N_LANDMARKS = 68

_PACKAGE = "face_recognition_models"
_WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
_ENGINE = ("onnx", "onnxruntime")
_JITTER_SEED = 20_201_128
# The outer eye corners of the 68-point scheme: jitter is measured in their distance.
_EYE_CORNERS = (36, 45)


def default_model_path() -> Path:
    """Where the embedding's weights lie in the installed `face_recognition_models`.

    Raises:
        EmbeddingError: the package, or the file in it, is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / "models" / _WEIGHTS
        if path.is_file():
            return path
    raise EmbeddingError(
        f"the face embedding's weights ({_WEIGHTS}) were not found: install face-recognition-models, "
        "or pass model_path with the file's place"
    )


def weights_file(model_path: Path | None = None) -> Path:
    """Where the network's weights lie.

    Args:
        model_path: dlib's `dlib_face_recognition_resnet_model_v1.dat`; `default_model_path` when not given.

    Raises:
        EmbeddingError: they are not there.
    """
    path = default_model_path() if model_path is None else Path(model_path)
    if not path.is_file():
        raise EmbeddingError(f"no embedding weights at {path}: pass the place of {_WEIGHTS}")
    return path


class FaceEmbedder:
    """Embeds one face at a time.

    Where onnx and onnxruntime are installed they run the network (`models.face_network`), at about a twelfth of the
    time that dlib's own code takes; both give the same numbers to within 1e-5.

    The weights are loaded on first use and are left out of pickles, so that an embedder may be handed to worker
    processes. The same photo and landmarks give the same numbers in any order and on any number of workers: dlib's own
    jitter draws from a generator that runs on between calls, so jitter here moves the landmarks instead, by a table
    that never changes.

    Args:
        jitters: how many slightly moved crops of a face to average; 1 takes the face as it lies.
        model_path: dlib's `dlib_face_recognition_resnet_model_v1.dat`; found in `face_recognition_models` by default.

    Raises:
        SettingsError: `jitters` is below 1.
        EmbeddingError: the weights are not there.
    """

    def __init__(self, jitters: int = 1, model_path: Path | None = None) -> None:
        if jitters < 1:
            raise SettingsError(f"jitters must be 1 or more, not {jitters}")
        self.jitters = jitters
        self.engine = "onnx" if all(importlib.util.find_spec(name) for name in _ENGINE) else "dlib"
        self.model_path = weights_file(model_path)
        self._network: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_network": None}

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The embedding of the face whose landmarks are given.

        Args:
            rgb: (H, W, 3) uint8, RGB.
            landmarks: (68, 2) `x, y` in pixels of `rgb`, in iBUG's order; may lie outside the picture.

        Returns:
            (128,) float32. Two photos of one person usually lie within 0.6 of each other (dlib's own figure).

        Raises:
            EmbeddingError: the arrays have another shape or dtype, or the landmarks are not finite.
        """
        points = checked_face(rgb, landmarks)
        picture = np.ascontiguousarray(rgb)
        chips = np.stack([face_chip(picture, each) for each in [points, *jittered(points, self.jitters - 1)]])
        return np.asarray(self._embed_chips(chips).astype(np.float64).mean(axis=0), dtype=np.float32)

    def _embed_chips(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._network is None:
            self._network = FaceNetwork(self.model_path) if self.engine == "onnx" else _load(self.model_path)
        if self.engine == "onnx":
            embeddings: NDArray[np.float32] = self._network.run(chips)[0]
            return embeddings
        return np.array(self._network.compute_face_descriptor(list(chips)), dtype=np.float32)


def face_chip(rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], margin: float = 0.25) -> NDArray[np.uint8]:
    """A face cut out, upright and at the network's size; black where it reaches over the photo's edge.

    Args:
        rgb: (H, W, 3) uint8, RGB, contiguous.
        landmarks: (68, 2) `x, y` in pixels; taken to whole pixels, as dlib does.
        margin: around the face, as a share of it; dlib's network was trained with 0.25.

    Returns:
        (150, 150, 3) uint8, RGB.
    """
    import dlib

    whole = [(round(float(x)), round(float(y))) for x, y in landmarks]
    xs, ys = zip(*whole, strict=True)
    box = dlib.rectangle(min(xs), min(ys), max(xs), max(ys))
    shape = dlib.full_object_detection(box, [dlib.point(x, y) for x, y in whole])
    return np.asarray(dlib.get_face_chip(rgb, shape, CHIP_SIZE, margin), dtype=np.uint8)


def _load(path: Path) -> Any:
    import dlib

    try:
        return dlib.face_recognition_model_v1(str(path))
    except RuntimeError as error:
        raise EmbeddingError(
            f"{path.name} is not dlib's face recognition model ({error}): pass the place of {_WEIGHTS}"
        ) from error


def checked_face(rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The landmarks as (68, 2) float64.

    Raises:
        EmbeddingError: picture or landmarks have another shape or dtype, or the landmarks are not finite.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise EmbeddingError(f"expected an (H, W, 3) uint8 RGB picture, got {rgb.shape} of {rgb.dtype}")
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (N_LANDMARKS, 2):
        raise EmbeddingError(f"expected landmarks of shape ({N_LANDMARKS}, 2), got {points.shape}")
    if not np.isfinite(points).all() or np.abs(points).max() > 1e6:
        raise EmbeddingError("the landmarks are not finite pixel positions: find the face again")
    return points


def jittered(points: NDArray[np.float64], count: int) -> list[NDArray[np.float64]]:
    """`count` copies of the landmarks, each moved, turned and scaled by a little."""
    rng = np.random.default_rng(_JITTER_SEED)
    eyes = float(np.linalg.norm(points[_EYE_CORNERS[0]] - points[_EYE_CORNERS[1]]))
    centre = points.mean(axis=0)
    copies = []
    for _ in range(count):
        angle, scale = rng.normal(0, np.deg2rad(3)), 1 + rng.normal(0, 0.04)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        copies.append((points - centre) @ turn.T + centre + rng.normal(0, 0.03, 2) * eyes)
    return copies
