"""How fast photos are ingested, beside what can't be avoided: reading their bytes and hashing them.

    .venv/bin/python -m benchmarks.ingest [PHOTOS] [--photos 64] [--rounds 3]

Three kinds of work on the same files, through the same worker processes: `floor` reads and hashes; `decode` reads,
hashes and decodes each photo once at the smallest scale, which whoever looks at a photo at all has to do; `ingest` is
what ingesting does, perceptual hash included. Each cold, the files having been dropped from the system's cache, and
warm. By the clock on the wall, so these want a machine with nothing else to do; the processor time of one process,
which is told too, doesn't. Without PHOTOS: noisy pictures of 12 megapixels made here, about 2 MB each as those of
medical-masks are.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.common import evenly
from datasets.finding import PhotoFile, find_photos
from datasets.inspecting import inspect_photo, inspect_photos
from datasets.photos import read_photo
from datasets.workers import Progress, stream_files

SIZE = (3000, 4000)
QUALITY = 90
NOISE = 3.6
"""Standard deviation of the made pictures' grain, levels of 255: it makes a JPEG of them about 2 MB long."""
WORKERS = (1, 2)
KINDS = ("floor", "decode", "ingest")
_SIDE = 256
_BATCH = 8

Key = tuple[str, bool, int]


@dataclass(frozen=True)
class Rate:
    """What one run took: photos and megabytes a second, once its workers had started."""

    photos: float
    megabytes: float


def make_photos(folder: Path, count: int) -> list[Path]:
    """Writes JPEGs of 12 megapixels, each with a grain of its own."""
    paths = []
    for number in range(count):
        generator = np.random.default_rng(number)
        coarse = Image.fromarray(generator.integers(0, 256, (16, 12, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.float32)
        grain = generator.standard_normal((SIZE[1], SIZE[0], 1), dtype=np.float32) * NOISE
        paths.append(folder / f"{number:04d}.jpg")
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(paths[-1], quality=QUALITY)
    return paths


def drop(paths: Sequence[Path]) -> None:
    """Takes files out of the system's cache, as far as it lets go of them, so that the disk is read again."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def floor_photo(photo: PhotoFile) -> str:
    """Reads and hashes."""
    return hashlib.sha256(photo.path.read_bytes()).hexdigest()


def decode_photo(photo: PhotoFile) -> tuple[int, ...]:
    """Reads, hashes and decodes at the smallest scale."""
    return read_photo(photo.path, max_side=_SIDE).rgb.shape


def _plain(function: Callable[[PhotoFile], Any]) -> Callable[[Sequence[PhotoFile], int, Progress], None]:
    def work(photos: Sequence[PhotoFile], workers: int, progress: Progress) -> None:
        done = 0
        batches = stream_files(function, photos, workers=workers, crashed=lambda _: None, batch=_BATCH, isolated=True)
        for batch in batches:
            done += len(batch)
            progress(done, len(photos))

    return work


def _ingest(photos: Sequence[PhotoFile], workers: int, progress: Progress) -> None:
    inspect_photos(photos, workers=workers, progress=progress, batch=_BATCH, isolated=True)


RUNS: dict[str, Callable[[Sequence[PhotoFile], int, Progress], None]] = {
    "floor": _plain(floor_photo),
    "decode": _plain(decode_photo),
    "ingest": _ingest,
}


def rate_of(marks: Sequence[tuple[int, float]], warm: int, size: float) -> Rate:
    """Returns the rate of a run after each worker's first batch.

    Args:
        marks: (photos done, time in seconds) after every batch.
        warm: How many batches to leave out: each worker's first.
        size: Megabytes of a photo, on average.
    """
    (first, since), (last, until) = marks[warm - 1], marks[-1]
    photos = (last - first) / max(until - since, 1e-9)
    return Rate(photos, photos * size)


def run(kind: str, photos: Sequence[PhotoFile], workers: int, cold: bool, size: float) -> Rate:
    """Times one kind of work on all photos."""
    if cold:
        drop([photo.path for photo in photos])
    marks: list[tuple[int, float]] = []
    RUNS[kind](photos, workers, lambda done, _: marks.append((done, time.perf_counter())))
    return rate_of(marks, workers, size)


def processor_times(photos: Sequence[PhotoFile]) -> dict[str, float]:
    """Returns milliseconds of processor time a photo, of each kind, in this process and with the files at hand."""
    works: dict[str, Callable[[PhotoFile], Any]] = {
        "floor": floor_photo,
        "decode": decode_photo,
        "ingest": inspect_photo,
    }
    spent: dict[str, list[float]] = defaultdict(list)
    inspect_photo(photos[0])  # what is imported at first use is no photo's cost
    for photo in photos:
        for kind, work in works.items():
            begun = time.process_time()
            work(photo)
            spent[kind].append(1000 * (time.process_time() - begun))
    return {kind: statistics.median(times) for kind, times in spent.items()}


def table_of(rates: dict[Key, list[Rate]], spent: dict[str, float], title: str) -> Table:
    """Returns all runs: medians, and each one's share of the floor's rate."""
    table = Table(title=title, title_justify="left")
    for name in ("run", "files", "workers", "photos/s", "MB/s", "of the floor", "cpu ms/photo"):
        table.add_column(name, justify="left" if name in ("run", "files") else "right")
    medians = {key: statistics.median(rate.photos for rate in some) for key, some in rates.items()}
    for (kind, cold, workers), rate in medians.items():
        megabytes = statistics.median(each.megabytes for each in rates[kind, cold, workers])
        share = f"{rate / medians['floor', cold, workers]:.0%}"
        files = "cold" if cold else "warm"
        table.add_row(kind, files, str(workers), f"{rate:.1f}", f"{megabytes:.0f}", share, f"{spent[kind]:.1f}")
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="where made pictures go; on the disk to be measured")
    return parser.parse_args()


def main() -> int:
    """Runs the benchmark; 2 where there are too few photos to run it on."""
    given = _arguments()
    with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
        if given.folder is None:
            make_photos(Path(scratch), given.photos)
        elif not given.folder.is_dir():
            print(f"no folder {given.folder}: name one of photos", file=sys.stderr)
            return 2
        photos = evenly(find_photos(given.folder or Path(scratch))[0], given.photos)
        if len(photos) < 2 * _BATCH * max(WORKERS):
            print(f"{len(photos)} photos: at least {2 * _BATCH * max(WORKERS)} are needed", file=sys.stderr)
            return 2
        size = statistics.mean(photo.path.stat().st_size for photo in photos) / 1e6
        spent = processor_times(photos[:16])
        rates: dict[Key, list[Rate]] = defaultdict(list)
        print(f"load before the runs: {os.getloadavg()[0]:.1f} (more than 1 spoils the rates, not the processor time)")
        for _ in range(given.rounds):
            for workers in WORKERS:
                for cold in (True, False):
                    for kind in KINDS:
                        rates[kind, cold, workers].append(run(kind, photos, workers, cold, size))
    title = f"{len(photos)} photos of {size:.1f} MB, median of {given.rounds} rounds"
    Console(width=120).print(table_of(rates, spent, title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
