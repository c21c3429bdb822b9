"""Processor time of masking, stage by stage and as a whole beside its floor, photo by photo in one process.

Everything is timed on the same photo one after the other and in rounds, so that ratios hold on a machine whose speed
drifts or that has other work to do.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from PIL import Image
from rich.table import Table

from benchmarks.floor import QUALITY, SIZE, FloorJob, encode, floor_photo, plain_find, plain_floor_photo
from datasets.photos import read_photo
from pipelines.masking import read_for_masking
from synth import MaskEngine, PhotoRefusedError, list_wear_styles
from synth.output import write_jpeg
from synth.plans import get_plan
from synth.run import DECODE_SIDE, Job, PhotoTask, Settings, mask_photo
from synth.wear import NOT_WEAR

PLANS = {1: "wear", 7: "competition"}
"""The plan that gives a photo this many variants."""

Result = TypeVar("Result")


class Clock:
    """Milliseconds of processor time by name."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(list)

    def time(self, name: str, work: Callable[[], Result]) -> Result:
        """Does the work and books its time."""
        start = time.process_time()
        result = work()
        self.spent[name].append(1000 * (time.process_time() - start))
        return result

    def mean(self, name: str) -> float:
        """Of all times booked under a name."""
        return statistics.fmean(self.spent[name])


def job(out: Path, variants: int) -> Job:
    """A run of masking that gives each photo this many variants."""
    return Job(Settings(get_plan(PLANS[variants]), SIZE, quality=QUALITY), out, read_for_masking)


def task(path: Path) -> PhotoTask:
    """One photo of such a run."""
    return PhotoTask(f"folder:{path.name}", path, path.stem)


def usable(path: Path, out: Path) -> bool:
    """Whether a photo gets all its variants: a refused one would be cheap for a reason that says nothing."""
    return all(len(mask_photo(job(out, count), task(path))["variants"]) == count for count in PLANS)


def time_stages(path: Path, engine: MaskEngine, out: Path, turn: int, clock: Clock) -> None:
    """One photo through every stage, each by itself."""
    photo = clock.time("decode", lambda: read_photo(path, max_side=DECODE_SIDE))
    faces = clock.time("find face, 68 points", lambda: engine.find(photo.rgb))
    try:
        ready = clock.time("pose, gate, frame, light", lambda: engine.prepare(photo.rgb, found=faces, size=SIZE))
        styles = [style for style in list_wear_styles() if style != NOT_WEAR]
        style = styles[turn % len(styles)]
        masked = clock.time("compose one variant", lambda: engine.mask(ready, wear=style, seed=turn))
    except PhotoRefusedError:
        return
    clock.time("encode, hash, write it", lambda: write_jpeg(masked.rgb, out / "variant.jpg", QUALITY))
    clock.time("encode it, no more", lambda: encode(masked.rgb, out / "encoded.jpg"))
    clock.time("decode it", lambda: Image.open(out / "encoded.jpg").convert("RGB"))


def time_wholes(path: Path, out: Path, clock: Clock) -> None:
    """One photo masked as a run does it, and the floor of that, with 1 and 7 variants."""
    floors = {"": floor_photo}
    if plain_find(read_photo(path, max_side=DECODE_SIDE).rgb):
        floors[" plain"] = plain_floor_photo
    for count in PLANS:
        for name, floor in floors.items():
            clock.time(f"floor{name} {count}", partial(floor, FloorJob(out, count), path))
            clock.time(f"mask{name} {count}", partial(mask_photo, job(out, count), task(path)))


def measure(paths: Sequence[Path], out: Path, rounds: int) -> Clock:
    """All photos, `rounds` times."""
    engine, clock = MaskEngine(), Clock()
    for turn in range(rounds):
        for number, path in enumerate(paths):
            time_stages(path, engine, out, turn + number, clock)
            time_wholes(path, out, clock)
    return clock


STAGES = (
    *("decode", "find face, 68 points", "pose, gate, frame, light", "compose one variant"),
    *("encode, hash, write it", "encode it, no more", "decode it"),
)


def stage_table(clock: Clock) -> Table:
    """Median, mean and the middle nine tenths of every stage."""
    table = Table(title=f"stages, ms of processor time, {SIZE.width}x{SIZE.height}", title_justify="left")
    for name in ("stage", "median", "mean", "5 % to 95 %"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for stage in STAGES:
        times = sorted(clock.spent[stage])
        low, high = times[len(times) // 20], times[-1 - len(times) // 20]
        table.add_row(stage, f"{statistics.median(times):.1f}", f"{clock.mean(stage):.1f}", f"{low:.1f} to {high:.1f}")
    return table


def whole_table(clock: Clock) -> Table:
    """A photo's whole work beside its floor."""
    table = Table(title="a photo as a whole, mean ms of processor time", title_justify="left")
    for name in ("variants", "face found by", "photos", "floor", "masked", "of the floor's rate"):
        table.add_column(name, justify="right")
    for count in PLANS:
        for name, told in (("", "the finder, as it needs"), (" plain", "one look at 320 px")):
            if times := clock.spent.get(f"mask{name} {count}"):
                floor, whole = clock.mean(f"floor{name} {count}"), clock.mean(f"mask{name} {count}")
                table.add_row(str(count), told, str(len(times)), f"{floor:.1f}", f"{whole:.1f}", f"{floor / whole:.0%}")
    return table


def share_of_floor(clock: Clock, count: int, name: str = "") -> float | None:
    """The rate of masking with this many variants a photo over that of its floor.

    Args:
        clock: what was measured.
        count: variants a photo.
        name: empty for all photos and the finder's own floor; ` plain` for those that one cheap look suffices for,
            and the floor of that look.
    """
    if f"mask{name} {count}" not in clock.spent:
        return None
    return clock.mean(f"floor{name} {count}") / clock.mean(f"mask{name} {count}")


def compose_ratio(clock: Clock) -> float:
    """Composing a variant over decoding and encoding it."""
    return clock.mean("compose one variant") / (clock.mean("decode it") + clock.mean("encode it, no more"))


def profile(path: Path, variants: int = 40) -> str:
    """Where composing spends its time, function by function, on one photo."""
    engine = MaskEngine()
    ready = engine.prepare(read_photo(path, max_side=DECODE_SIDE).rgb, size=SIZE)
    with cProfile.Profile() as profiler:
        for seed in range(variants):
            engine.mask(ready, wear="correct", seed=seed)
    told = io.StringIO()
    pstats.Stats(profiler, stream=told).sort_stats("tottime").print_stats(18)
    return told.getvalue()
