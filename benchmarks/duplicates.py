"""Are copies of photos found, and strangers not taken for copies? On real photographs, with planted copies.

    .venv/bin/python -m benchmarks.duplicates [--copies 50] [--photos N] [--pictures FOLDER] [--people] [--scale N]

Copies of photos drawn at random are planted as a source of their own: re-encoded and resized, cropped to 60..95 % of
each side, mirrored, or all of it at once, in equal parts. Then `find_duplicates` looks through everything, as `palette
duplicates` does. What it finds among the real photographs themselves may be true (some are in two of the sets) or
false, and only eyes can tell: `--pictures` lays those pairs side by side. `--people` measures the distance at which
faces are taken for one person's, where embeddings take a tenth of a second a photo. `--scale` times the two searches
for candidates on made-up hashes and words of so many photos instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.common import FACES, evenly, outside_repository, realdata
from datasets.duplicates.candidates import shared_words
from datasets.duplicates.find import FILE, Found, find_duplicates
from datasets.duplicates.fingerprint import BITS, POINTS, TABLES, Fingerprint
from datasets.duplicates.hashes import near_hashes
from datasets.manifest import make_manifest, write_manifest
from datasets.photos import find_photos, read_photo

KINDS = ("re-encoded", "cropped", "mirrored", "cropped and mirrored")
LEAST_FOUND, MOST_FALSE = 0.95, 0.001
PLANTED = "planted"

Truth = dict[str, tuple[Path, str]]
"""Of a copy's name: the photo it was made of, and its kind."""
Pair = tuple[str, str, float]
"""Two photo ids and their score."""


def plant(paths: list[Path], copies: int, folder: Path, seed: int = 1) -> tuple[list[Path], Truth]:
    """Writes copies of photos; returns their files, and of each name the original and the kind of copy."""
    rng = np.random.default_rng(seed)
    files, truth = [], {}
    for number, chosen in enumerate(rng.choice(len(paths), copies, replace=False).tolist()):
        kind = KINDS[number % len(KINDS)]
        image = Image.fromarray(read_photo(paths[chosen]).rgb)
        if "cropped" in kind:
            across, down = rng.uniform(0.6, 0.95, 2)
            left, top = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
            box = np.array([left, top, left + across, top + down]) * [*image.size, *image.size]
            image = image.crop(tuple(box.round().astype(int).tolist()))
        if "mirrored" in kind:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        scale = rng.uniform(0.6, 1.3)
        image = image.resize(tuple(max(round(side * scale), 32) for side in image.size), Image.Resampling.BICUBIC)
        file = folder / f"{number:04d}.jpg"
        image.save(file, quality=int(rng.integers(40, 91)))
        files.append(file)
        truth[file.name] = (paths[chosen], kind)
    return files, truth


def manifest_of(paths: list[Path], source: str, folder: Path) -> Path:
    """A manifest of photos where they lie, each a person of its own, with links to them in `folder`."""
    rows = []
    for number, path in enumerate(paths):
        photo = read_photo(path, max_side=256)
        link = folder / f"{number:05d}.jpg"
        if path.parent != folder:
            link.symlink_to(path)
        rows.append(
            {
                "photo_id": f"{source}:{number:05d}", "path": (path if path.parent == folder else link).name,
                "sha256": photo.sha256, "phash": str(imagehash.phash(Image.fromarray(photo.rgb))),
                "width": photo.width, "height": photo.height, "source": source, "licence": "LicenseRef-unstated",
                "person_id": f"{source}:{number:05d}",
            }
        )  # fmt: skip
    return write_manifest(make_manifest(rows), folder).parent


def search(paths: list[Path], copies: int, scratch: Path) -> tuple[Found, Truth]:
    """Plants copies and looks through everything."""
    own, planted = scratch / "own", scratch / PLANTED
    own.mkdir()
    planted.mkdir()
    files, truth = plant(paths, copies, planted)
    manifests = [manifest_of(paths, "own", own), manifest_of(files, PLANTED, planted)]
    return find_duplicates(manifests, cache=scratch / "prints.npz"), truth


