"""Whether masks sit where they belong, on portraits whose points were placed by hand.

    .venv/bin/python -m benchmarks.placement [--portraits 22] [--seeds 3] [--pictures FOLDER]

The engine finds the face by itself and draws every mask type in every wear style; what its sheet hides is compared with
the hand-placed points (`benchmarks/truth.py` says what each style asks). A portrait passes if every seed does. Each is
tried upright, rolled by 15, 30 and 45 degrees (every other one anticlockwise) and scaled to a face 60 pixels wide.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.common import PORTRAITS, Portrait, evenly, load_portrait, outside_repository, realdata, rolled, scaled
from benchmarks.truth import HIDDEN, RULES, Truth
from pipelines.executors import stream_batches
from synth import MaskEngine, PhotoRefusedError, list_mask_types, list_wear_styles
from synth.arrays import BoolArray, RgbImage
from synth.engine import Prepared
from synth.looks import suited_types

VIEWS = ("upright", "roll 15", "roll 30", "roll 45", "60 px")
FACE_PIXELS = 60
SIDE = 675
"""Longest side at which portraits are tried, in pixels: their faces are then about 200 wide."""


@dataclass(frozen=True)
class Outcome:
    """One variant: where it was tried, and what is wrong with it, if anything."""

    portrait: str
    view: str
    style: str
    mask_type: str
    seed: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """What is tried on every portrait."""

    views: tuple[str, ...]
    styles: tuple[str, ...]
    types: tuple[str, ...]
    seeds: int
    pictures: Path | None = None

    @property
    def keys(self) -> list[tuple[str, str, int]]:
        """Wear style, mask type and seed of every variant of a view."""
        pairs = [(style, kind) for style in self.styles for kind in suited_types(self.types, style)]
        return [(style, kind, seed) for style, kind in pairs for seed in range(self.seeds)]


def seen(portrait: Portrait, view: str, clockwise: bool) -> Portrait:
    """The portrait as one of VIEWS."""
    if view == "60 px":
        return scaled(portrait, FACE_PIXELS / portrait.face_width)
    if view.startswith("roll "):
        return rolled(portrait, float(view.removeprefix("roll ")) * (1 if clockwise else -1))
    return portrait


@cache
def _engine() -> MaskEngine:
    return MaskEngine()


def try_portrait(trial: Trial, numbered: tuple[int, Path]) -> list[Outcome]:
    """Every variant of one portrait."""
    number, path = numbered
    portrait = load_portrait(path, SIDE)
    return [
        outcome for view in trial.views for outcome in _try_view(trial, seen(portrait, view, number % 2 == 0), view)
    ]


def lost_portrait(trial: Trial, numbered: tuple[int, Path]) -> list[Outcome]:
    """What is said of a portrait whose worker process died: that it failed everywhere."""
    fault = ("refused: worker_died",)
    return [Outcome(numbered[1].stem, view, *key, fault) for view in trial.views for key in trial.keys]


def _try_view(trial: Trial, portrait: Portrait, view: str) -> list[Outcome]:
    truth = Truth(portrait)
    try:
        ready = _engine().prepare(portrait.rgb)
    except PhotoRefusedError as refused:
        fault = (f"refused: {refused.reason}, {refused.detail}",)
        return [Outcome(portrait.name, view, *key, fault) for key in trial.keys]
    return [_try_variant(trial, truth, ready, view, key) for key in trial.keys]


def _try_variant(trial: Trial, truth: Truth, ready: Prepared, view: str, key: tuple[str, str, int]) -> Outcome:
    (style, kind, seed), name = key, truth.portrait.name
    try:
        masked = _engine().mask(ready, wear=style, mask=kind, seed=seed)
    except PhotoRefusedError as refused:
        return Outcome(name, view, *key, (f"refused: {refused.reason}, {refused.detail}",))
    faults = tuple(truth.faults(masked.alpha, style, kind))
    if faults and trial.pictures is not None:
        marked = picture(truth, masked.rgb, masked.alpha >= HIDDEN, truth.allowed(style, kind) <= RULES[style].margin)
        file = f"{view.replace(' ', '')}-{style}-{kind}-{name}-{seed}.png"
        Image.fromarray(marked).save(trial.pictures / file)
    return Outcome(name, view, *key, faults)


def picture(truth: Truth, rgb: RgbImage, hidden: BoolArray, allowed: BoolArray) -> RgbImage:
    """A variant with the true parts outlined in red, where a mask may be in green and spill in magenta.

    Args:
        truth: of the portrait.
        rgb: (H, W, 3) uint8, RGB: the variant.
        hidden: (H, W) bool: what its sheet hides.
        allowed: (H, W) bool: where a mask may be.
    """
    shown = rgb.copy()
    for part in truth.parts.values():
        shown[_rim(part)] = (255, 0, 0)
    shown[_rim(allowed)] = (0, 200, 0)
    shown[hidden & ~allowed] = (255, 0, 255)
    return shown


def _rim(area: BoolArray) -> BoolArray:
    inner = area.copy()
    inner[1:-1, 1:-1] &= area[:-2, 1:-1] & area[2:, 1:-1] & area[1:-1, :-2] & area[1:-1, 2:]
    return np.asarray(area & ~inner)


def passes(outcomes: Iterable[Outcome]) -> dict[tuple[str, str, str], int]:
    """How many portraits pass with every seed, by (style, mask type, view)."""
    failed: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    tried: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for outcome in outcomes:
        cell = (outcome.style, outcome.mask_type, outcome.view)
        tried[cell].add(outcome.portrait)
        if outcome.faults:
            failed[cell].add(outcome.portrait)
    return {cell: len(names - failed[cell]) for cell, names in tried.items()}


def tables(outcomes: Sequence[Outcome], trial: Trial) -> list[Table]:
    """A table for each style: portraits that pass, by mask type and view."""
    counts, portraits = passes(outcomes), len({outcome.portrait for outcome in outcomes})
    shown = []
    for style in trial.styles:
        table = Table(title=f"{style}: of {portraits} portraits pass", title_justify="left")
        table.add_column("mask type")
        for view in trial.views:
            table.add_column(view, justify="right")
        for kind in suited_types(trial.types, style):
            table.add_row(kind, *(str(counts[style, kind, view]) for view in trial.views))
        shown.append(table)
    return shown


def causes(outcomes: Sequence[Outcome]) -> Table:
    """How often each kind of fault was met, by style and view."""
    tally = Counter((outcome.style, outcome.view, _kind(fault)) for outcome in outcomes for fault in outcome.faults)
    table = Table(title=f"faults, of {len(outcomes)} variants", title_justify="left")
    for name in ("style", "view", "fault", "variants"):
        table.add_column(name, justify="right" if name == "variants" else "left")
    for (style, view, kind), count in sorted(tally.items(), key=lambda item: (item[0][0], -item[1])):
        table.add_row(style, view, kind, str(count))
    return table


def _kind(fault: str) -> str:
    """A fault without its figures: `spill left below, 8 % ...` is `spill left below`."""
    head = fault.split(",")[0]
    return head if head.startswith(("refused", "spill")) else " ".join(head.split()[:-1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    styles = [name for name in list_wear_styles() if name in RULES]
    parser.add_argument("--portraits", type=int, default=22, help="how many, spread over the set")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--styles", nargs="+", choices=styles, default=styles)
    parser.add_argument("--types", nargs="+", choices=list_mask_types(), default=list_mask_types())
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--failures", type=int, default=60, help="how many failures to list")
    parser.add_argument("--pictures", type=Path, help="folder outside the repository for pictures of the failures")
    return parser.parse_args()


def main() -> int:
    """Runs the benchmark; 1 where a portrait fails, 2 where there are none to run it on."""
    given = _arguments()
    paths = evenly(sorted(realdata(PORTRAITS).glob("*.jpg")), given.portraits)
    pictures = None if given.pictures is None else outside_repository(given.pictures)
    trial = Trial(tuple(given.views), tuple(given.styles), tuple(given.types), given.seeds, pictures)
    work, died = partial(try_portrait, trial), partial(lost_portrait, trial)
    batches = stream_batches(work, list(enumerate(paths)), workers=given.workers, crashed=died, batch=1)
    outcomes = [outcome for batch in batches for each in batch for outcome in each]
    console = Console(width=120)
    for table in tables(outcomes, trial):
        console.print(table)
    failed = [outcome for outcome in outcomes if outcome.faults]
    if failed:
        console.print(causes(outcomes))
    for outcome in failed[: given.failures]:
        where = f"{outcome.style} {outcome.mask_type} {outcome.view} {outcome.portrait} seed {outcome.seed}"
        print(f"{where}: {'; '.join(outcome.faults)}")
    if len(failed) > given.failures:
        print(f"and {len(failed) - given.failures} more; --failures lists them")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
