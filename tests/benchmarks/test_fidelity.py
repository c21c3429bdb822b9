from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.fidelity import CAPTION, TILE, Shot, cut_out, write
from benchmarks.sureness import WIDEST_MARGIN, margin, score, terms
from synth import MaskEngine
from synth.coverage import Coverage
from tests.synth.builders import paint


def test_a_coverage_near_another_style_has_little_margin() -> None:
    far, near = Coverage(1.0, 1.0, 0.95, 0.0), Coverage(1.0, 1.0, 0.752, 0.0)
    assert margin(far, "correct") == WIDEST_MARGIN
    assert margin(near, "correct") < 0.005


def test_a_turned_head_is_less_sure() -> None:
    engine, found = MaskEngine(), []
    for yaw in (0.0, 35.0):
        face = paint(yaw)
        ready = engine.prepare(face.rgb, landmarks=face.landmarks)
        found.append(terms(ready, engine.mask(ready, seed=1), engine.gate))
    straight, turned = found
    assert all(0 <= value <= 1 for value in (*straight.values(), *turned.values()))
    assert turned["yaw"] == pytest.approx(35 / engine.gate.max_yaw, abs=0.05)
    assert score(turned) > score(straight)


@pytest.mark.parametrize("centre", [(150.0, 122.0), (60.0, 60.0), (290.0, 300.0)])
def test_a_tile_is_cut_within_the_photo(centre: tuple[float, float]) -> None:
    face = paint(centre=centre)
    assert cut_out(face.rgb, face.landmarks).shape == (TILE, TILE, 3)


def test_sheets_and_their_scores_are_written(tmp_path: Path) -> None:
    rgb, tile = np.zeros((60, 40, 3), np.uint8), np.full((TILE, TILE, 3), 200, np.uint8)
    shots = [Shot(f"set/photo{n}", "correct", "cloth", rgb, tile, {"yaw": n / 10, "fit": 0.1}) for n in range(9)]
    write(shots, "random", tmp_path)
    assert Image.open(tmp_path / "random.png").size == (8 * TILE, 2 * (TILE + CAPTION))
    assert len(list((tmp_path / "random").glob("*.jpg"))) == 9
    lines = (tmp_path / "random.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("number,photo,wear_style,mask_type,score,yaw,fit")
