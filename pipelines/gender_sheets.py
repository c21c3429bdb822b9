"""What shows whether pseudo-labelled genders can be believed: tables, a figure and sheets of the doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.contact_sheets import in_rows, photo_tile, save_sheet

if TYPE_CHECKING:
    import pandas as pd

    from models.gender import PseudoLabelled
    from pipelines.rewriting import Inputs
    from synth.sheet import Tile

GIVEN, DECIDED = "given_genders.csv", "pseudo_genders.csv"
RELIABILITY = "reliability.png"
LEAST_SURE, CONTRADICTED = "least_sure.jpg", "contradicted.jpg"
ROWS, COLUMNS = 5, 8
"""Of a sheet."""
DIGITS = 6
"""Of a confidence: beyond them machines differ in their rounding."""


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
    # Of a person with several photos one, and not the one that happens to be doubted most.
    given = labelled.given.sort_values("photo_id").drop_duplicates("person_id")
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
