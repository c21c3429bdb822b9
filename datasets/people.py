"""Sample people: two datasets drawn by code, in the layouts of the real ones, for the demo and for tests.

Nobody in them exists. Persons, genders, ages, mask states and landmarks are known by construction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from datasets.atomic import atomic_write
from datasets.errors import UsageError
from datasets.labels import age_group, encode_label
from datasets.portraits.camera import sample_pose
from datasets.portraits.masks import KINDS, WornMask
from datasets.portraits.person import Person
from datasets.portraits.shots import Shot, take_shots
from datasets.workers import Progress

AAF: Final = "All-Age-Faces Dataset"
LAST_WOMAN: Final = 7380  # serials up to it are women; up to LAST_MAN, men
LAST_MAN: Final = 13321
WEAR: Final = tuple(f"mask{i}" for i in range(1, 6))
STATES: Final = {None: "not_wear", "correct": "wear", "nose_out": "incorrect", "chin": "incorrect"}
# Every twelve people: seven women, two of 60 and over, as in the competition few are.
QUOTA: Final = (
    ("female", 18, 29), ("male", 30, 59), ("male", 18, 29), ("female", 30, 59), ("female", 60, 74), ("male", 30, 59),
    ("female", 18, 29), ("female", 30, 59), ("male", 18, 29), ("male", 60, 74), ("female", 30, 59), ("female", 18, 29),
)  # fmt: skip


def write_competition(
    root: Path, people: int, seed: int, eval_photos: int, *, workers: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Draw a dataset in the competition's layout, traps included, with an eval folder.

    Writes ``train/train.csv``, ``train/images/<path>/{mask1..5,incorrect_mask,normal}.{jpg,jpeg,png}``,
    ``eval/info.csv``, ``eval/images/<40 hex>.jpg``, and ``truth.csv`` (``ImageID,ans`` of the eval photos). Ids that
    end in ``-1``, one id used twice, an AppleDouble file and a ``.ipynb_checkpoints`` folder are there as in the real
    set (the last three from 6 people on). Nobody of train is in eval.

    Args:
        root: the folder to write into.
        people: how many in train, at least 1.
        seed: the same seed draws the same bytes.
        eval_photos: how many in eval, 0 for none.
        workers: processes.
        progress: told how many photos are done.

    Returns:
        One row a photo: split, path (relative to root), person, gender, age, mask, wear_style, label.

    Raises:
        UsageError: for a count or seed out of range, or where root already holds other files of such a dataset.
        OutputError: when a file can't be written.
    """
    _check(
        people >= 1 and eval_photos >= 0 and seed >= 0,
        "people >= 1, eval_photos >= 0 and seed >= 0",
        people,
        eval_photos,
        seed,
    )
    rows = _train_rows(people, seed)
    train = [shot for row, person in rows for shot in _seven(root, str(row["path"]), person)]
    shots = train + _eval_shots(root, eval_photos, seed)
    _refuse_others(root, ("train", "eval"), shots, {"train.csv", "info.csv", "._mask1.jpg", "mask1-checkpoint.jpg"})
    take_shots(shots, workers=workers, progress=progress)
    _write_csv(root / "train" / "train.csv", pd.DataFrame([row for row, _ in rows]))
    if people >= 6:
        _litter(train[0].path.parent, train)
    truth = pd.DataFrame([_truth(root, "train" if i < len(train) else "eval", shot) for i, shot in enumerate(shots)])
    _write_eval(root, truth[truth["split"] == "eval"])
    return truth


def _check(ok: bool, wanted: str, *came: int) -> None:
    if not ok:
        raise UsageError(f"sample people: expected {wanted}, got {', '.join(map(str, came))}")


