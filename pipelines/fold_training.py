"""One run of training, or a run for each fold: what the training stage calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.errors import SettingsError
from pipelines.processes import process_count, rank
from pipelines.settings import TrainFlowSettings
from pipelines.types import ProgressCallback


def leave_the_team(settings: TrainFlowSettings) -> None:
    """Take the team of an earlier run with folds out of the folder of a run without: it would answer in its stead.

    Its folds stay, so that the team can be made again without training.
    """
    from models.cross_validation import OF_ALL_FOLDS

    if settings.folds is None and rank() == 0:
        for name in OF_ALL_FOLDS:
            (settings.out / name).unlink(missing_ok=True)


def train_one_or_all(
    settings: TrainFlowSettings, progress: ProgressCallback | None
) -> tuple[dict[str, Any], list[Path]]:
    """Train with one fold held out, or with each of those that the settings name.

    Raises:
        SettingsError: Folds are asked for, and several processes were launched.

    Returns:
        `checkpoint` (of a run with folds, its `team.json`) and `metrics`; and the files that must stay as they are for
        the run to count as finished.
    """
    if settings.folds is None:
        from models.train import train

        result = train(settings.manifest, settings.out, settings.training, progress=progress)
        return {"checkpoint": str(result.checkpoint), "metrics": result.metrics}, [result.checkpoint]
    if process_count() > 1:
        raise SettingsError(
            f"folds are trained one after the other by one process, and {process_count()} were launched: "
            "leave folds out and hold out one fold a run (training.fold, or --fold)"
        )
    from models.cross_validation import parse_folds, train_folds

    folds = parse_folds(settings.folds)
    made = train_folds(settings.manifest, settings.out, settings.training, progress, folds=folds)
    models = [settings.out / f"fold-{fold}" / "model.safetensors" for fold in made.metrics["folds"]]
    return {"checkpoint": str(made.team), "metrics": made.metrics}, [made.team, made.oof, *models]
