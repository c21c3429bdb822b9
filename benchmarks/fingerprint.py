"""Whether synthesis leaves a fingerprint: can a classifier tell what went through the engine from what did not?

    .venv/bin/python -m benchmarks.fingerprint [PHOTOS] [--photos 240]

Every photo, that is every person, is on one side only: half are variants, half are photos that took an ordinary way to
the same size and JPEG quality; who goes which way is drawn several times. Two classifiers on noise residuals
(`benchmarks.residuals`), fivefold: 0.5 is chance.
The controls differ, so a classifier must tell them apart; one that misses a control would miss a fingerprint as well,
and what it says elsewhere is worth nothing: its column's verdict is then "control failed". So it says with too few
photos; exit status 1.

Framing resamples, and any two filters leave different noise: the last rows compare Pillow's own. So a framed variant is
like a photo that came by the same filter, which is Pillow's bicubic, and may be told from one that came by another.
Train on photos that were framed by one filter, or on variants alone, the bare ones among them.
Without PHOTOS: the folder fairface540_ccby4 below PALETTE_REALDATA (default ../shared/realdata).
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.common import realdata
from benchmarks.residuals import KINDS, Auc, Picture, classify, features
from datasets.photos import find_photos, read_photo
from synth import MaskEngine, PhotoRefusedError
from synth.framing import Size, frame_box, frame_matrix
from synth.output import write_jpeg

SIZE = Size(384, 512)
QUALITY = 92
STRIP = 96
"""Rows at the top of a picture: forehead and what is behind it, where no mask reaches."""

FEWEST = 20


@dataclass(frozen=True, eq=False)
class Subject:
    """One person's photo: as decoded; its variants bare and worn, at its own size and framed, as decoded from their
    JPEGs; what of the worn ones the engine says it touched; and the frame's box in the photo (x0, y0, x1, y1)."""

    photo: Picture
    bare: Picture
    worn: Picture
    framed_bare: Picture
    framed_worn: Picture
    box: tuple[float, float, float, float]
    same_bytes: bool


