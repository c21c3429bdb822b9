from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.floor import SIZE, FloorJob, framed, plain_find, plain_floor_photo
from benchmarks.speed import Key, Run, median_rate, run_table, steady, verdicts
from benchmarks.stages import PLANS, STAGES, Clock, stage_table, whole_table
from synth.plans import get_plan
from tests.synth.builders import paint


def clock(floor: float, whole: float, compose: float) -> Clock:
    made = Clock()
    for stage in STAGES:
        made.spent[stage] = [1.0, 1.0]
    made.spent["compose one variant"] = [compose]
    for count in PLANS:
        made.spent[f"floor {count}"], made.spent[f"mask {count}"] = [floor], [whole]
    return made


def runs(one: float, two: float) -> dict[tuple[str, int, int], list[Run]]:
    rates = {1: one, 2: two}
    return {
        (kind, variants, workers): [Run(rate, 1.0, 0.5)]
        for kind in ("floor", "mask")
        for variants in PLANS
        for workers, rate in rates.items()
    }


def test_the_plans_give_what_is_said() -> None:
    assert all(get_plan(name).per_photo == count for count, name in PLANS.items())


def test_a_rate_leaves_the_workers_first_batches_out() -> None:
    marks = [(4, 10.0), (8, 10.5), (12, 11.5), (16, 12.5)]
    assert steady(marks, 1, 0.0, 13.0) == Run(12 / 2.5, 10.0, 0.5)
    assert steady(marks, 2, 0.0, 13.0) == Run(8 / 2.0, 10.5, 0.5)


@pytest.mark.parametrize(
    ("measured", "met"),
    [((clock(8, 10, 7.9), runs(10, 19)), True), ((clock(8, 14, 8.1), runs(10, 17)), False)],
)
def test_targets_are_told_met_or_missed(measured: tuple[Clock, dict[Key, list[Run]]], met: bool) -> None:
    told = verdicts(*measured)
    assert len(told) == 5
    assert all(result is met for _, _, result in told)


def test_without_runs_their_targets_are_left_out() -> None:
    assert len(verdicts(clock(8, 10, 2), {})) == 3


def test_tables_have_a_row_for_each_thing_measured() -> None:
    measured, whole = clock(8, 10, 3), runs(10, 20)
    assert stage_table(measured).row_count == len(STAGES)
    assert whole_table(measured).row_count == len(PLANS)
    assert run_table(whole, 8, 1).row_count == len(whole)
    assert median_rate(whole, ("mask", 7, 2)) == 20


def test_the_floor_writes_a_picture_a_variant(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    Image.fromarray(paint().rgb).save(source)
    out = tmp_path / "out"
    out.mkdir()
    assert plain_floor_photo(FloorJob(out, 3), source) == 3
    assert {Image.open(path).size for path in out.glob("*.jpg")} == {(SIZE.width, SIZE.height)}
    assert len(list(out.glob("*.jpg"))) == 3


def test_the_plain_look_finds_no_face_where_there_is_none() -> None:
    grey = np.full((500, 400, 3), 90, dtype=np.uint8)
    assert plain_find(grey) is False
    assert framed(grey).shape == (SIZE.height, SIZE.width, 3)
