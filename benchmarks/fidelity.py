"""Two sheets of pictures to look at: 48 random variants on real faces, and the 24 that the engine is least sure of.

    .venv/bin/python -m benchmarks.fidelity [--out FOLDER] [--pool 240] [--seed 0]

Photos, wear styles and mask types are drawn by chance, one variant a photo. The first 48 of the pool make the first
sheet; the whole pool is searched for the second, by the score of `benchmarks/sureness.py`. Under each picture stands
what was drawn and the term that weighs most. FOLDER must lie outside the repository, which photographs don't enter; a
temporary folder by default.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.common import FACES, outside_repository, realdata
from benchmarks.sureness import score, terms
from datasets.photos import read_photo
from synth import MaskEngine, PhotoRefusedError, list_mask_types, list_wear_styles
from synth.arrays import FloatArray, RgbImage
from synth.engine import MaskedFace, Prepared
from synth.wear import NOT_WEAR

RANDOM, UNSURE = 48, 24
TILE, CAPTION, COLUMNS = 224, 30, 8
AROUND_FACE = 1.9
"""Side of what a tile shows, in sides of the face's landmarks."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One variant to look at.

    Attributes:
        name: folder and file of its photo.
        wear_style, mask_type: what was drawn.
        rgb: (H, W, 3) uint8, RGB.
        tile: (TILE, TILE, 3) uint8, RGB: the face and what is around it.
        terms: of its sureness.
    """

    name: str
    wear_style: str
    mask_type: str
    rgb: RgbImage
    tile: RgbImage
    terms: dict[str, float]

    @property
    def score(self) -> float:
        """Greater is less sure."""
        return score(self.terms)

    @property
    def weightiest(self) -> str:
        """The greatest term, with its value."""
        name = max(self.terms, key=lambda term: self.terms[term])
        return f"{name} {self.terms[name]:.2f}"


def cut_out(rgb: RgbImage, landmarks: FloatArray) -> RgbImage:
    """The face and what is around it, TILE pixels a side; less is around it where the photo ends there.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        landmarks: (68, 2), x, y in its pixels.
    """
    limit = np.array([rgb.shape[1], rgb.shape[0]], dtype=np.float64)
    low, high = landmarks.min(0), landmarks.max(0)
    side = min(AROUND_FACE * float((high - low).max()), float(limit.min()))
    x, y = np.clip((low + high) / 2 - side / 2, 0, limit - side).astype(int)
    size = max(int(side), 1)
    how = cv2.INTER_AREA if size > TILE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb[y : y + size, x : x + size], (TILE, TILE), interpolation=how), dtype=np.uint8)


def draw_pool(photos: Sequence[Path], wanted: int, seed: int, refused: Counter[str]) -> Iterator[Shot]:
    """Random variants, one a photo, until there are enough; counts what is refused."""
    rng, engine = np.random.default_rng(seed), MaskEngine()
    styles = [style for style in list_wear_styles() if style != NOT_WEAR]
    made = 0
    for index in rng.permutation(len(photos)):
        if made == wanted:
            return
        path = photos[int(index)]
        style = str(rng.choice(styles))
        kind, own = str(rng.choice(list_mask_types(style))), int(rng.integers(2**31))
        try:
            ready = engine.prepare(read_photo(path, max_side=1600).rgb)
            masked = engine.mask(ready, wear=style, mask=kind, seed=own)
        except PhotoRefusedError as error:
            refused[error.reason] += 1
            continue
        made += 1
        yield _shot(path, ready, masked, engine)


def _shot(path: Path, ready: Prepared, masked: MaskedFace, engine: MaskEngine) -> Shot:
    name = f"{path.parent.name}/{path.stem}"
    found = terms(ready, masked, engine.gate)
    return Shot(name, masked.wear_style, masked.mask_type, masked.rgb, cut_out(masked.rgb, ready.face.landmarks), found)


def sheet(shots: Sequence[Shot]) -> Image.Image:
    """The shots' tiles with their captions, COLUMNS a row."""
    rows = -(-len(shots) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + CAPTION)), (250, 250, 248))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for number, shot in enumerate(shots):
        x, y = number % COLUMNS * TILE, number // COLUMNS * (TILE + CAPTION)
        page.paste(Image.fromarray(shot.tile), (x, y))
        draw.text((x + 3, y + TILE + 1), f"{number + 1} {shot.wear_style} {shot.mask_type}", (30, 30, 30), font)
        draw.text((x + 3, y + TILE + 14), f"{shot.weightiest}  {shot.name.split('/')[1]}", (120, 120, 120), font)
    return page


def write(shots: Sequence[Shot], name: str, out: Path) -> None:
    """A sheet, its variants at full size in a folder beside it, and their scores as CSV."""
    sheet(shots).save(out / f"{name}.png")
    folder = out / name
    folder.mkdir(exist_ok=True)
    with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", "photo", "wear_style", "mask_type", "score", *shots[0].terms])
        for number, shot in enumerate(shots, 1):
            label = f"{number:02d}-{shot.wear_style}-{shot.mask_type}"
            Image.fromarray(shot.rgb).save(folder / f"{label}.jpg", quality=95)
            values = (f"{value:.3f}" for value in shot.terms.values())
            table.writerow([number, shot.name, shot.wear_style, shot.mask_type, f"{shot.score:.3f}", *values])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for the sheets, outside the repository")
    parser.add_argument("--pool", type=int, default=240, help="variants from which the least sure are taken")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Writes the sheets; 2 where there are no photographs or the folder lies in the repository."""
    given = _arguments()
    photos = [path for name in FACES for path in sorted(realdata(name).glob("*.jpg"))]
    out = outside_repository(given.out or Path(tempfile.mkdtemp(prefix="palette-fidelity-")))
    refused: Counter[str] = Counter()
    shots = list(draw_pool(photos, max(given.pool, 1), given.seed, refused))
    if not shots:
        print("every photo was refused: nothing to show", file=sys.stderr)
        return 2
    unsure = sorted(shots, key=lambda shot: (-shot.score, shot.name))[:UNSURE]
    write(shots[:RANDOM], "random", out)
    write(unsure, "least-sure", out)
    print(f"{len(shots)} variants, {sum(refused.values())} photos refused", dict(refused.most_common()))
    print(f"{out / 'random.png'}: {len(shots[:RANDOM])} drawn by chance")
    print(f"{out / 'least-sure.png'}: the {len(unsure)} of all with the highest scores, {unsure[0].score:.2f} first")
    print("each with a CSV of its scores and a folder of its variants at full size")
    return 0


if __name__ == "__main__":
    sys.exit(main())
