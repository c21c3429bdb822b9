"""How fast masking is beside what can't be avoided: reading a photo, finding its face, writing the result.

    .venv/bin/python -m benchmarks.speed [PHOTOS] [--photos 128] [--rounds 3]

First the stages of a photo's work and the whole of it, in processor time of one process (`benchmarks/stages.py`). Then
whole runs of masking beside runs of the floor through the same worker processes, with 1 and 7 variants a photo and 1
and 2 workers, by the clock on the wall: these want a machine with nothing else to do. A rate is that of the photos
after each worker's first batch, so that starting processes and loading models, which a long run does once, is told
apart. Without PHOTOS: the folder fairface540_ccby4 among the real photographs (`benchmarks/common.py`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.common import evenly, realdata
from benchmarks.floor import QUALITY, SIZE, FloorJob, floor_photo
from benchmarks.stages import (
    PLANS,
    Clock,
    compose_ratio,
    measure,
    profile,
    share_of_floor,
    stage_table,
    task,
    usable,
    whole_table,
)
from datasets.photos import find_photos
from pipelines.executors import stream_batches
from pipelines.masking import BATCH, MaskInput, MaskOptions, mask_photos

WORKERS = (1, 2)
FEWEST_BATCHES = 4
"""A worker, for a whole run: the first is left out, since it loads the models."""
LEAST_SHARE = {1: 0.65, 7: 0.60}
"""Of the floor's rate, by variants a photo."""
MOST_COMPOSE, LEAST_SPEEDUP = 4.0, 1.8


@dataclass(frozen=True)
class Run:
    """One run's photos a second once its workers are warm, and the seconds before and after that."""

    rate: float
    start: float
    finish: float


def steady(marks: Sequence[tuple[int, float]], warm: int, begun: float, ended: float) -> Run:
    """A run's rate.

    Args:
        marks: (photos done, time in seconds) after every batch.
        warm: how many batches to leave out: each worker's first.
        begun, ended: of the whole run, seconds.
    """
    (first, since), (last, until) = marks[warm - 1], marks[-1]
    return Run((last - first) / max(until - since, 1e-9), since - begun, ended - until)


def mask_run(paths: Sequence[Path], variants: int, workers: int) -> Run:
    """A whole run of masking, as `palette mask` does it."""
    tasks = [task(path) for path in paths]
    rows = {each.photo_id: {"source": "folder", "person_id": each.photo_id, "licence": "CC-BY-4.0"} for each in tasks}
    options = MaskOptions(plan=PLANS[variants], size=(SIZE.width, SIZE.height), quality=QUALITY, workers=workers)
    marks: list[tuple[int, float]] = []

    def progress(done: int, _: int) -> None:
        if done:
            marks.append((done, time.perf_counter()))

    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        mask_photos(MaskInput(tasks, rows), Path(out), options, progress)
        return steady(marks, workers, begun, time.perf_counter())


def floor_run(paths: Sequence[Path], variants: int, workers: int) -> Run:
    """The floor of the same photos through the same workers."""
    marks: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as out:
        begun, done = time.perf_counter(), 0
        work = partial(floor_photo, FloorJob(Path(out), variants))
        for batch in stream_batches(work, paths, workers=workers, crashed=lambda _: 0, batch=BATCH):
            done += len(batch)
            marks.append((done, time.perf_counter()))
        return steady(marks, workers, begun, time.perf_counter())


Key = tuple[str, int, int]
RUNS: dict[str, Callable[[Sequence[Path], int, int], Run]] = {"floor": floor_run, "mask": mask_run}


def all_runs(paths: Sequence[Path], rounds: int) -> dict[Key, list[Run]]:
    """Every run, round after round, by (kind, variants, workers)."""
    runs: dict[Key, list[Run]] = defaultdict(list)
    for _ in range(rounds):
        for variants in PLANS:
            for workers in WORKERS:
                for kind, run in RUNS.items():
                    runs[kind, variants, workers].append(run(paths, variants, workers))
    return runs


def median_rate(runs: dict[Key, list[Run]], key: Key) -> float:
    """Photos a second."""
    return statistics.median(run.rate for run in runs[key])


