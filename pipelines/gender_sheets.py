"""What shows whether pseudo-labelled genders can be believed: tables, a figure and sheets of the doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.finding import MANIFEST
from pipelines.contact_sheets import in_rows, photo_tile, save_sheet
from pipelines.errors import MissingInputError, PipelinesError
from pipelines.pseudo_summary import Summary, read_summary

if TYPE_CHECKING:
    import pandas as pd

    from models.gender import PseudoLabelled
    from models.pseudo_ages import PseudoAged
    from pipelines.rewriting import Inputs
    from synth.sheet import Tile

GIVEN, DECIDED, AGES = "given_genders.csv", "pseudo_genders.csv", "pseudo_ages.csv"
RELIABILITY = "reliability.png"
LEAST_SURE, CONTRADICTED = "least_sure.jpg", "contradicted.jpg"
ROWS, COLUMNS = 5, 8
"""Of a sheet."""
DIGITS = 6
"""Of a confidence: beyond them machines differ in their rounding."""


@dataclass(frozen=True, eq=False)
class GenderTables:
    """What the pseudo-label stage left of its answers; see `models.gender.PseudoLabelled`.

    Attributes:
        given: photo_id, person_id, gender, said, confidence (float), decided (bool); may be empty.
        decided: person_id, photo_id, said, confidence (float, nan where nothing was said), reason, age_group; likewise.
        told: How that was learned, and what was said of age groups.
    """

    given: pd.DataFrame
    decided: pd.DataFrame
    told: Summary = field(default_factory=Summary)


def read_gender_tables(folder: Path) -> GenderTables | None:
    """Read what the stage left in its folder of its answers; None where nothing was missing that it looked for.

    Raises:
        MissingInputError: The folder holds neither of them, nor the manifests that the stage writes in any case.
        PipelinesError: One holds something else than the stage writes.
        LabelsError: One can't be read, or lacks a column.
    """
    from models.gender import DECIDED_COLUMNS, GIVEN_COLUMNS

    told = read_summary(folder)
    if not any((folder / name).is_file() for name in (GIVEN, DECIDED)) and told.ages is None:
        if any(folder.glob(f"*/{MANIFEST}")):
            return None
        raise MissingInputError(
            f"{folder} holds neither {GIVEN} nor {DECIDED}: name the folder that palette pseudo-label wrote to"
        )
    given, decided = _read(folder / GIVEN, GIVEN_COLUMNS), _read(folder / DECIDED, DECIDED_COLUMNS)
    if not given["decided"].isin(["True", "False"]).all() or given["confidence"].isna().any():
        raise PipelinesError(f"{folder / GIVEN} isn't as palette pseudo-label wrote it: run that again")
    return GenderTables(given.assign(decided=given["decided"].eq("True")), decided, told)


def _read(file: Path, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    from datasets.tables import read_table

    rows = read_table(file, tuple(columns)) if file.is_file() else pd.DataFrame(columns=columns, dtype=str)
    confidence = pd.to_numeric(rows["confidence"], errors="coerce")
    if not (confidence.between(0.5, 1) | rows["confidence"].eq("")).all():
        raise PipelinesError(f"{file} holds confidences that are not from 0.5 to 1: run palette pseudo-label again")
    return rows[columns].assign(confidence=confidence.astype(float))


def one_each(given: pd.DataFrame) -> pd.DataFrame:
    """Return one photo of each person, and not the one that happens to be doubted most."""
    return given.sort_values("photo_id").drop_duplicates("person_id")


def write_gender_sheets(inputs: Inputs, labelled: PseudoLabelled, out: Path) -> dict[str, Path]:
    """Write what shows whether the genders can be believed; what an earlier run left and this one lacks goes away.

    Args:
        inputs: The manifests; photos are found beside them.
        labelled: What was learned and decided.
        out: The stage's folder. It gets `GIVEN` (what a model that has not seen a person says of the gender given, the
            most surely contradicted first), `DECIDED` (the people without a gender, the least sure first),
            `RELIABILITY` (how often a confidence is right, and the precision at every coverage, on held-out people),
            `LEAST_SURE` (those filled in with the least confidence) and `CONTRADICTED` (candidates for correction).

    Returns:
        The files written, by what they show.
    """
    given, decided = labelled.given, labelled.decided
    wrong = given[given["said"].ne(given["gender"])]
    filled = decided[decided["reason"].eq("pseudo")]
    written = {
        "given_genders": _table(given, out / GIVEN),
        "pseudo_genders": _table(decided, out / DECIDED),
        "reliability": _figure(labelled, out / RELIABILITY),
        "least_sure": _sheet(inputs, filled, out / LEAST_SURE),
        "contradicted": _sheet(inputs, wrong, out / CONTRADICTED),
    }
    return {name: path for name, path in written.items() if path is not None}


def write_age_table(aged: PseudoAged | None, out: Path) -> Path | None:
    """Write what was said of missing age groups to `AGES`; what an earlier run left goes away where there is nothing.

    Args:
        aged: What was decided; None where nobody asked.
        out: The stage's folder.
    """
    if aged is None or aged.decided.empty:
        (out / AGES).unlink(missing_ok=True)
        return None
    return _table(aged.decided, out / AGES)


def _table(rows: pd.DataFrame, file: Path) -> Path | None:
    from datasets.atomic import atomic_write

    if not len(rows):
        file.unlink(missing_ok=True)
        return None
    with atomic_write(file) as temporary:
        rows.assign(confidence=rows["confidence"].astype(float).round(DIGITS)).to_csv(
            temporary, index=False, lineterminator="\n", encoding="utf-8"
        )
    return file


def _figure(labelled: PseudoLabelled, file: Path) -> Path | None:
    given = one_each(labelled.given)
    if not len(given):
        file.unlink(missing_ok=True)
        return None
    from models.plots import plot_confidence

    right = given["said"].eq(given["gender"]).to_numpy(dtype=bool)
    title = f"Gender of {len(given)} people, by a model that has not seen them"
    confidence, decided = given["confidence"].to_numpy(dtype=float), given["decided"].to_numpy(dtype=bool)
    return plot_confidence(confidence, right, decided, file, title)


def _sheet(inputs: Inputs, rows: pd.DataFrame, file: Path) -> Path | None:
    rows = rows.drop_duplicates("person_id").head(ROWS * COLUMNS)
    if not len(rows):
        file.unlink(missing_ok=True)
        return None
    return save_sheet(in_rows(list(_tiles(inputs, rows)), COLUMNS), file)


def _tiles(inputs: Inputs, rows: pd.DataFrame) -> Iterator[Tile]:
    places = inputs.files(rows["photo_id"].tolist())
    for row in rows.to_dict("records"):
        path = places[str(row["photo_id"])]
        told = f"{row['gender']}: {row['said']}?" if "gender" in row else str(row["said"])
        yield photo_tile(path, told, f"{row['confidence']:.1%} {path.name}")
