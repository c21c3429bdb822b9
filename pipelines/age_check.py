"""The stage that checks ages: which given age groups the faces contradict, over the photos of several manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.contact_sheets import in_rows, photo_tile, save_sheet
from pipelines.rewriting import Inputs, embed_wanted, read_apart, rewrite
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.faces import Embedder
    from synth.sheet import Tile

TABLE = "ages.csv"
SHEET = "doubtful.jpg"
SHEET_ROWS, SHEET_COLUMNS = 7, 8
LIMITS = (0.05, 0.1, 0.2, 0.3)
"""Values of training's `age_confidence` for which the summary says how many rows the age head would lose."""
DIGITS = 6
"""Of a confidence: beyond them machines differ in their rounding."""


@dataclass(frozen=True)
class CheckAgesOptions:
    """How to check ages.

    Attributes:
        seed: Of the folds.
        workers: Processes that embed faces.
        photos: How photos get beside the new manifests: auto, link or copy.
    """

    seed: int = 0
    workers: int = 1
    photos: PhotoPlacing = "auto"


@dataclass(frozen=True)
class CheckAgesResult:
    """What the stage did.

    Attributes:
        manifests: The new manifest of each input, by the input's name.
        table: The judged photos, the least sure first.
        sheet: The most doubtful of them as a picture; None where none is doubtful.
        report: `status` (`judged`, `nothing_to_judge` or `too_few`), `reason` (why nothing was judged, else None),
            `photos_embedded`, `not_embedded` (by reason), `judged`, `doubtful`, `doubtful_by_group`,
            `doubtful_by_source`, `rows_changed` (with masked photos and variants), `rows_below` (by confidence), and
            `thresholds` and `held_out` of `models.ages.AgeCheck`.
    """

    manifests: dict[str, Path]
    table: Path
    sheet: Path | None
    report: dict[str, Any]