def side_by_side(found: Found, pairs: list[Pair], folder: Path) -> None:
    """Writes sheets of pairs, forty a sheet."""
    places = dict(zip(found.photos["photo_id"], found.photos[FILE], strict=True))
    for sheet in range(0, len(pairs), 40):
        tiles = []
        for first, second, score in pairs[sheet : sheet + 40]:
            pictures = [cv2.resize(read_photo(Path(places[name])).rgb, (150, 150)) for name in (first, second)]
            tile = np.hstack([*pictures, np.full((150, 8, 3), 255, np.uint8)])
            cv2.putText(tile, f"{score:.2f}", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 0, 0), 1)
            tiles.append(tile)
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 4)
        picture = np.vstack([np.hstack(tiles[at : at + 4]) for at in range(0, len(tiles), 4)])
        Image.fromarray(picture).save(folder / f"pairs_{sheet // 40}.png")


def sort_out(found: Found, truth: Truth) -> tuple[Counter[str], list[Pair], list[Pair]]:
    """Copies found with their original, by kind; pairs of photos themselves; copies with other photos."""
    files = zip(found.photos["photo_id"], found.photos[FILE], strict=True)
    place = {name: Path(file).resolve() for name, file in files}
    hits: Counter[str] = Counter()
    among, others = [], []
    for first, second, score in found.table[["first", "second", "score"]].itertuples(index=False, name=None):
        if not second.startswith(PLANTED):
            among.append((first, second, score))
            continue
        original, kind = truth[place[second].name]
        if place[first] == original.resolve():
            hits[kind] += 1
        else:
            others.append((first, second, score))
    return hits, among, others


def copies_found(paths: list[Path], copies: int, pictures: Path | None, console: Console) -> bool:
    """Measures how many planted copies are found, and what else is."""
    with tempfile.TemporaryDirectory() as scratch:
        cpu = time.process_time()
        found, truth = search(paths, copies, Path(scratch))
        cpu = time.process_time() - cpu
        hits, among, others = sort_out(found, truth)
        if pictures is not None and among + others:
            side_by_side(found, among + others, outside_repository(pictures))
    table = Table(title=f"{copies} copies planted among {len(paths)} photos", title_justify="left")
    for name in ("copies", "planted", "found"):
        table.add_column(name, justify="left" if name == "copies" else "right")
    planted = Counter(kind for _, kind in truth.values())
    for kind in KINDS:
        table.add_row(kind, str(planted[kind]), str(hits[kind]))
    console.print(table)
    a_photo = f"{cpu / len(paths) * 1000:.0f} ms a photo"
    print(f"{found.candidates} candidates compared; {cpu:.0f} processor seconds in all, {a_photo}")
    print(f"{len(among)} pairs among the photos themselves, {len(others)} of copies with another than their original.")
    print(f"A photo may be in two sets: --pictures shows these pairs, for eyes. At most {MOST_FALSE:.1%} may be false.")
    share = hits.total() / copies
    met = share >= LEAST_FOUND
    print(f"{'met   ' if met else 'MISSED'}  {share:>6.1%}  at least {LEAST_FOUND:.0%} of planted copies are found")
    return met


def scale(photos: int, console: Console) -> bool:
    """Times the searches for candidates among made-up photos, a thousand pairs of which are near."""
    rng = np.random.default_rng(0)
    twins = rng.permutation(photos)[:2000].reshape(2, -1)
    hashes = rng.integers(0, 2**63, photos, dtype=np.uint64) * 2
    hashes[twins[1]] = hashes[twins[0]] ^ np.uint64(0b1011)
    words = rng.integers(0, 2**BITS, (photos, POINTS, TABLES), dtype=np.uint32)
    places = rng.uniform(-128, 128, (photos, POINTS, 3)).astype(np.float32)
    places[..., 2] = np.abs(places[..., 2]) / 8 + 4
    words[twins[1], :5], places[twins[1], :5] = words[twins[0], :5], places[twins[0], :5]
    prints = [Fingerprint(word, place) for word, place in zip(words, places, strict=True)]
    table = Table(title=f"candidates among {photos:,} made-up photos", title_justify="left")
    for name in ("search", "seconds", "processor s", "near pairs found", "others"):
        table.add_column(name, justify="left" if name == "search" else "right")
    wanted, all_found = {tuple(sorted(pair)) for pair in twins.T.tolist()}, True
    for name, find in (("hashes", lambda: near_hashes(hashes)), ("words", lambda: shared_words(prints))):
        wall, cpu = time.perf_counter(), time.process_time()
        pairs = {tuple(pair) for pair in find().tolist()}
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        table.add_row(name, f"{wall:.1f}", f"{cpu:.1f}", str(len(pairs & wanted)), str(len(pairs - wanted)))
        all_found &= wanted <= pairs
    console.print(table)
    return all_found


