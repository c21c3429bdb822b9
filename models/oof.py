"""Out-of-fold tables: what models say of photos of people that they have not learned from, beside the truth.

One row a photo or variant, in Parquet. Ensembles, cut-offs and scores are made of these, without any photo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from datasets.labels import N_LABELS
from models.chances import Chances
from models.errors import OutOfFoldError
from models.headline import Headline, headline_of
from models.heads import HEADS, MISSING, SIZES, to_labels

OOF: Final = "oof.parquet"
_PLAIN: Final = ("photo_id", "fold", "synthetic")
_TRUTH: Final = tuple(f"truth_{name}" for name in HEADS)
_YEARS: Final = "years"
_PIECES: Final = {"label": N_LABELS, **dict(zip(HEADS, SIZES, strict=True))}
# Chances are means and products of float32 answers: their sums are off by rounding, and by nothing else.
_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What models say of N photos that they have not learned from.

    Attributes:
        photo_ids: (N,) each once.
        folds: (N,) int64, the fold each photo lies in, which the model that speaks of it has not seen.
        synthetic: (N,) bool, variants.
        truth: (N, 3) int64 codes of `models.heads`, -1 for a missing label.
        chances: of those N.
    """

    photo_ids: tuple[str, ...]
    folds: NDArray[np.int64]
    synthetic: NDArray[np.bool_]
    truth: NDArray[np.int64]
    chances: Chances

    def __post_init__(self) -> None:
        count = len(self.photo_ids)
        for name, each, shape in (
            ("folds", self.folds, (count,)),
            ("synthetic", self.synthetic, (count,)),
            ("truth", self.truth, (count, len(HEADS))),
            ("chances", np.zeros(len(self.chances)), (count,)),
        ):
            if each.shape != shape:
                raise ValueError(f"{name} of {count} photos have the shape {shape}, not {each.shape}")

    def __len__(self) -> int:
        return len(self.photo_ids)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) true labels 0..17, -1 where one of the three is missing."""
        return to_labels(self.truth)

    @property
    def columns(self) -> list[int]:
        """Which columns of the codes are answered."""
        return [at for at, name in enumerate(HEADS) if name in self.chances.heads]

    @property
    def headline(self) -> Headline:
        """Which rows models are compared by, of `models.headline.headline_of`."""
        return headline_of(self.truth[~self.synthetic], self.truth[self.synthetic], self.columns)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> OutOfFold:
        """Some of the rows, by number or by a mask."""
        at = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return OutOfFold(
            tuple(self.photo_ids[row] for row in at),
            self.folds[at],
            self.synthetic[at],
            self.truth[at],
            self.chances.take(at),
        )

    def of_headline(self) -> OutOfFold:
        """The rows that models are compared by."""
        return self.take(self.synthetic == (self.headline == "synthetic"))

    def with_chances(self, chances: Chances) -> OutOfFold:
        """The same photos, with other answers."""
        return OutOfFold(self.photo_ids, self.folds, self.synthetic, self.truth, chances)


def joined(parts: Sequence[OutOfFold]) -> OutOfFold:
    """Tables of other photos as one, sorted by photo id; with years where all of them have years.

    Raises:
        OutOfFoldError: a photo is in two of them, they answer other heads, or there are none.
    """
    if not parts:
        raise OutOfFoldError("no out-of-fold tables to put together: at least one is needed")
    first = parts[0].chances
    if any(_answered(each.chances) != _answered(first) for each in parts):
        raise OutOfFoldError("the tables to put together answer other heads: predict all folds with one kind of model")
    ids = [photo_id for each in parts for photo_id in each.photo_ids]
    _check_once(ids, "the tables to put together")
    chances = Chances(
        None if first.label is None else _stacked([each.chances.label for each in parts]),
        {name: _stacked([each.chances.heads[name] for each in parts]) for name in first.heads},
        None if any(each.chances.years is None for each in parts) else _stacked([each.chances.years for each in parts]),
    )
    whole = OutOfFold(
        tuple(ids),
        np.concatenate([each.folds for each in parts]),
        np.concatenate([each.synthetic for each in parts]),
        np.concatenate([each.truth for each in parts]),
        chances,
    )
    return whole.take(np.argsort(np.array(ids, dtype=object), kind="stable"))


def aligned(tables: Mapping[str, OutOfFold]) -> dict[str, OutOfFold]:
    """Tables of several runs with their rows in one order, that of the first.

    Raises:
        OutOfFoldError: they are of other photos, or disagree on a photo's fold or truth.
    """
    (first_name, first), *others = tables.items()
    same = {first_name: first}
    for name, each in others:
        _check_same_photos(first_name, first, name, each)
        place = {photo_id: row for row, photo_id in enumerate(each.photo_ids)}
        moved = each.take(np.array([place[photo_id] for photo_id in first.photo_ids], dtype=np.int64))
        _check_agreement(first_name, first, name, moved)
        same[name] = moved
    return same


def write_oof(table: OutOfFold, path: Path) -> Path:
    """Writes a table, whole or not at all; the same in gives the same bytes.

    Args:
        table: what to write.
        path: the Parquet file, or a folder, which gets `OOF`.

    Returns:
        The file's path.

    Raises:
        OutOfFoldError: a photo is in it twice.
        OutputError: the file can't be written.
    """
    _check_once(table.photo_ids, "the table to write")
    columns: dict[str, NDArray[np.generic] | list[str]] = {
        "photo_id": list(table.photo_ids),
        "fold": table.folds.astype(np.int64),
        "synthetic": table.synthetic.astype(bool),
    }
    columns |= {name: table.truth[:, at].astype(np.int64) for at, name in enumerate(_TRUTH)}
    pieces = ({} if table.chances.label is None else {"label": table.chances.label}) | table.chances.heads
    for name, piece in pieces.items():
        columns |= {f"{name}_{at}": piece[:, at].astype(np.float64) for at in range(_PIECES[name])}
    if table.chances.years is not None:
        columns[_YEARS] = table.chances.years.astype(np.float64)
    file = path if path.suffix == ".parquet" else path / OOF
    with atomic_write(file) as temporary:
        parquet.write_table(arrow.table(columns), temporary, compression="zstd")
    return file


def read_oof(path: Path) -> OutOfFold:
    """Reads a table from its Parquet file, or from the folder of the run or team that holds it.

    Raises:
        OutOfFoldError: there is none, it can't be read, or what it holds can't be: a photo twice, chances that are no
            chances, codes that stand for nothing.
    """
    file = Path(path) / OOF if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise OutOfFoldError(
            f"no out-of-fold table at {path}: expected {OOF}, as palette train --folds all and palette ensemble write"
        )
    try:
        frame = parquet.read_table(file, partitioning=None).to_pandas()
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise OutOfFoldError(f"cannot read {file} as Parquet: {str(error).splitlines()[0]}") from error
    try:
        return _parsed(frame)
    except (ValueError, TypeError, OutOfFoldError) as error:
        raise OutOfFoldError(f"{file} is no out-of-fold table: {error}; predict the folds again") from error


def _parsed(frame: pd.DataFrame) -> OutOfFold:
    lacking = [name for name in (*_PLAIN, *_TRUTH) if name not in frame.columns]
    if lacking:
        raise ValueError(f"it lacks the columns {', '.join(lacking)}")
    if frame[list(_PLAIN)].isna().any(axis=None):
        raise ValueError("a photo_id, fold or synthetic is missing")
    ids = [str(each) for each in frame["photo_id"]]
    _check_once(ids, "it")
    truth = frame[list(_TRUTH)].to_numpy(dtype=np.int64)
    if ((truth < MISSING) | (truth >= np.array(SIZES))).any():
        raise ValueError("its truth holds codes that stand for nothing")
    pieces = {name: found for name in _PIECES if (found := _piece(frame, name)) is not None}
    label = pieces.pop("label", None)
    if not pieces:
        raise ValueError(f"it lacks the chances of {', '.join(HEADS)}")
    if label is not None and len(pieces) < len(HEADS):
        raise ValueError("it has chances of the classes without those of each head")
    years = frame[_YEARS].to_numpy(dtype=np.float64) if _YEARS in frame.columns else None
    return OutOfFold(
        tuple(ids),
        frame["fold"].to_numpy(dtype=np.int64),
        frame["synthetic"].to_numpy(dtype=bool),
        truth,
        Chances(label, pieces, years),
    )


def _piece(frame: pd.DataFrame, name: str) -> NDArray[np.float64] | None:
    """(N, C) chances of the classes or of a head; None where they aren't answered."""
    columns = [f"{name}_{at}" for at in range(_PIECES[name])]
    there = [column for column in columns if column in frame.columns]
    if not there:
        return None
    if len(there) < len(columns):
        raise ValueError(f"of {name}'s {len(columns)} columns it has only {', '.join(there)}")
    values = frame[columns].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"its chances of {name} hold numbers that are no chances")
    if (np.abs(values.sum(axis=1) - 1) > _TOLERANCE).any():
        raise ValueError(f"its chances of {name} don't sum to 1")
    return values


