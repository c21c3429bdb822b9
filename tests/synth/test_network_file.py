"""Reading the face detection network's weights out of dlib's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth.errors import ModelFileError
from synth.finder import CNN_FILE, LANDMARK_FILE, model_file
from synth.network_file import LAYERS, read_network


def test_the_file_holds_seven_convolutions_and_the_detectors_settings() -> None:
    stored = read_network(model_file(CNN_FILE))
    assert [(*layer.weight.shape[2:], layer.weight.shape[0]) for layer in stored.layers] == list(LAYERS)
    assert [layer.stride for layer in stored.layers] == [2, 2, 2, 1, 1, 1, 1]
    assert [layer.padding for layer in stored.layers] == [0, 0, 0, 2, 2, 2, 4]
    for layer in stored.layers:
        assert layer.weight.dtype == layer.bias.dtype == np.float32
        assert layer.bias.shape == layer.weight.shape[3:]
        assert np.isfinite(layer.weight).all()
        assert layer.weight.std() > 0
    assert stored.window == 80
    assert 0.3 < stored.overlap < 0.4
    np.testing.assert_allclose(stored.mean, [122.782, 117.001, 104.298], atol=1e-4)


def damaged(stored: bytes, how: str) -> bytes:
    loss = stored.index(b"loss_mmod_") + 10
    first = stored.index(b"\x05con_4") + 6
    scale = stored.index(b"\x07bn_con2") + 8
    variances = scale + 10 + 4 * 32 + 2 * 10 + 3 * (10 + 4 * 16) + 10
    mean = stored.index(b"input_rgb_image_pyramid") + 23
    changes = {
        "empty": b"",
        "cut in the first convolution": stored[: first + 400],
        "cut in the last": stored[:-9000],
        "settings of another version": stored[:loss] + b"\x01\x03" + stored[loss + 2 :],
        "a window that is no square": stored[: loss + 2] + b"\x01\x51" + stored[loss + 4 :],
        "weights of another version": stored[:first] + b"\x01\x03" + stored[first + 2 :],
        "more filters": stored[: first + 2] + b"\x02\xc1\x04" + stored[first + 5 :],
        "numbers of no length": stored[:first] + b"\x00\x02" + stored[first + 2 :],
        "numbers of more bytes than any has": stored[:first] + b"\x09\x02" + stored[first + 2 :],
        "weights that are no numbers": stored[: first + 11] + b"\xff\xff\xff\x7f" + stored[first + 15 :],
        "a scale of another size": stored[: scale + 4] + b"\x01\x21" + stored[scale + 6 :],
        "variances below zero": stored[:variances] + b"\x00\x00\x80\xbf" + stored[variances + 4 :],
        "an infinite mean": stored[: mean + 4] + b"\x02\x00\x7d" + stored[mean + 6 :],
        "another network": stored.replace(b"\x05con_4", b"\x05con_5"),
    }
    return changes[how]


@pytest.mark.parametrize(
    "how",
    [
        "empty",
        "cut in the first convolution",
        "cut in the last",
        "settings of another version",
        "a window that is no square",
        "weights of another version",
        "more filters",
        "numbers of no length",
        "numbers of more bytes than any has",
        "weights that are no numbers",
        "a scale of another size",
        "variances below zero",
        "an infinite mean",
        "another network",
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, how: str) -> None:
    (tmp_path / "foreign.dat").write_bytes(damaged(model_file(CNN_FILE).read_bytes(), how))
    with pytest.raises(
        ModelFileError, match=r"^foreign\.dat is not dlib's face detection model \(.+\): install"
    ) as told:
        read_network(tmp_path / "foreign.dat")
    assert "\n" not in str(told.value)


def test_another_of_dlibs_files_is_named() -> None:
    with pytest.raises(ModelFileError, match=LANDMARK_FILE):
        read_network(model_file(LANDMARK_FILE))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.dat"):
        read_network(tmp_path / "none.dat")