def near_pairs(
    faces: NDArray[np.float64], limits: Sequence[float], most: int, block: int = 1024
) -> tuple[list[int], list[tuple[float, int, int]]]:
    """Looks at every pair of faces, a block at a time.

    Args:
        faces: (N, D).
        limits: Distances.
        most: How many pairs to return.
        block: Faces whose distances to all others are held at once.

    Returns:
        How many pairs lie within each limit; and the nearest pairs, the nearest first, as distance and two positions.
    """
    squares = (faces**2).sum(axis=1)
    counts = np.zeros(len(limits), np.int64)
    nearest: list[tuple[float, int, int]] = []
    for top in range(0, len(faces), block):
        rows = faces[top : top + block]
        apart = np.sqrt(np.maximum(squares[top : top + block, None] + squares - 2 * rows @ faces.T, 0))
        apart[np.arange(len(faces)) <= np.arange(top, top + len(rows))[:, None]] = np.inf  # each pair once
        counts += [int((apart <= limit).sum()) for limit in limits]
        flat = apart.ravel()
        least = np.argpartition(flat, min(most, flat.size - 1))[:most]
        found = [(float(flat[at]), top + at // len(faces), at % len(faces)) for at in least.tolist()]
        nearest = sorted([*nearest, *(pair for pair in found if np.isfinite(pair[0]))])[:most]
    return counts.tolist(), nearest


def distances(paths: list[Path], console: Console) -> None:
    """Counts pairs of faces by distance, and shows the nearest ones' names."""
    from models.embedding import FaceEmbedder
    from pipelines.faces import embed_file

    embedder = FaceEmbedder()
    answers = [(path, embed_file(read_photo(path).sha256, path, embedder).row) for path in paths]
    known = [(path, row) for path, row in answers if row is not None]
    limits = (0.15, 0.2, 0.25, 0.28, 0.3, 0.35, 0.4, 0.6)
    counts, nearest = near_pairs(np.stack([row for _, row in known]).astype(np.float64), limits, 20)
    pairs = len(known) * (len(known) - 1) // 2
    table = Table(title=f"{pairs:,} pairs of {len(known)} faces", title_justify="left")
    for name in ("distance up to", "pairs"):
        table.add_column(name, justify="right")
    for limit, count in zip(limits, counts, strict=True):
        table.add_row(f"{limit:.2f}", f"{count:,}")
    console.print(table)
    for apart, first, second in nearest:
        print(f"{apart:.3f}  {known[first][0].name}  {known[second][0].name}")


def main() -> int:
    """Runs the benchmark; 1 where a target is missed, 2 where there are no photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=50)
    parser.add_argument("--photos", type=int, default=100_000, help="at most so many of each set")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--people", action="store_true")
    parser.add_argument("--scale", type=int)
    given, console = parser.parse_args(), Console(width=120)
    cv2.setNumThreads(1)
    if given.scale:
        return 0 if scale(given.scale, console) else 1
    sets = [[photo.path for photo in find_photos(realdata(name))[0]] for name in FACES]
    paths = [path for each in sets for path in evenly(each, given.photos)]
    if given.people:
        distances(paths, console)
        return 0
    return 0 if copies_found(paths, given.copies, given.pictures, console) else 1


if __name__ == "__main__":
    sys.exit(main())
