"""The manifest's columns, types and ranges, written once. Every room reads and writes this and nothing else."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
from pandera.typing import Series

from datasets.labels import AGE_GROUPS, AXES, GENDERS, LABEL_FROM, MASK_STATES, MAX_AGE, N_LABELS, WEAR_STYLES

RELATIVE_PATH: Final = r"(?!/)(?![A-Za-z]:)(?!.*(?:^|/)\.{1,2}(?:/|$))[^\\\x00]+"
"""`/` between parts, no `.` or `..` part, no drive, no backslash: can't leave the manifest's own folder."""

SOURCE_NAME: Final = r"[a-z0-9][a-z0-9._-]*"
"""No colon, so that a photo id splits at its first one."""

_HEX: Final = np.isin(np.arange(256), np.frombuffer(b"0123456789abcdef", np.uint8))
"""By byte: whether it is a lower-case hex digit."""


def _words(words: tuple[str, ...]) -> Any:
    return pa.Field(nullable=True, isin=list(words))


def _share() -> Any:
    return pa.Field(nullable=True, in_range={"min_value": 0.0, "max_value": 1.0})


def _text() -> Any:
    return pa.Field(nullable=True)


def _starts_with_source(frame: pd.DataFrame) -> pd.Series[bool]:
    same = pd.Series(False, index=frame.index, dtype="bool")
    for source in frame["source"].dropna().unique().tolist():
        same |= frame["source"].eq(source) & frame["photo_id"].str.startswith(f"{source}:")
    return same


def _matches(column: pd.Series[str], pattern: str) -> pd.Series[bool]:
    """Says which texts match as a whole; Python's `re`, because Arrow's takes 30 times as long over `{64}`."""
    full = re.compile(pattern).fullmatch
    return pd.Series([full(text) is not None for text in column.tolist()], index=column.index, dtype="bool")


def _hex_digits(column: pd.Series[str], digits: int) -> pd.Series[bool]:
    """Says which texts are so many hex digits; where all are, as a rule, without looking at each by itself."""
    lengths, data = _bytes_of(column)
    if (lengths == digits).all() and _HEX[data].all():
        return pd.Series(True, index=column.index, dtype="bool")
    return _matches(column, rf"[0-9a-f]{{{digits}}}")


def _inside(column: pd.Series[str]) -> pd.Series[bool]:
    """Says which texts are relative paths; where none holds anything unusual, without looking at each by itself."""
    lengths, data = _bytes_of(column)
    starts = data[np.cumsum(lengths) - lengths] if (lengths > 0).all() else data[:0]
    text = data.tobytes()
    usual = not any(part in text for part in (b"\\", b"\x00", b"/.", b":", b"\n", b"\r"))
    if len(starts) == len(column) and usual and not np.isin(starts, np.frombuffer(b"/.", np.uint8)).any():
        return pd.Series(True, index=column.index, dtype="bool")
    return _matches(column, RELATIVE_PATH)


def _bytes_of(column: pd.Series[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Returns the texts' lengths in bytes, and all their UTF-8 bytes one after another."""
    texts = arrow.array(column, type=arrow.large_string(), from_pandas=True)
    if isinstance(texts, arrow.ChunkedArray):
        texts = texts.combine_chunks()
    if texts.null_count or not len(texts):
        return np.array([-1]), np.zeros(0, np.uint8)
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.diff(ends), np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]


def label_series(frame: pd.DataFrame) -> pd.Series[Any]:
    """Returns the class of every row, Int64 0..17, missing where mask, gender or age group is."""
    label = pd.Series(0, index=frame.index, dtype="Int64")
    for column, words in AXES.items():
        code = pd.Series(pd.Categorical(frame[column], categories=list(words)).codes, index=frame.index, dtype="Int64")
        label = label * len(words) + code.mask(code < 0)
    return label


