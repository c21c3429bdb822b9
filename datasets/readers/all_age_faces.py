"""All-Age-Faces: a serial and an age in each file's name, the gender by serial, 49 key points beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from datasets.errors import LabelsError, LayoutError
from datasets.finding import PhotoFile, find_photos
from datasets.licences import UNSTATED
from datasets.origins import SOURCES
from datasets.readers.base import Listing, ReaderInfo, Record, choice, folders_below, missing_layout, register
from datasets.refusals import Refusal

FOLDER: Final = "All-Age-Faces Dataset"
ORIGINAL: Final = "original images"
ALIGNED: Final = ("aglined faces", "aligned faces")
"""The first is how the set spells it on disk, the second how its README does."""

DEPTH: Final = 2
"""How far below the folder named the set may lie: unpackers nest it in a folder of its own name."""

FIRST_MALE: Final = 7381
LAST: Final = 13321
N_KEY_POINTS: Final = 49

_NAME: Final = re.compile(r"(\d{5})A(\d{2})")
_GENDER_CODES: Final = {"0": "female", "1": "male"}
"""Of `image sets/*.txt`: the other way round than the competition's labels."""

INFO: Final = ReaderInfo(
    name="all-age-faces",
    licence=UNSTATED,
    expects=f"'{FOLDER}' with 'original images' (or 'aglined faces'), and 'image sets' where it is there",
    lacks="a stated licence, masks, and persons (every photo counts as a person of its own); ages are noisy",
    published="13,322 photos of ages 2 to 80: 7,381 of women, 5,941 of men",
    home=SOURCES["all-age-faces"].home,
    options={"which": "original (default) or aligned: the photos as they were, or faces cut out and turned upright"},
)


@register(INFO)
def read(root: Path, options: Mapping[str, Any]) -> Listing:
    """Lists the set's photos.

    Args:
        root: The folder `All-Age-Faces Dataset`, or the one that holds it.
        options: `which`: `original` or `aligned`.

    Returns:
        Photos with age and gender, `not_wear`, each its own person. Refused are photos whose name isn't of the form
        `00000A02` or has a serial the set doesn't (`unexpected_name`), whose gender by serial and in `image sets`
        differ (`label_conflict`), and photos that `image sets` lists and the folder lacks (`missing_photo`).

    Raises:
        LayoutError: If the folder isn't laid out so; the message says what was looked for and what was found.
        LabelsError: If a file of `image sets` holds a line without a meaning.
    """
    home = _find_home(root)
    folder = _find_folder(home, choice(options, "which", ("original", "aligned"), "original"))
    prefix = "" if folder == root else f"{folder.relative_to(root).as_posix()}/"
    listed = read_image_sets(home)
    photos, unusable = find_photos(folder)
    records: list[Record] = []
    refusals = [replace(refusal, photo_id=prefix + refusal.photo_id) for refusal in unusable]
    for photo in photos:
        result = _record(replace(photo, relative=prefix + photo.relative), listed)
        (records if isinstance(result, Record) else refusals).append(result)  # type: ignore[arg-type]
    found = {PurePosixPath(photo.relative).stem for photo in photos}
    if folder.name == ORIGINAL:
        absent = sorted(name for name in listed if PurePosixPath(name).stem not in found)
        refusals += [Refusal(prefix + name, "labels", "missing_photo", "listed in image sets") for name in absent]
    if not records:
        raise missing_layout(folder, "photos named as 00000A02.jpg")
    return Listing(records, refusals)


def gender_of_serial(serial: int) -> str:
    """Returns the gender of a photo by its serial, 0..13321.

    Raises:
        ValueError: If the set has no such serial.
    """
    if not 0 <= serial <= LAST:
        raise ValueError(f"serials go from 0 to {LAST}, not {serial}")
    return "male" if serial >= FIRST_MALE else "female"


def read_image_sets(home: Path) -> dict[str, str]:
    """Reads the genders that `image sets/{train,val}.txt` give, by file name; none where there are no such files.

    Raises:
        LabelsError: If a line isn't a file name and 0 or 1.
    """
    genders = {}
    for file in (home / "image sets" / "train.txt", home / "image sets" / "val.txt"):
        text = file.read_text(encoding="utf-8-sig", errors="replace") if file.is_file() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            name, _, code = line.strip().rpartition(" ")
            if code not in _GENDER_CODES and line.strip():
                raise LabelsError(f"{file} line {number}: expected a name and 0 (female) or 1 (male), not {line!r}")
            if line.strip():
                genders[name.strip()] = _GENDER_CODES[code]
    return genders


def read_key_points(home: Path, name: str) -> NDArray[np.float32]:
    """Reads the key points of one photo.

    They are dlib's 68 points without the 17 of the jaw and the two inner corners of the mouth, in the same order.

    Args:
        home: The folder `All-Age-Faces Dataset`.
        name: A photo's name, such as `00000A02`, with or without its suffix.

    Returns:
        (49, 2) float32, x and y in pixels of the original image.

    Raises:
        LayoutError: If the photo has no file of key points.
        LabelsError: If the file doesn't hold 49 points.
    """
    file = home / "key points" / f"{PurePosixPath(name).stem}.txt"
    try:
        values = [float(word) for word in file.read_text(encoding="utf-8-sig").split()]
    except OSError as error:
        raise LayoutError(f"no key points for {name}: expected {file}") from error
    except ValueError as error:
        raise LabelsError(f"{file}: expected {N_KEY_POINTS} lines of x and y: {error}") from error
    if len(values) != 2 * N_KEY_POINTS:
        raise LabelsError(f"{file}: expected {N_KEY_POINTS} lines of x and y, found {len(values)} numbers")
    return np.array(values, dtype=np.float32).reshape(N_KEY_POINTS, 2)


def _find_home(root: Path) -> Path:
    for home in folders_below(root, DEPTH, frozenset((ORIGINAL, *ALIGNED))):
        if any((home / name).is_dir() for name in (ORIGINAL, *ALIGNED)):
            return home
    raise missing_layout(root, f"'{ORIGINAL}', '{ALIGNED[0]}' or '{ALIGNED[1]}', or '{FOLDER}' with one of them")


def _find_folder(home: Path, which: str) -> Path:
    names = (ORIGINAL,) if which == "original" else ALIGNED
    for name in names:
        if (home / name).is_dir():
            return home / name
    other = "aligned" if which == "original" else "original"
    wanted = " or ".join(repr(name) for name in names)
    raise missing_layout(home, f"{wanted} (the option which={other} reads the other photos)")


def _record(photo: PhotoFile, listed: Mapping[str, str]) -> Record | Refusal:
    name = PurePosixPath(photo.relative).name
    match = _NAME.fullmatch(PurePosixPath(name).stem)
    if match is None or int(match[1]) > LAST:
        return Refusal(photo.relative, "labels", "unexpected_name", f"expected 00000A02 to {LAST}A80: serial, A, age")
    gender = gender_of_serial(int(match[1]))
    if listed.get(name, gender) != gender:
        detail = f"{gender} by its serial, {listed[name]} in image sets"
        return Refusal(photo.relative, "labels", "label_conflict", detail)
    return Record(photo, match[1], {"mask": "not_wear", "gender": gender, "age": float(match[2])})
