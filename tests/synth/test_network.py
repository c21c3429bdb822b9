"""The face detection network: dlib's own finds the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import pytest

from datasets.portraits import Portrait
from synth import network
from synth.finder import CNN_FILE, model_file
from synth.levels import LEVELS
from synth.network import DIGITS, FaceNetwork, convolved
from synth.network_file import Convolution

Found = list[tuple[list[float], float]]


@pytest.fixture(scope="module")
def ours() -> FaceNetwork:
    return FaceNetwork(model_file(CNN_FILE))


@pytest.fixture(scope="module")
def theirs() -> Any:
    return dlib.cnn_face_detection_model_v1(str(model_file(CNN_FILE)))


def both(ours: FaceNetwork, theirs: Any, rgb: np.ndarray) -> tuple[Found, Found]:
    rgb = np.ascontiguousarray(rgb)
    rects = [(each.rect, float(each.confidence)) for each in theirs(rgb, 0)]
    return (
        [(box.tolist(), score) for box, score in ours.find(rgb)],
        [([box.left(), box.top(), box.right(), box.bottom()], score) for box, score in rects],
    )


def check_alike(mine: Found, others: Found) -> None:
    assert [box for box, _ in mine] == [box for box, _ in others]
    np.testing.assert_allclose([score for _, score in mine], [score for _, score in others], atol=5e-4)


def resized(rgb: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


@pytest.mark.parametrize("size", [(165, 220), (150, 200), (151, 187), (90, 120), (32, 140)])
def test_it_finds_what_dlibs_own_finds(
    ours: FaceNetwork, theirs: Any, drawn: tuple[Portrait, ...], size: tuple[int, int]
) -> None:
    mine, others = both(ours, theirs, resized(drawn[1].rgb, *size))
    assert bool(others) == (min(size) >= 150)  # of 80 pixels, or nearly
    check_alike(mine, others)


def test_several_faces_come_once_each_and_the_surest_first(
    ours: FaceNetwork, theirs: Any, drawn: tuple[Portrait, ...]
) -> None:
    row = np.hstack([resized(portrait.rgb, 180, 240) for portrait in drawn])
    row[:, 360:] = cv2.warpAffine(row[:, 360:], cv2.getRotationMatrix2D((90, 120), 15, 1.0), (180, 240))
    mine, others = both(ours, theirs, row)
    assert len(others) == 3
    check_alike(mine, others)
    scores = [score for _, score in mine]
    assert scores == sorted(scores, reverse=True)
    assert all(round(score, DIGITS) == score for score in scores)


def test_colours_mean_what_they_do_to_dlib(ours: FaceNetwork, theirs: Any, drawn: tuple[Portrait, ...]) -> None:
    small = resized(drawn[0].rgb, 180, 240)
    scores = []
    for rgb in (small, small[:, :, ::-1], small.mean(2, keepdims=True).astype(np.uint8).repeat(3, 2)):
        mine, others = both(ours, theirs, rgb)
        check_alike(mine, others)
        scores += [score for _, score in mine]
    assert len(set(scores)) == 3


def test_photographs_give_what_dlib_finds(ours: FaceNetwork, theirs: Any, realdata: Path) -> None:
    photos = sorted((realdata / "fairface_train_ccby4").glob("*.jpg"))[::700]
    if not photos:
        pytest.skip(f"no FairFace sample in {realdata}")
    found = 0
    for photo in photos:
        mine, others = both(ours, theirs, resized(cv2.imread(str(photo))[:, :, ::-1], 220, 220))
        check_alike(mine, others)
        found += len(mine)
    assert found


@pytest.mark.parametrize("shape", [(32, 32), (220, 32), (33, 300), (150, 151)])
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_there_is_no_face_in_a_flat_picture(ours: FaceNetwork, shape: tuple[int, int], colour: int) -> None:
    assert ours.find(np.full((*shape, 3), colour, np.uint8)) == []


@pytest.mark.parametrize(("step", "edge", "side"), [(1, 0, 3), (2, 0, 5), (1, 2, 5), (2, 1, 3), (1, 0, 1)])
@pytest.mark.parametrize("stripe", [1, 300, 2**18])
def test_a_convolution_is_the_sum_over_its_filters(
    monkeypatch: pytest.MonkeyPatch, step: int, edge: int, side: int, stripe: int
) -> None:
    monkeypatch.setattr(network, "STRIPE", stripe)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(17, 14, 3)).astype(np.float32)
    layer = Convolution(
        rng.normal(size=(side, side, 3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32), step, edge
    )
    padded = np.pad(x, ((edge, edge), (edge, edge), (0, 0)))
    height, width = ((size - side) // step + 1 for size in padded.shape[:2])
    expected = np.empty((height, width, 4))
    for r, c in np.ndindex(height, width):
        seen = padded[r * step : r * step + side, c * step : c * step + side]
        expected[r, c] = np.tensordot(seen, layer.weight, 3) + layer.bias
    np.testing.assert_allclose(convolved(x, layer), expected, atol=1e-4)
    np.testing.assert_allclose(convolved(x, layer, 0), np.maximum(expected, 0), atol=1e-4)


def test_the_levels_sizes_suit_the_faces_it_knows(ours: FaceNetwork) -> None:
    assert all(level.side > 2 * ours._stored.window for level in LEVELS if level.detector == "cnn")