class ManifestSchema(pa.DataFrameModel):
    """One row a photo, real or synthetic. Text is pandas `str`, whole numbers nullable Int64, the rest float64."""

    photo_id: Series[str] = pa.Field(unique=True, str_length={"min_value": 1})
    path: Series[str]
    sha256: Series[str]
    phash: Series[str] = _text()

    width: Series[pd.Int64Dtype] = pa.Field(ge=1)
    height: Series[pd.Int64Dtype] = pa.Field(ge=1)
    source: Series[str]
    source_version: Series[str] = _text()
    licence: Series[str] = pa.Field(str_length={"min_value": 1})
    person_id: Series[str] = pa.Field(str_length={"min_value": 1})
    parent_id: Series[str] = _text()
    recipe_id: Series[str] = _text()
    seed: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    mask: Series[str] = _words(MASK_STATES)
    gender: Series[str] = _words(GENDERS)
    age: Series[float] = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": MAX_AGE})
    age_group: Series[str] = _words(AGE_GROUPS)
    label: Series[pd.Int64Dtype] = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": N_LABELS - 1})
    mask_from: Series[str] = _words(LABEL_FROM)
    gender_from: Series[str] = _words(LABEL_FROM)
    age_from: Series[str] = _words(LABEL_FROM)
    mask_confidence: Series[float] = _share()
    gender_confidence: Series[float] = _share()
    age_confidence: Series[float] = _share()
    mask_type: Series[str] = _text()
    wear_style: Series[str] = _words(WEAR_STYLES)
    nose_covered: Series[float] = _share()
    mouth_covered: Series[float] = _share()
    chin_covered: Series[float] = _share()
    fold: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0)

    class Config:
        """Columns exactly these, in this order, cast to these types."""

        strict = True
        ordered = True
        coerce = True

    @pa.check("path", name="must be relative, with / between its parts, and stay inside the manifest's folder")
    def _path_inside(cls, column: pd.Series[str]) -> pd.Series[bool]:  # noqa: N805
        return _inside(column)

    @pa.check("sha256", name="must be 64 lower-case hex digits")
    def _sha256_hex(cls, column: pd.Series[str]) -> pd.Series[bool]:  # noqa: N805
        return _hex_digits(column, 64)

    @pa.check("phash", name="must be 16 lower-case hex digits")
    def _phash_hex(cls, column: pd.Series[str]) -> pd.Series[bool]:  # noqa: N805
        return _hex_digits(column, 16)

    @pa.check("source", name="must be lower-case letters, digits, dots and dashes")
    def _source_name(cls, column: pd.Series[str]) -> pd.Series[bool]:  # noqa: N805
        fine = {source for source in column.unique().tolist() if re.fullmatch(SOURCE_NAME, str(source))}
        return column.isin(fine)

    @pa.dataframe_check(name="photo_id begins with its source and a colon")
    def _id_of_source(cls, frame: pd.DataFrame) -> pd.Series[bool]:  # noqa: N805
        return _starts_with_source(frame)

    @pa.dataframe_check(name="label is the class of mask, gender and age_group, and missing where one of them is")
    def _label_agrees(cls, frame: pd.DataFrame) -> pd.Series[bool]:  # noqa: N805
        expected = label_series(frame)
        agree = (expected.fillna(-1) == frame["label"].fillna(-1)).to_numpy(dtype="bool")
        return pd.Series(agree, index=frame.index)

    @pa.dataframe_check(
        name="a label says where it came from (mask_from, gender_from, age_from), and only a label does"
    )
    def _origin_known(cls, frame: pd.DataFrame) -> pd.Series[bool]:  # noqa: N805
        pairs = (("mask", "mask_from"), ("gender", "gender_from"), ("age_group", "age_from"))
        agree = [frame[value].isna().to_numpy() == frame[origin].isna().to_numpy() for value, origin in pairs]
        return pd.Series(np.stack(agree).all(axis=0), index=frame.index)

    @pa.dataframe_check(name="an age has an age_group")
    def _age_grouped(cls, frame: pd.DataFrame) -> pd.Series[bool]:  # noqa: N805
        return pd.Series(frame["age"].isna().to_numpy() | frame["age_group"].notna().to_numpy(), index=frame.index)

    @pa.dataframe_check(name="a variant has parent_id and recipe_id, a photo neither")
    def _variant_whole(cls, frame: pd.DataFrame) -> pd.Series[bool]:  # noqa: N805
        agree = frame["parent_id"].isna().to_numpy() == frame["recipe_id"].isna().to_numpy()
        return pd.Series(agree, index=frame.index)


class RefusalSchema(pa.DataFrameModel):
    """One row a refusal. A photo may be refused by more than one stage."""

    photo_id: Series[str] = pa.Field(str_length={"min_value": 1})
    stage: Series[str] = pa.Field(str_length={"min_value": 1})
    reason: Series[str] = pa.Field(str_length={"min_value": 1})
    detail: Series[str]

    class Config:
        """Columns exactly these, in this order, cast to these types."""

        strict = True
        ordered = True
        coerce = True


COLUMNS: Final = tuple(ManifestSchema.to_schema().columns)
REFUSAL_COLUMNS: Final = tuple(RefusalSchema.to_schema().columns)