def encoded(picture: Picture | Image.Image, quality: int = QUALITY) -> bytes:
    """A JPEG by the ordinary way: Pillow, nothing of ours."""
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def decoded(data: bytes) -> Picture:
    """(H, W, 3) uint8, RGB."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def prepare(path: Path, engine: MaskEngine, folder: Path, seed: int) -> Subject | None:
    """A photo's variants by way of the engine; None where it is refused, a mask reaches the strip, or the frame reaches
    beyond the photo, where there is nothing ordinary to compare with."""

    def written(rgb: Picture) -> bytes:
        write_jpeg(rgb, folder / "variant.jpg", QUALITY)
        return (folder / "variant.jpg").read_bytes()

    rgb = read_photo(path).rgb
    try:
        ready = engine.prepare(rgb)
        framed = engine.prepare(rgb, landmarks=ready.face.landmarks, size=SIZE)
        made = [engine.mask(each, wear=wear, seed=seed) for each in (ready, framed) for wear in ("not_wear", "correct")]
    except PhotoRefusedError:
        return None
    box = frame_box(frame_matrix(rgb.shape, ready.face, SIZE), SIZE)
    inside = min(box[:2]) >= 0 and box[2] <= rgb.shape[1] and box[3] <= rgb.shape[0]
    if not inside or any(each.touched[:STRIP].any() for each in made):
        return None
    files = [written(each.rgb) for each in made]
    with Image.open(path) as image:
        same = files[0] == encoded(image.convert("RGB"))
    bare, worn, framed_bare, framed_worn = (decoded(data) for data in files)
    return Subject(rgb, bare, worn, framed_bare, framed_worn, box, same)


Way = Callable[[Subject], Picture]


def framed_by(filter_: Image.Resampling) -> Way:
    """The photo cut and scaled by Pillow to the same frame."""

    def way(subject: Subject) -> Picture:
        image = Image.fromarray(subject.photo)
        return decoded(encoded(image.resize((SIZE.width, SIZE.height), filter_, box=subject.box)))

    return way


def again(change: Callable[[Picture], Picture]) -> Way:
    """The photo, changed, and encoded by Pillow."""
    return lambda subject: decoded(encoded(change(subject.photo)))


def strip(way: Way) -> Way:
    """Only the top of it."""
    return lambda subject: way(subject)[:STRIP]


UNTOUCHED = again(lambda rgb: rgb)
BICUBIC, LANCZOS, BILINEAR = (framed_by(Image.Resampling[name]) for name in ("BICUBIC", "LANCZOS", "BILINEAR"))
BLURRED = again(lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 0.4))


@dataclass(frozen=True)
class Comparison:
    """Two ways that a person's photo can go.

    Attributes:
        name: of its row.
        first, second: the ways.
        asks: `same` where they must not be told apart, `control` where they must, `known` where they may.
    """

    name: str
    first: Way
    second: Way
    asks: str = "same"


COMPARISONS = (
    Comparison("a  bare variant / photo", lambda s: s.bare, UNTOUCHED),
    Comparison("b  framed bare variant / photo framed by Pillow, bicubic", lambda s: s.framed_bare, BICUBIC),
    Comparison("b  framed bare variant / photo framed by Pillow, Lanczos", lambda s: s.framed_bare, LANCZOS, "known"),
    Comparison("c  top of worn variant / top of photo", strip(lambda s: s.worn), strip(UNTOUCHED)),
    Comparison(
        "c  top of framed worn variant / of framed bare variant",
        strip(lambda s: s.framed_worn),
        strip(lambda s: s.framed_bare),
    ),
    Comparison("control: photo / blurred by 0.4 px", UNTOUCHED, BLURRED, "control"),
    Comparison(
        "control: photo / saved before at quality 75",
        UNTOUCHED,
        again(lambda rgb: decoded(encoded(rgb, 75))),
        "control",
    ),
    Comparison("control: top of photo / blurred by 0.4 px", strip(UNTOUCHED), strip(BLURRED), "control"),
    Comparison("ordinary: framed by Pillow, bicubic / Lanczos", BICUBIC, LANCZOS, "known"),
    Comparison("ordinary: framed by Pillow, bicubic / bilinear", BICUBIC, BILINEAR, "known"),
)
Found = dict[str, Auc]
"""What each classifier found, by its kind."""


def compare(comparison: Comparison, subjects: list[Subject]) -> Found:
    """How well each classifier tells the two ways apart; every person goes one of them."""
    first, second = (
        np.stack([features(way(subject)) for subject in subjects]) for way in (comparison.first, comparison.second)
    )
    return {kind: classify(kind, first, second) for kind in KINDS}


def deaf(results: list[tuple[Comparison, Found]]) -> list[str]:
    """The classifiers that missed a control: their silence says nothing."""
    controls = [found for comparison, found in results if comparison.asks == "control"]
    return [kind for kind in KINDS if not all(found[kind].tells_apart for found in controls)]


def verdict(found: Found, deaf_ones: list[str]) -> str:
    """`told apart` where any classifier does, `not told apart` where none does though each could have."""
    if any(each.tells_apart for each in found.values()):
        return "told apart"
    return f"control failed: {', '.join(deaf_ones)}" if deaf_ones else "not told apart"


def missed(results: list[tuple[Comparison, Found]]) -> bool:
    """Whether a fingerprint was found, or could not have been."""
    same = (found for comparison, found in results if comparison.asks == "same")
    return bool(deaf(results)) or any(verdict(found, []) == "told apart" for found in same)


def gather(folder: Path, count: int) -> list[Subject]:
    """The usable of `count` photos, spread over a folder."""
    engine = MaskEngine()
    found, _ = find_photos(folder)
    chosen = found[:: max(len(found) // count, 1)][:count]
    with tempfile.TemporaryDirectory() as scratch:
        made = [prepare(photo.path, engine, Path(scratch), n) for n, photo in enumerate(chosen)]
    return [each for each in made if each is not None]


def main() -> int:
    """Runs the benchmark; 1 where variants are told apart or a control is not, 2 where there are too few photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photos", type=int, default=240)
    given = parser.parse_args()
    folder = given.folder or realdata("fairface540_ccby4")
    if not folder.is_dir():
        print(f"no photos at {folder}: name a folder, or set PALETTE_REALDATA", file=sys.stderr)
        return 2
    subjects = [each for each in gather(folder, max(given.photos, 1)) if min(each.photo.shape[:2]) >= STRIP]
    if len(subjects) < FEWEST:
        print(f"{len(subjects)} usable photos in {folder}: expected {FEWEST} at least", file=sys.stderr)
        return 2
    progress = Console(stderr=True)
    results = [(each, compare(each, subjects)) for each in track(COMPARISONS, "comparing", console=progress)]
    same = sum(each.same_bytes for each in subjects)
    title = f"{len(subjects)} photos; of {same} the bare variant is the file that Pillow writes, byte for byte"
    table = Table("compared", *KINDS, "verdict", title=title, title_justify="left")
    for comparison, found in results:
        figures = (f"{each.value:.2f} ({each.low:.2f} to {each.high:.2f})" for each in found.values())
        table.add_row(comparison.name, *figures, verdict(found, deaf(results)))
    Console(width=130).print(table)
    return 1 if missed(results) else 0


if __name__ == "__main__":
    sys.exit(main())
