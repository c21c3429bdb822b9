"""`train-flow`: a classifier from a merged manifest."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

import pipelines.flows  # noqa: F401 - before Prefect: sets it up
from pipelines import artifacts, stages
from pipelines.brief import brief_training
from pipelines.flows import logs
from pipelines.settings import TrainFlowSettings
from pipelines.training_photos import prepare_photos
from pipelines.types import ProgressCallback

DEFAULTS = TrainFlowSettings()


@task(name="train", cache_policy=NO_CACHE)
def train_task(settings: TrainFlowSettings) -> dict[str, Any]:
    """Train, or find the same training finished."""
    prepare_photos(settings, bars=_bar)
    with artifacts.progress_artifact("palette-training", "training") as progress:
        return stages.train_stage(settings, progress=progress)


def _bar(description: str) -> AbstractContextManager[ProgressCallback]:
    return artifacts.progress_artifact(f"palette-{description.replace(' ', '-')}", description)


@flow(name="train-flow", validate_parameters=True)
def train_flow(settings: TrainFlowSettings = DEFAULTS) -> dict[str, Any]:
    """Train a classifier on a merged manifest and score it on people it has not seen.

    Args:
        settings: What to learn from, where to write, how to train.

    Returns:
        `checkpoint`, `metrics`, and whether finished work was `reused`.
    """
    logs.install()
    result = train_task(settings)
    told = f"train-flow on {settings.manifest}"
    artifacts.publish_summary(brief_training(result), told, key=artifacts.TRAINING_SUMMARY_KEY)
    return result
