"""Tables that people write: labels of a folder's photos. Read with care, and with a line number for every complaint."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from datasets.errors import LabelsError
from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, age_group, known_age

FILE_COLUMNS: Final = ("file_name", "path", "file")
LABEL_COLUMNS: Final = ("mask", "gender", "age", "age_group", "person_id", "licence")

_UNKNOWN: Final = frozenset({"", "unknown", "na", "n/a", "nan", "null"})
_MASKS: Final = {**{word: word for word in MASK_STATES}, "with_mask": "wear", "without_mask": "not_wear"}
_GENDERS: Final = {**{word: word for word in GENDERS}, "m": "male", "man": "male", "f": "female", "woman": "female"}
_AGE_GROUPS: Final = {
    **{word: word for word in AGE_GROUPS},
    **dict.fromkeys(("under30", "lt30", "<30", "0_29"), AGE_GROUPS[0]),
    **dict.fromkeys(("30to59", "30_59"), AGE_GROUPS[1]),
    **dict.fromkeys(("60plus", "60+", "ge60", ">=60", "60_and_over"), AGE_GROUPS[2]),
}
_RANGE: Final = re.compile(r"(\d{1,3})_?(?:-|~|to|_)_?(\d{1,3})")
_FROM: Final = re.compile(r"(?:more_than_|over_|>=?_?)?(\d{1,3})(?:_?\+|_and_over)?")


def read_table(path: Path, required: tuple[str, ...] = ()) -> pd.DataFrame:
    """Reads a CSV as text, without guessing at any value; header names in lower case, cells stripped.

    Args:
        path: A comma-separated file with a header, UTF-8 with or without a byte order mark.
        required: Columns it must have.

    Raises:
        LabelsError: If there is no such file, it can't be read as a table, or a column is missing.
    """
    try:
        # pandas only warns of rows with more cells than the header, and drops what they hold too much.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except UnicodeDecodeError as error:
        raise LabelsError(f"{path} isn't UTF-8 text; save it as UTF-8 CSV") from error
    except OSError as error:
        raise LabelsError(f"cannot read {path}: {error.strerror or error}") from error
    except pd.errors.ParserWarning as error:
        raise LabelsError(
            f"{path} has rows with more cells than its header: quote the cells that hold commas"
        ) from error
    except ValueError as error:
        raise LabelsError(f"{path} isn't a comma-separated table with a header: {str(error).strip()}") from error
    frame.columns = pd.Index([str(name).strip().lower() for name in frame.columns])
    if frame.columns.has_duplicates:
        twice = ", ".join(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
        raise LabelsError(f"{path} has more than one column {twice}; keep one of them")
    missing = [column for column in required if column not in frame.columns]
    if missing:
        raise LabelsError(f"{path} has no column {', '.join(missing)}; its columns are {', '.join(frame.columns)}")
    return frame.apply(lambda column: column.str.strip()) if len(frame.columns) else frame


def read_labels_csv(path: Path) -> pd.DataFrame:
    """Reads the labels of a folder's photos.

    Columns, in any order, others being passed over: `file_name`, `path` or `file` (relative to the folder), and any of

    - `mask`: wear, incorrect, not_wear (or with_mask, without_mask);
    - `gender`: male, female, m, f, man, woman. Not 0 and 1: they mean opposite things in different datasets;
    - `age`: years, or a range such as `30-39` or `70+`, of which only the age group is kept;
    - `age_group`: under_30, 30_to_59, 60_plus;
    - `person_id`: photos that share it show the same person;
    - `licence`: id of the terms the photo comes under.

    Case doesn't matter; an empty cell and `unknown` say nothing.

    Args:
        path: The CSV.

    Returns:
        One row a file: `file` and all LABEL_COLUMNS, age as float64, the rest `str`, missing where nothing is said.

    Raises:
        LabelsError: If it can't be read, a value has no meaning, or two rows of one file differ.
    """
    table = read_table(path)
    name = next((column for column in FILE_COLUMNS if column in table.columns), None)
    if name is None:
        raise LabelsError(f"{path} has no column {' or '.join(FILE_COLUMNS)}; it has {', '.join(table.columns)}")
    labels = pd.DataFrame({"file": table[name].str.replace("\\", "/").str.removeprefix("./")})
    for column, meaning in _MEANINGS.items():
        labels[column] = _translate(table, column, meaning, path)
    labels["age"] = labels["age"].astype("float64")
    if "age" in table.columns:
        groups = _translate(table, "age", _group_of_age, path)
        clash = groups.notna() & labels["age_group"].notna() & (groups != labels["age_group"])
        if clash.any():
            raise LabelsError(f"{path} line {_line(clash)}: age and age_group contradict each other")
        labels["age_group"] = labels["age_group"].fillna(groups)
    return _one_row_a_file(labels, path)


def _one_row_a_file(labels: pd.DataFrame, path: Path) -> pd.DataFrame:
    labels = labels[labels["file"] != ""]
    once = labels.drop_duplicates()
    again = once["file"].duplicated()
    if again.any():
        raise LabelsError(f"{path} line {_line(again)}: {once['file'][again].iloc[0]!r} again, with other labels")
    return once.reset_index(drop=True)


def _line(rows: pd.Series[bool]) -> int:
    return int(str(rows.index[rows.to_numpy()][0])) + 2  # the header is line 1


def _translate(table: pd.DataFrame, column: str, meaning: Callable[[str], Any], path: Path) -> pd.Series[Any]:
    if column not in table.columns:
        return pd.Series(None, index=table.index, dtype="str")
    meanings: dict[str, Any] = {}
    for word in table[column].unique().tolist():
        try:
            meanings[word] = meaning(word)
        except ValueError as error:
            raise LabelsError(f"{path} line {_line(table[column] == word)}: {column} {word!r}: {error}") from error
    values = [meanings[word] for word in table[column].tolist()]
    return pd.Series(values, index=table.index, dtype="float64" if column == "age" and meaning is _age else "str")


def _word(words: Mapping[str, str], unknown: frozenset[str] = _UNKNOWN) -> Callable[[str], str | None]:
    def meaning(text: str) -> str | None:
        word = re.sub(r"[\s-]+", "_", text.lower())
        if word in unknown:
            return None
        if word not in words:
            hint = "; 0 and 1 mean opposite things in different datasets" if word in ("0", "1") else ""
            raise ValueError(f"expected one of {', '.join(dict.fromkeys(words))}{hint}")
        return words[word]

    return meaning


def _span(text: str) -> tuple[float, float] | None:
    """Reads an age or a range of ages as its ends in years; None where nothing is said."""
    word = re.sub(r"\s+", "_", text.lower())
    if word in _UNKNOWN:
        return None
    try:
        return float(word), float(word)
    except ValueError:
        pass
    if match := _RANGE.fullmatch(word):
        return float(match[1]), float(match[2])
    if match := _FROM.fullmatch(word):
        return float(match[1]), float("inf")
    raise ValueError("expected years, or a range such as 30-39 or 70+")


def _age(text: str) -> float | None:
    span = _span(text)
    return known_age(span[0]) if span is not None and span[0] == span[1] else None


def _group_of_age(text: str) -> str | None:
    span = _span(text)
    if span is None:
        return None
    first, last = age_group(span[0]), age_group(min(span[1], 120.0) if span[0] != span[1] else span[1])
    return first if first == last else None


_MEANINGS: Final[dict[str, Callable[[str], Any]]] = {
    "mask": _word(_MASKS),
    "gender": _word(_GENDERS, _UNKNOWN | {"none"}),
    "age": _age,
    "age_group": _word(_AGE_GROUPS),
    "person_id": lambda text: text or None,
    "licence": lambda text: text or None,
}
