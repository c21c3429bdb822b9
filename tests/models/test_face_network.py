from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from models.embedding import default_model_path
from models.errors import EmbeddingError
from models.face_network import CHIP_SIZE, FaceNetwork, read_weights


@pytest.fixture(scope="module")
def network() -> FaceNetwork:
    return FaceNetwork(default_model_path(), range(14))


def chips(count: int, seed: int = 0) -> np.ndarray:
    """Pictures of smooth blobs, so that filters of every size have something to answer to."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (count, 15, 15, 3), dtype=np.uint8)
    return np.ascontiguousarray(rough.repeat(10, axis=1).repeat(10, axis=2))


def test_it_gives_the_numbers_that_dlib_gives(network: FaceNetwork) -> None:
    import dlib

    pictures = chips(3)
    theirs = dlib.face_recognition_model_v1(str(default_model_path())).compute_face_descriptor(list(pictures))
    ours, _ = network.run(pictures)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, np.array([list(each) for each in theirs]), atol=1e-5)


def test_every_block_is_told_and_the_last_one_makes_the_embedding(network: FaceNetwork) -> None:
    embeddings, maps = network.run(chips(2))
    assert embeddings.shape == (2, 128)
    assert [each.shape for each in maps[::13]] == [(2, 32, 35, 35), (2, 256, 2, 2)]
    assert len(maps) == 14
    assert all((each >= 0).all() and each.dtype == np.float32 for each in maps)
    _, last = read_weights(default_model_path())
    np.testing.assert_allclose(maps[-1].mean((2, 3)) @ last, embeddings, atol=1e-5)


def test_blocks_are_told_in_the_order_asked_for(network: FaceNetwork) -> None:
    embeddings, maps = network.run(chips(1))
    fewer, told = FaceNetwork(default_model_path(), (13, 6)).run(chips(1))
    np.testing.assert_allclose(fewer, embeddings, atol=1e-5)
    assert len(told) == 2
    for each, block in zip(told, (13, 6), strict=True):
        np.testing.assert_allclose(each, maps[block], atol=1e-4)


def test_it_runs_on_one_thread(network: FaceNetwork) -> None:
    options = network._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_it_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EmbeddingError, match="install the extra `train`"):
        FaceNetwork(default_model_path())


def test_weights_are_those_of_29_convolutions() -> None:
    layers, last = read_weights(default_model_path())
    assert len(layers) == 29
    assert layers[0][0].shape == (32, 3, 7, 7)
    assert last.shape == (256, 128)
    assert all(np.isfinite(weight).all() and weight.std() > 0 for weight, _ in layers)
    assert CHIP_SIZE == 150


@pytest.mark.parametrize("change", ["empty", "cut", "another_version", "long_number"])
def test_another_file_is_named(tmp_path: Path, change: str) -> None:
    stored = default_model_path().read_bytes()
    first = stored.index(b"\x05con_4") + 7
    content = {
        "empty": b"",
        "cut": stored[: len(stored) // 2],
        "another_version": stored[:first] + b"\x07" + stored[first + 1 :],
        # A number of more bytes than any has, whose value would pass.
        "long_number": stored[: first - 1] + bytes([9, 2, *[0] * 8]) + stored[first + 1 :],
    }
    (tmp_path / "foreign.dat").write_bytes(content[change])
    with pytest.raises(EmbeddingError, match=r"foreign\.dat is not dlib's face recognition model"):
        read_weights(tmp_path / "foreign.dat")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"none\.dat"):
        read_weights(tmp_path / "none.dat")