def _train_rows(people: int, seed: int) -> list[tuple[dict[str, object], Person]]:
    """Return the rows of train.csv, each with its person."""
    rng = np.random.default_rng([seed, 1])
    serials = np.sort(rng.choice(np.arange(1, 6960), people, replace=False))
    rows: list[tuple[dict[str, object], Person]] = []
    for i, serial in enumerate(serials):
        gender, low, high = QUOTA[i % len(QUOTA)]
        age, identity = int(rng.integers(low, high + 1)), f"{serial:06d}"
        if i % 9 == 4:
            identity = f"{rows[-1][0]['id']}-1"  # another person than the one without -1
        elif i == 5:
            identity = str(rows[0][0]["id"])  # a man with a woman's id
        path = f"{identity}_{gender}_Asian_{age}"
        person = Person(f"competition {i} {serial}", gender, age, seed)
        rows.append(({"id": identity, "gender": gender, "race": "Asian", "age": age, "path": path}, person))
    return rows


def _seven(root: Path, path: str, person: Person) -> list[Shot]:
    """Return the seven photos of a person: five worn, one worn wrongly, one bare."""
    rng = person.rng(7)
    kinds = [*rng.permutation(KINDS), rng.choice(KINDS)]
    suffix = str(rng.choice([".jpg", ".jpeg", ".png"], p=[0.74, 0.16, 0.10]))
    wrong = WornMask(str(rng.choice(KINDS)), str(rng.choice(["nose_out", "chin"])))
    worn: list[WornMask | None] = [*(WornMask(str(kind), "correct") for kind in kinds), wrong, None]
    folder = root / "train" / "images" / path
    names = (*WEAR, "incorrect_mask", "normal")
    return [
        Shot(person, folder / f"{name}{suffix}", i, mask)
        for i, (name, mask) in enumerate(zip(names, worn, strict=True))
    ]


