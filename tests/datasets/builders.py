"""Small photos, broken files and dataset folders, made here and now."""

from __future__ import annotations

import io
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datasets.manifest import make_manifest, write_manifest

PERSON = "000001_female_Asian_45"
STEMS = ("mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal")


def picture(seed: int = 0, size: tuple[int, int] = (48, 64)) -> Image.Image:
    """A smooth random picture of `size` (width, height), another one for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encode(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def save_photo(path: Path, seed: int = 0, size: tuple[int, int] = (48, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {".png": "PNG", ".webp": "WEBP", ".bmp": "BMP"}.get(path.suffix.lower(), "JPEG")
    path.write_bytes(encode(picture(seed, size), form))
    return path


def flat_png(width: int, height: int, *, with_pixels: bool = True) -> bytes:
    """A black 1-bit PNG written chunk by chunk: of any size, and still a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height if with_pixels else 0)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Gives up root's right to read everything; does nothing for other users, who haven't got it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def write_competition(root: Path, rows: Mapping[str, tuple[str, str, str]] | None = None) -> Path:
    """Writes the competition's layout: for each `path` its (id, gender, age), seven photos a person."""
    rows = {PERSON: ("000001", "female", "45")} if rows is None else rows
    lines = ["id,gender,race,age,path"]
    for number, (key, (identity, gender, age)) in enumerate(rows.items()):
        lines.append(f"{identity},{gender},Asian,{age},{key}")
        for index, stem in enumerate(STEMS):
            suffix = (".jpg", ".jpeg", ".png")[(number + index) % 3]
            save_photo(root / "train" / "images" / key / f"{stem}{suffix}", seed=100 * number + index)
    (root / "train" / "train.csv").write_text("\n".join(lines) + "\n")
    return root


def write_all_age_faces(home: Path, names: tuple[str, ...], folder: str = "original images") -> Path:
    """Writes All-Age-Faces' layout with its own, reversed, gender codes."""
    lines = []
    for number, name in enumerate(names):
        save_photo(home / folder / f"{name}.jpg", seed=number)
        points = home / "key points" / f"{name}.txt"
        points.parent.mkdir(parents=True, exist_ok=True)
        points.write_bytes(b"".join(f"{i} {i + 0.5}\r\n".encode() for i in range(49)))
        lines.append(f"{name}.jpg {int(int(name[:5]) >= 7381)}\n")
    (home / "image sets").mkdir()
    (home / "image sets" / "train.txt").write_text("".join(lines[::2]))
    (home / "image sets" / "val.txt").write_text("".join(lines[1::2]))
    return home


MEDICAL = (
    "000001_1_000001_MALE_25",
    "000002_2_000001_MALE_25",
    "000003_3_000001_MALE_25",
    "000004_4_000001_MALE_25",
    "000005_1_000002_NONE_61",
    "000006_4_000003_FEMALE_2019",
)
"""Names of photos of medical-masks: ID, TYPE, USER_ID, GENDER, AGE."""


def write_medical_masks(folder: Path, part: int = 4, names: tuple[str, ...] = MEDICAL) -> Path:
    """Writes one part of medical-masks: its table, with numbers as it has them, and its photos in images."""
    lines = ["ID,TYPE,USER_ID,GENDER,AGE,name,size_mb"]
    for number, name in enumerate(names):
        save_photo(folder / "images" / f"{name}.jpg", seed=1000 * part + number)
        identity, kind, user, gender, age = name.split("_")
        lines.append(f"{int(identity)},{kind},{int(user)},{gender},{age},{name}.jpg,1.8013")
    (folder / ("df.csv" if part == 1 else f"df_part_{part}.csv")).write_text("\n".join(lines) + "\n")
    return folder


def write_mega_age(home: Path, ages: Mapping[str, tuple[int, ...]] | None = None) -> Path:
    """Writes MegaAge-Asian's layout: for each split its photos' ages, the photos being called 1.jpg, 2.jpg, ..."""
    ages = {"train": (3, 65, 70), "test": (30, 61)} if ages is None else ages
    for number, (split, years) in enumerate(ages.items()):
        for index in range(1, len(years) + 1):
            save_photo(home / split / f"{index}.jpg", seed=100 * number + index, size=(178, 218))
        (home / "list").mkdir(parents=True, exist_ok=True)
        names = "".join(f"{index}.jpg\n" for index in range(1, len(years) + 1))
        (home / "list" / f"{split}_name.txt").write_text(names)
        (home / "list" / f"{split}_age.txt").write_text("".join(f"{age}\n" for age in years))
    return home


def row(name: str = "a.jpg", **values: Any) -> dict[str, Any]:
    """A manifest row of the source `folder`; `values` replace or add columns."""
    source = values.get("source", "folder")
    return {
        "photo_id": f"{source}:{name}",
        "path": name,
        "sha256": f"{zlib.crc32(f'{source}:{name}'.encode()):064x}",
        "phash": "0" * 16,
        "width": 48,
        "height": 64,
        "source": source,
        "licence": "CC0-1.0",
        "person_id": f"{source}:{name}",
        **values,
    }


def save_manifest(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Writes a manifest, and under each of its paths a file whose bytes only the row's hash decides."""
    for values in rows:
        path = folder / values["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(values["sha256"].encode())
    return write_manifest(make_manifest(rows), folder)
