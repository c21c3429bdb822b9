"""Whether synthesis leaves a fingerprint: can a classifier tell what went through the engine from what did not?

    .venv/bin/python -m benchmarks.fingerprint [PHOTOS] [--photos 240] [--no-cnn]

Every photo, that is every person, is on one side only: half are variants, half are photos that took an ordinary way to
the same size and JPEG quality. Three classifiers on noise residuals (`benchmarks.residuals`), fivefold: 0.5 is chance.
The controls must be told apart, or the check could not fail: the network, which needs more photos than the others to
learn, says nothing in a column where they are not.

Framing resamples, and any two filters leave different noise: the last rows compare Pillow's own. So a framed variant is
like a photo that came by the same filter, which is Pillow's bicubic, and may be told from one that came by another.
Train on photos that were framed by one filter, or on variants alone, the bare ones among them.
Without PHOTOS: the folder fairface540_ccby4 below PALETTE_REALDATA (default ../shared/realdata).
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.residuals import PATCH, Picture, classify
from datasets.photos import find_photos, read_photo
from synth import MaskEngine, PhotoRefusedError
from synth.framing import Size, frame_box, frame_matrix
from synth.output import write_jpeg

REPOSITORY = Path(__file__).resolve().parents[1]
SIZE = Size(384, 512)
QUALITY = 92
STRIP = 96
"""Rows at the top of a picture: forehead and what is behind it, where no mask reaches."""


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
COMPARISONS: tuple[tuple[str, Way, Way], ...] = (
    ("a  bare variant / photo", lambda s: s.bare, UNTOUCHED),
    ("b  framed bare variant / photo framed by Pillow, bicubic", lambda s: s.framed_bare, BICUBIC),
    ("b  framed bare variant / photo framed by Pillow, Lanczos", lambda s: s.framed_bare, LANCZOS),
    ("c  top of worn variant / top of photo", strip(lambda s: s.worn), strip(UNTOUCHED)),
    (
        "c  top of framed worn variant / of framed bare variant",
        strip(lambda s: s.framed_worn),
        strip(lambda s: s.framed_bare),
    ),
    ("control: photo / blurred by 0.4 px", UNTOUCHED, again(lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 0.4))),
    ("control: photo / saved before at quality 75", UNTOUCHED, again(lambda rgb: decoded(encoded(rgb, 75)))),
    (
        "control: top of photo / blurred by 0.4 px",
        strip(UNTOUCHED),
        strip(again(lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 0.4))),
    ),
    ("ordinary: framed by Pillow, bicubic / Lanczos", BICUBIC, LANCZOS),
    ("ordinary: framed by Pillow, bicubic / bilinear", BICUBIC, BILINEAR),
)


def rows(subjects: list[Subject], kinds: list[str]) -> Iterator[list[str]]:
    """Each comparison's name and, for each classifier, the area under its curve with its interval."""
    labels = np.arange(len(subjects)) % 2
    for name, first, second in COMPARISONS:
        pictures = [(second if label else first)(subject) for subject, label in zip(subjects, labels, strict=True)]
        found = [classify(kind, pictures, labels) for kind in kinds]
        verdict = "told apart" if any(each.tells_apart for each in found) else "not told apart"
        yield [name, *(f"{each.value:.2f} ({each.low:.2f} to {each.high:.2f})" for each in found), verdict]


def main() -> int:
    """Runs the benchmark; 2 where there are no photos to run it on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    realdata = Path(os.environ.get("PALETTE_REALDATA", REPOSITORY.parent / "shared" / "realdata"))
    parser.add_argument("folder", nargs="?", type=Path, default=realdata / "fairface540_ccby4")
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--no-cnn", action="store_true", help="without the network, which takes most of the time")
    given = parser.parse_args()
    if not given.folder.is_dir():
        print(f"no photos at {given.folder}: name a folder, or set PALETTE_REALDATA", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    engine = MaskEngine()
    found, _ = find_photos(given.folder)
    chosen = found[:: max(len(found) // given.photos, 1)][: given.photos]
    with tempfile.TemporaryDirectory() as folder:
        made = [prepare(photo.path, engine, Path(folder), n) for n, photo in enumerate(chosen)]
    subjects = [each for each in made if each is not None]
    smallest = min((min(STRIP, *each.photo.shape[:2]) for each in subjects), default=0)
    if len(subjects) < 20 or smallest < PATCH:
        print(
            f"{len(subjects)} usable photos in {given.folder}: expected 20 at least, larger than {STRIP} px",
            file=sys.stderr,
        )
        return 2
    same = sum(each.same_bytes for each in subjects)
    kinds = ["linear", "trees"] + ([] if given.no_cnn else ["cnn"])
    title = f"{len(subjects)} photos; of {same} the bare variant is the file that Pillow writes, byte for byte"
    table = Table("compared", *kinds, "verdict", title=title, title_justify="left")
    for row in track(
        rows(subjects, kinds), "comparing", len(COMPARISONS), console=Console(stderr=True), transient=True
    ):
        table.add_row(*row)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