def run_table(runs: dict[Key, list[Run]], photos: int, rounds: int) -> Table:
    """Rates of all runs, with the spread over the rounds."""
    table = Table(title=f"whole runs of {photos} photos, median of {rounds} rounds", title_justify="left")
    names = (
        "run",
        "variants",
        "workers",
        "photos/s",
        "least to most",
        "variants/s",
        "of the floor",
        "start s",
        "end s",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "run" else "right")
    for key in sorted(runs, key=lambda key: (key[1], key[2], key[0])):
        kind, variants, workers = key
        rate, rates = median_rate(runs, key), [run.rate for run in runs[key]]
        share = "" if kind == "floor" else f"{rate / median_rate(runs, ('floor', variants, workers)):.0%}"
        spread = f"{min(rates):.1f} to {max(rates):.1f}"
        start, finish = (statistics.median(getattr(r, name) for r in runs[key]) for name in ("start", "finish"))
        made = f"{rate * variants:.1f}"
        table.add_row(
            kind, str(variants), str(workers), f"{rate:.1f}", spread, made, share, f"{start:.1f}", f"{finish:.1f}"
        )
    return table


def verdicts(clock: Clock, runs: dict[Key, list[Run]]) -> list[tuple[str, str, bool]]:
    """Each target: what it asks, what was measured, whether it is met."""
    told = []
    for count, least in LEAST_SHARE.items():
        for name, where in (("", "all photos"), (" plain", "photos that one look at 320 px suffices for")):
            share = share_of_floor(clock, count, name)
            if share is not None:
                asked = f"{count} variants, {where}: at least {least:.0%} of the floor's rate"
                told.append((asked, f"{share:.0%}", share >= least))
    ratio = compose_ratio(clock)
    asked = f"composing a {SIZE.width}x{SIZE.height} variant: at most {MOST_COMPOSE:.0f} times decoding and encoding it"
    told.append((asked, f"{ratio:.1f}", ratio <= MOST_COMPOSE))
    for variants in PLANS if runs else ():
        gain = median_rate(runs, ("mask", variants, 2)) / median_rate(runs, ("mask", variants, 1))
        asked = f"2 workers, {variants} variants: at least {LEAST_SPEEDUP} times 1 worker"
        told.append((asked, f"{gain:.2f}", gain >= LEAST_SPEEDUP))
    return told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photos", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stages-only", action="store_true", help="leave the runs with worker processes out")
    parser.add_argument("--profile", action="store_true", help="show where composing spends its time, and no more")
    return parser.parse_args()


def main() -> int:
    """Runs the benchmark; 1 where a target is missed, 2 where there are no photos to run it on."""
    given, console = _arguments(), Console(width=120)
    folder = given.folder or realdata("fairface540_ccby4")
    if not folder.is_dir():
        print(f"no folder {folder}: name one of photos", file=sys.stderr)
        return 2
    found = [photo.path for photo in find_photos(folder)[0]]
    # As in a run's workers: what idle threads spin away is processor time, too.
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        out = Path(scratch)
        looked = evenly(found, given.photos)
        paths = [path for path in looked if usable(path, out)]
        if not paths:
            print(f"no photo of {folder} gets all its variants: nothing to time", file=sys.stderr)
            return 2
        if given.profile:
            print(profile(paths[0]))
            return 0
        clock = measure(paths, out, given.rounds)
    print(f"{len(paths)} of {len(looked)} photos get all their variants and are timed; {given.rounds} rounds")
    console.print(stage_table(clock))
    console.print(whole_table(clock))
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    # With fewer batches than that, the last ones end together, and no rate can be told.
    enough = len(paths) >= FEWEST_BATCHES * BATCH * max(WORKERS)
    if not enough and not given.stages_only:
        print(f"too few photos for whole runs: at least {FEWEST_BATCHES * BATCH * max(WORKERS)}, not {len(paths)}")
    runs = all_runs(paths, given.rounds) if enough and not given.stages_only else {}
    if runs:
        print(f"load before the runs: {busy:.1f} (about 1 is this benchmark's own; more spoils what follows)")
        console.print(run_table(runs, len(paths), given.rounds))
    results = verdicts(clock, runs)
    for asked, measured, met in results:
        print(f"{'met   ' if met else 'MISSED'}  {measured:>5}  {asked}")
    return 0 if all(met for _, _, met in results) else 1


if __name__ == "__main__":
    sys.exit(main())