def photos_to_judge(frame: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows are photos (no variants) with a given or corrected age, without a mask as far as known.

    A mask hides what the embedding needs.
    """
    from datasets.manifest import without_mask

    bare = without_mask(frame)
    told = frame["age_group"].notna() & frame["age_from"].isin(["given", "corrected"])
    return frame["parent_id"].isna() & bare & told


def check_ages_stage(
    inputs: Mapping[str, Path],
    out: Path,
    options: CheckAgesOptions,
    *,
    embedder: Embedder | None = None,
    progress: ProgressCallback | None = None,
) -> CheckAgesResult:
    """Say how sure the given ages of manifests are, and write each manifest anew to `out/<name>`.

    Labels stay as they are; `age_confidence` becomes how sure a given age is. See `carry` for rows not judged.

    Args:
        inputs: Manifests by name.
        out: The stage's folder; it gets `TABLE`, `SHEET` and the embeddings' cache.
        options: How to.
        embedder: Turns a face into numbers; dlib's network when not given.
        progress: Called with (photos embedded, photos to embed).

    Raises:
        SettingsError: Two inputs hold photos of the same id, or an input lies where a new manifest would go.
        ModelsError: The embedding model is not installed.
    """
    given = read_apart(inputs, out)
    whole = given.whole
    wanted = set(whole.loc[photos_to_judge(whole), "photo_id"])
    embeddings, refused = embed_wanted(given, wanted, out, options.workers, embedder, progress)
    # Nobody is judged by the same file in another fold.
    judged, report = judge(whole.assign(person_id=given.persons()), embeddings, options.seed)
    changed = carry(whole, judged)
    rows = changed["age_confidence"].ne(whole["age_confidence"]) & changed["age_group"].notna()
    report |= {
        "photos_embedded": len(embeddings),
        "not_embedded": refused,
        "rows_changed": int(rows.sum()),
        "rows_below": {f"{limit:g}": int(changed["age_confidence"].lt(limit).sum()) for limit in LIMITS},
    }
    manifests = rewrite(given, changed, out, options.photos)
    table = _write_table(judged, out)
    return CheckAgesResult(manifests, table, _write_sheet(given, judged, out), report)


def judge(frame: pd.DataFrame, embeddings: Mapping[str, Any], seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Judge the ages of embedded photos.

    Returns:
        The judged photos, the least sure first: `photo_id, source, age, age_group, age_from, said, confidence,
        neighbours, doubtful`; and what `CheckAgesResult.report` says of them.
    """
    import numpy as np

    from models.ages import check_ages
    from models.embedding import EMBEDDING_SIZE
    from models.errors import TooFewLabelsError

    rows = frame[photos_to_judge(frame) & frame["photo_id"].isin(list(embeddings))]
    vectors = [embeddings[photo_id] for photo_id in rows["photo_id"]]
    report: dict[str, Any] = {"status": "judged" if len(rows) else "nothing_to_judge", "reason": None}
    told = rows[["photo_id", "source", "age", "age_group", "age_from"]]
    try:
        stacked = np.stack(vectors) if vectors else np.zeros((0, EMBEDDING_SIZE), dtype=np.float32)
        found = check_ages(stacked, rows["age_group"].to_numpy(), rows["person_id"].to_numpy(), seed)
    except TooFewLabelsError as error:
        report |= {"status": "too_few" if len(rows) else "nothing_to_judge", "reason": str(error)}
        empty = told.iloc[:0].assign(said="", confidence=0.0, neighbours=0.0, doubtful=False)
        return empty, report | {"judged": 0, "doubtful": 0}
    answers = told.assign(
        said=found.said,
        confidence=found.confidence.round(DIGITS),
        neighbours=found.neighbours,
        doubtful=found.doubtful,
    )
    judged = answers[answers["confidence"].notna()].sort_values(["confidence", "photo_id"], ignore_index=True)
    doubtful = judged[judged["doubtful"]]
    report |= {
        "judged": len(judged),
        "doubtful": len(doubtful),
        "doubtful_by_group": _counts(doubtful["age_group"]),
        "doubtful_by_source": _counts(doubtful["source"]),
        "thresholds": found.thresholds,
        "held_out": found.held_out,
    }
    return judged, report


def _counts(column: pd.Series[Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.value_counts().sort_index().items()}


def carry(frame: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the confidence of their ages, where there is one.

    A corrected age has been looked at by somebody, and keeps what it has. A photo with a mask takes the mean of the
    same person's judged photos of the same age and age group, since one fact labels them all. A variant takes its
    photo's. All other rows keep what they have.

    Args:
        frame: Rows of manifests; not changed.
        judged: From `judge`.
    """
    import pandas as pd

    given = judged[judged["age_from"].eq("given")]
    sure = frame["photo_id"].map(given.set_index("photo_id")["confidence"])
    fact = ["person_id", "age", "age_group"]
    mean = sure.groupby([frame[column] for column in fact], dropna=False).transform("mean").round(DIGITS)
    masked = frame["parent_id"].isna() & frame["mask"].isin(["wear", "incorrect"]) & frame["age_from"].eq("given")
    sure = sure.fillna(mean.where(masked))
    photo = pd.DataFrame({"sure": sure, "age_group": frame["age_group"]}).set_index(frame["photo_id"])
    same = frame["parent_id"].map(photo["age_group"]).eq(frame["age_group"])
    sure = sure.fillna(frame["parent_id"].map(photo["sure"]).where(same))
    return frame.assign(age_confidence=sure.fillna(frame["age_confidence"]))


def _write_table(judged: pd.DataFrame, out: Path) -> Path:
    from datasets.atomic import atomic_write

    columns = ["photo_id", "age", "age_group", "said", "confidence", "neighbours", "doubtful"]
    with atomic_write(out / TABLE) as temporary:
        judged[columns].to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    return out / TABLE


def _write_sheet(inputs: Inputs, judged: pd.DataFrame, out: Path) -> Path | None:
    """Write the most doubtful as a contact sheet; a sheet of an earlier run goes away where none is doubtful."""
    rows = judged[judged["doubtful"]].head(SHEET_ROWS * SHEET_COLUMNS)
    if not len(rows):
        (out / SHEET).unlink(missing_ok=True)
        return None
    return save_sheet(in_rows(list(_tiles(inputs, rows)), SHEET_COLUMNS), out / SHEET)


def _tiles(inputs: Inputs, rows: pd.DataFrame) -> Iterator[Tile]:
    import pandas as pd

    places = inputs.files(rows["photo_id"].tolist())
    for row in rows.to_dict("records"):
        path = places[str(row["photo_id"])]
        told = f"{row['age']:g}" if pd.notna(row["age"]) else str(row["age_group"])
        yield photo_tile(path, f"{told}: {row['said']}?", f"{row['confidence']:.0%} {path.name}")