def _answered(chances: Chances) -> tuple[bool, frozenset[str]]:
    return chances.label is not None, frozenset(chances.heads)


def _stacked(parts: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64]:
    return np.concatenate([each for each in parts if each is not None])


def _check_once(ids: Sequence[str], where: str) -> None:
    if len(set(ids)) < len(ids):
        names = pd.Series(ids)
        twice = names[names.duplicated()]
        raise OutOfFoldError(f"{where} holds {len(twice)} photos more than once, such as {twice.iloc[0]}")


def _check_same_photos(first_name: str, first: OutOfFold, name: str, other: OutOfFold) -> None:
    here, there = set(first.photo_ids), set(other.photo_ids)
    if here != there:
        odd = min(here ^ there)
        raise OutOfFoldError(
            f"{first_name} and {name} are of other photos: {len(here - there)} only in {first_name}, "
            f"{len(there - here)} only in {name}, such as {odd}: "
            "train both with the same folds held out of the same manifest"
        )


def _check_agreement(first_name: str, first: OutOfFold, name: str, other: OutOfFold) -> None:
    for what, here, there in (
        ("fold", first.folds[:, None], other.folds[:, None]),
        ("truth", first.truth, other.truth),
        ("being synthetic", first.synthetic[:, None], other.synthetic[:, None]),
    ):
        differ = np.flatnonzero((here != there).any(axis=1))
        if len(differ):
            more = " and, if it has no folds, with the same seed, or merge with folds" if what == "fold" else ""
            raise OutOfFoldError(
                f"{first_name} and {name} disagree on the {what} of {len(differ)} photos, such as "
                f"{first.photo_ids[differ[0]]}: train both on the same manifest{more}"
            )
