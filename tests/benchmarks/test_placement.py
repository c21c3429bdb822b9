from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.placement import VIEWS, Outcome, Trial, causes, lost_portrait, passes, picture, seen, tables
from benchmarks.truth import Truth
from tests.benchmarks.builders import portrait, sheet


def outcome(name: str, seed: int, *faults: str, view: str = "upright") -> Outcome:
    return Outcome(name, view, "correct", "cloth", seed, faults)


def printed(table: object) -> str:
    told = io.StringIO()
    Console(width=120, file=told).print(table)
    return " ".join(told.getvalue().split())


def test_a_portrait_passes_if_every_seed_does() -> None:
    outcomes = [outcome("a", 0), outcome("a", 1), outcome("b", 0), outcome("b", 1, "left eye touched on 2.0%")]
    assert passes(outcomes) == {("correct", "cloth", "upright"): 1}


def test_tables_tell_passes_and_causes() -> None:
    outcomes = [outcome("a", 0), outcome("b", 0, "left eye touched on 2.0%"), outcome("c", 0, "refused: no_face, none")]
    (table,) = tables(outcomes, Trial(("upright",), ("correct",), ("cloth",), 1))
    assert "of 3 portraits pass" in printed(table)
    assert table.row_count == 1
    told = printed(causes(outcomes))
    assert "left eye touched" in told
    assert "2.0%" not in told
    assert "refused: no_face" in told


@pytest.mark.parametrize("view", VIEWS)
def test_views_keep_points_on_the_picture(view: str) -> None:
    shown = seen(portrait(), view, clockwise=False)
    height, width = shown.rgb.shape[:2]
    assert ((shown.points >= 0) & (shown.points < [width, height])).all()
    if view == "60 px":
        assert shown.face_width == pytest.approx(60, abs=0.5)


def test_rolls_turn_either_way() -> None:
    drops = [np.diff(seen(portrait(), "roll 30", way).points[[125, 133]], axis=0)[0, 1] for way in (True, False)]
    assert drops[0] > 50
    assert drops[1] < -50


def test_a_failure_is_shown_with_its_spill() -> None:
    truth = Truth(portrait())
    shown = picture(truth, truth.portrait.rgb, sheet(185, 325, 40, 290) >= 0.5, truth.beyond <= 0.06)
    assert (shown[250, 45] == (255, 0, 255)).all()
    assert (truth.portrait.rgb[250, 45] == 128).all()


def test_a_portrait_whose_worker_died_fails_everywhere() -> None:
    lost = lost_portrait(Trial(("upright", "60 px"), ("correct",), ("cloth", "kf94"), 2), (0, Path("a.jpg")))
    assert len(lost) == 8
    assert set(passes(lost).values()) == {0}
