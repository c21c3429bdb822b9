"""Sample people for the flows: drawn by code, in the layouts of real datasets, with the truth kept beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.reuse import code_digest, forget, is_finished, key_of, mark_finished
from pipelines.settings import SAMPLE_LICENCE, SAMPLE_TRAINING, SampleSettings, SourceSettings, SynthFlowSettings

SAMPLE = "sample"
COMPETITION, ALL_AGE_FACES, UNLABELLED = "competition", "all-age-faces", "unlabelled"
EVAL_TRUTH = "eval_truth.csv"
"""ImageID, ans: the right answers for the sample's eval folder."""
GENDER_TRUTH = "unlabelled_truth.csv"
"""file_name, gender: what the photos without a gender show."""
METADATA = "metadata.csv"


def with_sample_people(settings: SynthFlowSettings) -> SynthFlowSettings:
    """Return settings that name sources: those given, or sample people in `out/sample`, drawn if missing."""
    if settings.sources:
        return settings
    root = settings.out / SAMPLE
    draw_sample(root, settings.sample)
    return settings.model_copy(
        update={
            "sources": sample_sources(root, settings.sample),
            "base": COMPETITION,
            "training": settings.training or SAMPLE_TRAINING,
        }
    )


def sample_sources(root: Path, sample: SampleSettings) -> tuple[SourceSettings, ...]:
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
        *([unlabelled] if sample.unlabelled else []),
    )


def draw_sample(root: Path, sample: SampleSettings) -> bool:
    """Draw the sample people, unless exactly these lie there already.

    Args:
        root: The folder; everything in it is replaced when it is drawn anew.
        sample: How many of each kind.

    Returns:
        Whether anything was drawn.
    """
    key = key_of(stage="sample", code=code_digest("datasets.people", "datasets.portraits"), sample=sample.model_dump())
    if is_finished(root, key):
        return False
    forget(root)
    for name in (COMPETITION, ALL_AGE_FACES, UNLABELLED):
        shutil.rmtree(root / name, ignore_errors=True)
    truths = [_draw_competition(root, sample), _draw_all_age_faces(root, sample)]
    if sample.unlabelled:
        truths.append(_draw_unlabelled(root, sample))
    photos = sorted(path for path in root.rglob("*") if path.is_file())
    mark_finished(root, key, [*truths, *photos])
    return True