def _eval_shots(root: Path, photos: int, seed: int) -> list[Shot]:
    """Return the eval photos: three a person, mask states as often as in train."""
    rng = np.random.default_rng([seed, 2])
    shots = []
    for i in range(photos):
        gender, low, high = QUOTA[(i // 3) % len(QUOTA)]
        age = low + int(np.random.default_rng([seed, 3, i // 3]).integers(high + 1 - low))
        style = rng.choice(["correct", "nose_out", "chin", "bare"], p=[5 / 7, 0.5 / 7, 0.5 / 7, 1 / 7])
        mask = None if style == "bare" else WornMask(str(rng.choice(KINDS)), str(style))
        name = hashlib.sha256(f"{seed} {i}".encode()).hexdigest()[:40]
        person = Person(f"eval {i // 3}", gender, age, seed)
        shots.append(Shot(person, root / "eval" / "images" / f"{name}.jpg", i, mask))
    return shots


def _refuse_others(root: Path, folders: Iterable[str], shots: list[Shot], own: set[str]) -> None:
    """Refuse a folder that holds other people's photos: the tables would not speak of them."""
    planned = {path for shot in shots for path in (shot.path, shot.key_points, shot.aligned)}
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path not in planned and path.name not in own:
                raise UsageError(
                    f"{root} already holds {path.relative_to(root).as_posix()}, which isn't part of the sample people "
                    "to be drawn; choose an empty folder"
                )


def _truth(root: Path, split: str, shot: Shot) -> dict[str, object]:
    style = shot.mask.style if shot.mask else None
    mask, person = STATES[style], shot.person
    return {
        "split": split,
        "path": shot.path.relative_to(root).as_posix(),
        "person": person.person_id,
        "gender": person.gender,
        "age": float(person.age),
        "mask": mask,
        "wear_style": style,
        "label": encode_label(mask, person.gender, age_group(person.age)),
    }


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _write_eval(root: Path, truth: pd.DataFrame) -> None:
    names = [Path(path).name for path in truth["path"]]
    table = pd.DataFrame({"ImageID": names, "ans": truth["label"].tolist()}).astype({"ImageID": "str", "ans": "int64"})
    _write_csv(root / "truth.csv", table)
    _write_csv(root / "eval" / "info.csv", table.assign(ans=0))


def _litter(folder: Path, train: list[Shot]) -> None:
    """Leave what a Mac and a notebook leave in real sets: neither is a photo of the set."""
    with atomic_write(folder / "._mask1.jpg") as temporary:
        temporary.write_bytes(bytes.fromhex("00051607000200004d6163204f53205820202020202020200000") + bytes(94))
    with atomic_write(folder / ".ipynb_checkpoints" / "mask1-checkpoint.jpg") as temporary:
        temporary.write_bytes(train[0].path.read_bytes())


def write_all_age_faces(
    root: Path, photos: int, seed: int, *, workers: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Draw a dataset in the layout of All-Age-Faces: bare faces, each of another person, many over 60.

    Writes ``All-Age-Faces Dataset/{original images,aglined faces,key points,image sets}``.

    Args:
        root: the folder to write into.
        photos: how many, 2 to 5,000.
        seed: the same seed draws the same bytes.
        workers: processes.
        progress: told how many photos are done.

    Returns:
        One row a photo: split, path (relative to root), person, gender, age, mask, wear_style, label.

    Raises:
        UsageError: for a count or seed out of range, or where root already holds other files of such a dataset.
        OutputError: when a file can't be written.
    """
    _check(2 <= photos <= 5000 and seed >= 0, "photos from 2 to 5000 and seed >= 0", photos, seed)
    rng = np.random.default_rng([seed, 4])
    women = photos - photos // 2
    shots = _faces(root / AAF, "female", women, 0, LAST_WOMAN, rng, seed)
    shots += _faces(root / AAF, "male", photos // 2, LAST_WOMAN + 1, LAST_MAN, rng, seed)
    _refuse_others(root, (AAF,), shots, {"train.txt", "val.txt"})
    take_shots(shots, workers=workers, progress=progress)
    splits = ["val" if place == 0 else "train" for place in np.arange(len(shots)) % 4]
    for split in ("train", "val"):
        _write_set(
            root / AAF / "image sets" / f"{split}.txt", [s for s, at in zip(shots, splits, strict=True) if at == split]
        )
    return pd.DataFrame([_truth(root, split, shot) for split, shot in zip(splits, shots, strict=True)])


def _faces(
    folder: Path, gender: str, count: int, first: int, last: int, rng: np.random.Generator, seed: int
) -> list[Shot]:
    """Return shots of one gender, whose serials rise with age as in the real set."""
    share = [(2, 17, 0.12), (18, 29, 0.2), (30, 59, 0.3), (60, 80, 0.38)]
    spans = rng.choice(len(share), count, p=[part for _, _, part in share])
    ages = np.sort([rng.integers(share[span][0], share[span][1] + 1) for span in spans])
    serials = np.sort(rng.choice(np.arange(first, last + 1), count, replace=False))
    return [
        _face(folder, Person(f"all-age-faces {serial:05d}", gender, int(age), seed), int(serial))
        for serial, age in zip(serials, ages, strict=True)
    ]


def _face(folder: Path, person: Person, serial: int) -> Shot:
    rng = person.rng(8)
    width = int(rng.integers(280, 330))
    pose = sample_pose(rng, 1.2)
    close = replace(pose, zoom=pose.zoom * 1.42, shift=(pose.shift[0] * 0.4, pose.shift[1] * 0.4 - 0.1))
    name = f"{serial:05d}A{int(person.age):02d}"
    return Shot(
        person,
        folder / "original images" / f"{name}.jpg",
        0,
        size=(width, round(width * 1.125)),
        pose=close,
        key_points=folder / "key points" / f"{name}.txt",
        aligned=folder / "aglined faces" / f"{name}.jpg",
    )


def _write_set(path: Path, shots: list[Shot]) -> None:
    """Write a list of photos with the set's own gender numbers: 0 a woman, 1 a man."""
    text = "".join(f"{shot.path.name} {int(shot.person.gender == 'male')}\n" for shot in shots)
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode("ascii"))
