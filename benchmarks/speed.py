"""How long masking takes beside what can't be avoided: reading a photo, finding its face, writing the result.

    .venv/bin/python -m benchmarks.speed [PHOTOS] [--photos 60] [--rounds 3]

Every stage is timed on the same photos in the same process, photo by photo, and the rounds are interleaved, so that the
ratios hold on a machine whose speed drifts. Without PHOTOS: the folder fairface540_ccby4 below PALETTE_REALDATA
(default ../shared/realdata), and a line that says so where it is missing.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PIL import Image
from rich.console import Console
from rich.table import Table

from datasets.photos import find_photos, read_photo
from synth import MaskEngine, PhotoRefusedError
from synth.framing import Size

REPOSITORY = Path(__file__).resolve().parents[1]
SIZE = Size(384, 512)
VARIANTS = 7
Result = TypeVar("Result")


class Clock:
    """Milliseconds of processor time by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(list)

    def time(self, stage: str, work: Callable[[], Result]) -> Result:
        """Does the work and books its time under a stage."""
        start = time.process_time()
        result = work()
        self.spent[stage].append(1000 * (time.process_time() - start))
        return result


def measure(path: Path, engine: MaskEngine, clock: Clock, seed: int) -> bool:
    """One photo through every stage; False if it is refused."""
    photo = clock.time("decode", lambda: read_photo(path, max_side=1600))
    clock.time("find face, 68 points", lambda: engine.finder.find(photo.rgb))
    try:
        # Finds the face again: taken off below, as the median of the stage above.
        ready = clock.time("prepare", lambda: engine.prepare(photo.rgb, size=SIZE))
        masked = clock.time("mask, one variant", lambda: engine.mask(ready, wear="correct", seed=seed))
    except PhotoRefusedError:
        return False
    clock.time("encode, one variant", lambda: Image.fromarray(masked.rgb).save(io.BytesIO(), "JPEG", quality=92))
    return True


def table(clock: Clock, photos: int) -> Table:
    """The stages' medians and what follows from them."""
    median = {stage: statistics.median(times) for stage, times in clock.spent.items()}
    mean = {stage: statistics.fmean(times) for stage, times in clock.spent.items()}
    shown = Table(
        title=f"{photos} photos, {SIZE.width}x{SIZE.height}, processor time of one core", title_justify="left"
    )
    for name in ("stage", "median ms", "mean ms"):
        shown.add_column(name, justify="left" if name == "stage" else "right")
    for stage in clock.spent:
        shown.add_row(stage, f"{median[stage]:.1f}", f"{mean[stage]:.1f}")
    once = mean["decode"] + mean["find face, 68 points"]
    frame = max(mean["prepare"] - mean["find face, 68 points"], 0.0)
    for count in (1, VARIANTS):
        floor = once + count * mean["encode, one variant"]
        whole = floor + frame + count * mean["mask, one variant"]
        shown.add_row(
            f"{count} variants: floor / whole", f"{floor:.0f} / {whole:.0f}", f"{floor / whole:.0%} of its rate"
        )
    return shown


def main() -> int:
    """Runs the benchmark; 2 where there are no photos to run it on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    realdata = Path(os.environ.get("PALETTE_REALDATA", REPOSITORY.parent / "shared" / "realdata"))
    parser.add_argument("folder", nargs="?", type=Path, default=realdata / "fairface540_ccby4")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if not given.folder.is_dir():
        print(f"no photos at {given.folder}: name a folder, or set PALETTE_REALDATA", file=sys.stderr)
        return 2
    found, _ = find_photos(given.folder)
    chosen = found[:: max(len(found) // given.photos, 1)][: given.photos]
    engine, clock = MaskEngine(), Clock()
    measure(chosen[0].path, engine, Clock(), 0)  # loads the models
    used = sum(measure(photo.path, engine, clock, n) for n in range(given.rounds) for photo in chosen)
    Console().print(table(clock, used // max(given.rounds, 1)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
