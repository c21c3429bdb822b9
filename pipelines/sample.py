"""Sample people for the flows: drawn by code, in the layouts of real datasets, with the truth kept beside them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.executors import worker_count
from pipelines.reuse import code_digest, forget, is_finished, key_of, mark_finished
from pipelines.settings import SAMPLE_LICENCE, SAMPLE_TRAINING, SampleSettings, SourceSettings, SynthFlowSettings
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = "sample"
COMPETITION, ALL_AGE_FACES, UNLABELLED = "competition", "all-age-faces", "unlabelled"
EVAL_TRUTH = f"{COMPETITION}/truth.csv"
"""ImageID, ans: the right answers for the sample's eval folder."""
GENDER_TRUTH = "unlabelled_truth.csv"
"""file_name, gender: what the photos without a gender show."""
METADATA = "metadata.csv"
DRAWN = ".drawn"
OTHER_PEOPLE = 1_000_003
"""Added to the seed, so that the people without a gender are not those that have one."""


def with_sample_people(settings: SynthFlowSettings, *, progress: ProgressCallback | None = None) -> SynthFlowSettings:
    """Return settings that name sources: those given, or sample people in `out/sample`, drawn if missing."""
    if settings.sources:
        return settings
    root = settings.out / SAMPLE
    draw_sample(root, settings.sample, workers=worker_count(settings.workers), progress=progress)
    return settings.model_copy(
        update={
            "sources": sample_sources(root),
            "base": COMPETITION,
            "training": settings.training or SAMPLE_TRAINING,
        }
    )


def sample_sources(root: Path) -> tuple[SourceSettings, ...]:
    """Return the sources that `draw_sample` made in `root`."""
    unlabelled = SourceSettings(
        source="folder",
        name=UNLABELLED,
        root=root / UNLABELLED,
        licence=SAMPLE_LICENCE,
        options={"csv": str(root / UNLABELLED / METADATA), "mask": "not_wear"},
    )
    return (
        SourceSettings(source=COMPETITION, root=root / COMPETITION),
        SourceSettings(source=ALL_AGE_FACES, root=root / ALL_AGE_FACES, licence=SAMPLE_LICENCE),
        unlabelled,
    )


def draw_sample(
    root: Path, sample: SampleSettings, *, workers: int = 1, progress: ProgressCallback | None = None
) -> bool:
    """Draw the sample people, unless exactly these lie there already.

    Args:
        root: The folder; what an earlier drawing left in it is replaced.
        sample: How many of each kind.
        workers: Processes.
        progress: Called with (photos done, photos in all).

    Returns:
        Whether anything was drawn.
    """
    key = key_of(stage="sample", code=code_digest("datasets.people", "datasets.portraits"), sample=sample.model_dump())
    if is_finished(root, key):
        return False
    forget(root)
    for name in (COMPETITION, ALL_AGE_FACES, UNLABELLED):
        shutil.rmtree(root / name, ignore_errors=True)
    _draw(root, sample, workers, progress)
    mark_finished(root, key, sorted(path for path in root.rglob("*") if path.is_file()))
    return True


def _draw(root: Path, sample: SampleSettings, workers: int, progress: ProgressCallback | None) -> None:
    from datasets.people import write_all_age_faces, write_competition

    counts = [7 * sample.people + sample.eval_photos, sample.photos, sample.unlabelled]
    reports = [_part(progress, sum(counts[:at]), sum(counts)) for at in range(3)]
    write_competition(
        root / COMPETITION, sample.people, sample.seed, sample.eval_photos, workers=workers, progress=reports[0]
    )
    write_all_age_faces(root / ALL_AGE_FACES, sample.photos, sample.seed, workers=workers, progress=reports[1])
    drawn = root / DRAWN
    shutil.rmtree(drawn, ignore_errors=True)
    seed = sample.seed + OTHER_PEOPLE
    truth = write_all_age_faces(drawn, sample.unlabelled, seed, workers=workers, progress=reports[2])
    _take_genders_away(drawn, truth, root / UNLABELLED, root / GENDER_TRUTH)
    shutil.rmtree(drawn)


def _part(progress: ProgressCallback | None, before: int, total: int) -> ProgressCallback | None:
    return None if progress is None else lambda done, _: progress(before + done, total)


def _take_genders_away(drawn: Path, truth: pd.DataFrame, folder: Path, answers: Path) -> None:
    """Make a plain folder of drawn photos, with their ages; their genders go to a file that no stage reads."""
    table = truth.sort_values("path").reset_index(drop=True)
    table["file_name"] = [f"person {number:03d}.jpg" for number in range(1, len(table) + 1)]
    folder.mkdir(parents=True)
    for path, name in zip(table["path"], table["file_name"], strict=True):
        shutil.copyfile(drawn / path, folder / name)
    _write_csv(table[["file_name", "age"]], folder / METADATA)
    _write_csv(table[["file_name", "gender"]], answers)


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    from datasets.atomic import atomic_write

    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
