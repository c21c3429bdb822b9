from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from models.embedding import FaceEmbedder, default_model_path, face_chip, jittered
from models.errors import EmbeddingError
from models.face_network import FaceNetwork
from models.face_views import BLOCKS, SIZE, FaceViews, blocks_of

Face = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def face() -> Face:
    """A picture of smooth blobs, and 68 points spread as on a face that looks ahead."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (30, 30, 3), dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    angles = np.linspace(0, np.pi, 17)
    points = np.tile([150.0, 150.0], (68, 1))
    points[:17] = np.stack([150 - 80 * np.cos(angles), 130 + 100 * np.sin(angles)], axis=1)
    points[17:36] = rng.uniform([110, 100], [190, 170], (19, 2))
    points[36:42], points[42:48] = [115.0, 120.0], [185.0, 120.0]
    points[48:] = rng.uniform([125, 190], [175, 205], (20, 2))
    return np.ascontiguousarray(rgb), points


@pytest.fixture(scope="module")
def views() -> FaceViews:
    return FaceViews()


def test_a_description_begins_with_dlibs_embedding_of_about_the_same_face(face: Face, views: FaceViews) -> None:
    told, plain = views.embed(*face), FaceEmbedder().embed(*face)
    assert told.shape == (SIZE,)
    assert told.dtype == np.float16
    assert np.isfinite(told).all()
    other = FaceEmbedder().embed(np.ascontiguousarray(face[0][::-1]), face[1])
    assert np.linalg.norm(told[:128] - plain) < np.linalg.norm(told[:128] - other)


def test_a_description_is_the_mean_over_four_views_of_what_the_network_makes(face: Face, views: FaceViews) -> None:
    import torch

    rgb, points = face
    moved = jittered(points, 2)
    chips = [face_chip(rgb, points), face_chip(rgb, points)[:, ::-1], face_chip(rgb, moved[0])]
    chips.append(face_chip(rgb, moved[1])[:, ::-1])
    embeddings, maps = FaceNetwork(default_model_path(), range(14)).run(np.stack(chips))

    def halves(values: np.ndarray) -> np.ndarray:
        grid = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(values), (4, 4)).numpy()
        folded = np.stack([(grid[..., 0] + grid[..., 3]) / 2, (grid[..., 1] + grid[..., 2]) / 2], axis=-1)
        return folded.reshape(len(values), -1)

    whole = np.concatenate([embeddings, maps[13].reshape(4, -1), halves(maps[9]), halves(maps[6])], axis=1)
    np.testing.assert_allclose(views.embed(rgb, points), whole.mean(axis=0), rtol=2e-3, atol=1e-4)


def test_weights_do_not_travel_with_it(face: Face, views: FaceViews) -> None:
    views.embed(*face)
    assert len(pickle.dumps(views)) < 2_000


def test_the_early_parts_do_not_know_left_from_right(face: Face, views: FaceViews) -> None:
    rgb, points = face
    mirrored = np.ascontiguousarray(rgb[:, ::-1])
    there = points.copy()
    there[:, 0] = rgb.shape[1] - 1 - there[:, 0]
    # In iBUG's order the jaw, the brows and the eyes change sides.
    there[:17] = there[:17][::-1].copy()
    there[36:48] = np.concatenate([there[42:48], there[36:42]])
    one, other = views.embed(rgb, points).astype(float), views.embed(mirrored, there).astype(float)
    upset = views.embed(np.ascontiguousarray(rgb[::-1]), points).astype(float)
    early = slice(SIZE - BLOCKS[-1], SIZE)
    assert np.linalg.norm((one - other)[early]) < 0.5 * np.linalg.norm((one - upset)[early])


def test_the_same_face_gives_the_same_numbers_whatever_came_before_and_in_another_process(
    face: Face, views: FaceViews
) -> None:
    first = views.embed(*face)
    views.embed(np.ascontiguousarray(face[0][::-1]), face[1])
    np.testing.assert_array_equal(views.embed(*face), first)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(views)).embed(*face), first)


def test_describing_a_face_loads_no_torch() -> None:
    script = (
        "import sys, numpy as np; from models.face_views import FaceViews;"
        "points = np.random.default_rng(0).uniform(20, 80, (68, 2));"
        "FaceViews().embed(np.zeros((99, 99, 3), np.uint8), points); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bad_arrays_are_named(face: Face, views: FaceViews) -> None:
    with pytest.raises(EmbeddingError, match=r"\(68, 2\)"):
        views.embed(face[0], face[1][:5])
    with pytest.raises(EmbeddingError, match="uint8"):
        views.embed(face[0].astype(np.float32), face[1])


def test_parts_are_known_by_the_length_of_the_whole() -> None:
    assert blocks_of(SIZE) == BLOCKS
    assert blocks_of(128) == (128,)
