from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.photos import read_photo
from models.embedding import FaceEmbedder, default_model_path
from models.errors import EmbeddingError, SettingsError


@pytest.fixture(scope="module")
def face(realdata: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64], Any]:
    """A portrait, its 68 landmarks as dlib places them, and the box they were found in."""
    import dlib

    rgb = read_photo(sorted((realdata / "london_ccby4").glob("*.jpg"))[0], max_side=512).rgb
    box = max(dlib.get_frontal_face_detector()(rgb, 0), key=lambda each: each.area())
    predictor = dlib.shape_predictor(str(default_model_path().with_name("shape_predictor_68_face_landmarks.dat")))
    shape = predictor(rgb, box)
    return rgb, np.array([(p.x, p.y) for p in shape.parts()], dtype=np.float64), box


def test_embedding_is_the_one_face_recognition_gives(face: Any) -> None:
    rgb, landmarks, box = face
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition
    place = [(box.top(), box.right(), box.bottom(), box.left())]
    theirs = face_recognition.face_encodings(rgb, place, num_jitters=1, model="large")[0]
    ours = FaceEmbedder().embed(rgb, landmarks)
    assert ours.dtype == np.float32
    assert ours.shape == (128,)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_without_onnxruntime_dlib_itself_gives_the_same(face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb, landmarks, _ = face
    quick = FaceEmbedder(jitters=2)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name))
    without = FaceEmbedder(jitters=2)
    assert (quick.engine, without.engine) == ("onnx", "dlib")
    np.testing.assert_allclose(without.embed(rgb, landmarks), quick.embed(rgb, landmarks), atol=1e-5)


def test_jitter_stays_close_and_does_not_depend_on_what_came_before(face: Any) -> None:
    rgb, landmarks, _ = face
    plain = FaceEmbedder().embed(rgb, landmarks)
    embedder = FaceEmbedder(jitters=3)
    first = embedder.embed(rgb, landmarks)
    embedder.embed(rgb[:, ::-1], landmarks)
    np.testing.assert_array_equal(first, embedder.embed(rgb, landmarks))
    assert 0 < np.linalg.norm(first - plain) < 0.3


def test_an_embedder_survives_a_trip_to_another_process(face: Any) -> None:
    rgb, landmarks, _ = face
    embedder = FaceEmbedder()
    before = embedder.embed(rgb, landmarks)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).embed(rgb, landmarks), before)


def test_landmarks_off_the_picture_still_embed(face: Any) -> None:
    rgb, landmarks, _ = face
    assert np.isfinite(FaceEmbedder().embed(rgb[:, : rgb.shape[1] // 2], landmarks)).all()


@pytest.mark.parametrize(
    ("rgb", "landmarks", "message"),
    [
        (np.zeros((9, 9), np.uint8), np.zeros((68, 2)), r"\(H, W, 3\) uint8"),
        (np.zeros((9, 9, 3), np.float32), np.zeros((68, 2)), "float32"),
        (np.zeros((9, 9, 3), np.uint8), np.zeros((5, 2)), r"\(68, 2\)"),
        (np.zeros((9, 9, 3), np.uint8), np.full((68, 2), np.nan), "finite"),
    ],
)
def test_wrong_arrays_are_named(rgb: Any, landmarks: Any, message: str) -> None:
    with pytest.raises(EmbeddingError, match=message):
        FaceEmbedder().embed(rgb, landmarks)


def test_missing_or_foreign_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="no embedding weights"):
        FaceEmbedder(model_path=tmp_path / "none.dat")
    foreign = tmp_path / "foreign.dat"
    foreign.write_bytes(b"not a network")
    with pytest.raises(EmbeddingError, match="not dlib's"):
        FaceEmbedder(model_path=foreign).embed(
            np.zeros((99, 99, 3), np.uint8), np.random.default_rng(0).random((68, 2))
        )
    with pytest.raises(SettingsError, match="jitters"):
        FaceEmbedder(jitters=0)


def test_importing_the_room_loads_neither_torch_nor_dlib() -> None:
    script = (
        "import sys, models, models.errors, models.settings, models.embedding, models.gender;"
        "print([m for m in ('torch', 'dlib', 'timm', 'albumentations', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
