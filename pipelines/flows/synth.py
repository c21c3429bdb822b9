"""`synth-flow`: datasets in, one labelled training set out, and training triggered on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

import pipelines.flows  # noqa: F401 - before Prefect: sets it up
from models.gender_network import NetworkOptions
from pipelines import artifacts, stages
from pipelines.age_check import CheckAgesOptions, CheckAgesResult, check_ages_stage
from pipelines.brief import brief_synthesis
from pipelines.duplicates import DuplicatesOptions, DuplicatesResult, duplicates_stage
from pipelines.executors import worker_count
from pipelines.flows import logs
from pipelines.flows.trigger import trigger_training
from pipelines.pseudo_labels import PseudoLabelOptions, PseudoLabelResult, pseudo_label_stage
from pipelines.sample import with_sample_people
from pipelines.settings import SourceSettings, SynthFlowSettings, TrainFlowSettings
from pipelines.stages import StageResult

DEFAULTS = SynthFlowSettings()


@task(name="sample people", cache_policy=NO_CACHE)
def sample_task(settings: SynthFlowSettings) -> SynthFlowSettings:
    """Draw the sample people when no sources are given."""
    with artifacts.progress_artifact("palette-sample", "drawing sample people") as progress:
        return with_sample_people(settings, progress=progress)


@task(name="ingest", task_run_name="ingest {source.folder}", cache_policy=NO_CACHE)
def ingest_task(source: SourceSettings, settings: SynthFlowSettings) -> StageResult:
    """Read one dataset into a manifest."""
    with artifacts.progress_artifact(_key("ingest", source.folder), f"ingesting {source.folder}") as progress:
        return stages.ingest_stage(
            source,
            settings.out / "ingest" / source.folder,
            workers=worker_count(settings.workers),
            photos=settings.photos,
            progress=progress,
        )


@task(name="pseudo-label", cache_policy=NO_CACHE)
def pseudo_label_task(manifests: dict[str, Path], settings: SynthFlowSettings) -> PseudoLabelResult:
    """Fill in missing genders."""
    options = PseudoLabelOptions(
        precision=settings.precision,
        learn_from=settings.learn_from,
        seed=settings.seed,
        workers=worker_count(settings.workers),
        photos=settings.photos,
        network=NetworkOptions(**dict(settings.gender_network)) if settings.gender_network else None,
        ages=settings.pseudo_ages,
        self_train=settings.self_train,
    )
    with artifacts.progress_artifact("palette-pseudo-label", "embedding faces") as progress:
        return pseudo_label_stage(manifests, settings.out / "pseudo-label", options, progress=progress)


@task(name="check-ages", cache_policy=NO_CACHE)
def check_ages_task(manifests: dict[str, Path], settings: SynthFlowSettings) -> CheckAgesResult:
    """Say how sure the given ages are."""
    options = CheckAgesOptions(settings.seed, worker_count(settings.workers), settings.photos)
    with artifacts.progress_artifact("palette-check-ages", "embedding faces") as progress:
        return check_ages_stage(manifests, settings.out / "check-ages", options, progress=progress)


@task(name="duplicates", cache_policy=NO_CACHE)
def duplicates_task(manifests: list[Path], settings: SynthFlowSettings) -> DuplicatesResult:
    """Find copies among the photos of all sources and evaluation sets."""
    options = DuplicatesOptions(settings.same_people, workers=worker_count(settings.workers))
    with artifacts.progress_artifact("palette-duplicates", "looking for duplicates") as progress:
        return duplicates_stage(manifests, settings.out / "duplicates", options, progress=progress)


@task(name="mask", task_run_name="mask {name}", cache_policy=NO_CACHE)
def mask_task(name: str, manifest: Path, settings: SynthFlowSettings, counted: list[Path]) -> StageResult:
    """Make the variants of one source; a balance plan fills up what was counted before."""
    with artifacts.progress_artifact(_key("mask", name), f"masking {name}") as progress:
        options = stages.mask_options(settings, counted)
        return stages.mask_stage(manifest, settings.out / "mask" / name, options, progress=progress)


@task(name="merge", cache_policy=NO_CACHE)
def merge_task(
    inputs: list[Path], duplicates: list[Path], evaluation: list[Path], settings: SynthFlowSettings
) -> StageResult:
    """Merge the base with the variants; copies count once, and nobody known to be in an evaluation set comes in."""
    from datasets.merge import MergeOptions

    with artifacts.progress_artifact("palette-merge", "merging") as progress:
        return stages.merge_stage(
            inputs,
            settings.out / "merge",
            rules=settings.rules,
            folds=settings.folds,
            seed=settings.seed,
            photos=settings.photos,
            options=MergeOptions(duplicates, evaluation, conflicts=settings.conflicts),
            progress=progress,
        )


@task(name="report", cache_policy=NO_CACHE)
def report_task(merged: Path, ingested: list[Path], labelled: PseudoLabelResult, settings: SynthFlowSettings) -> Path:
    """Write the data report."""
    base = next(source for source in settings.sources if source.folder == settings.base)
    page = settings.out / "report" / "index.html"
    genders = settings.out / "pseudo-label" if labelled.tables else None
    return stages.report_stage(merged, page, base_source=base.source_name, ingested=ingested, genders=genders)


@flow(name="synth-flow", validate_parameters=True)
def synth_flow(settings: SynthFlowSettings = DEFAULTS) -> dict[str, Any]:
    """Ingest, pseudo-label, check ages if asked to, look for duplicates, mask, merge, report, then trigger training.

    Args:
        settings: The datasets and how to treat them; with nothing given, drawn sample people in ./out.

    Returns:
        The summary of each stage, the paths of `manifest` and `report`, and `training`.
    """
    logs.install()
    settings = sample_task(settings)
    ingested = {source.folder: ingest_task(source, settings) for source in settings.sources}
    kept_out = {source.folder: ingest_task(source, settings) for source in settings.evaluation}
    evaluation, all_read = [result.manifest for result in kept_out.values()], ingested | kept_out
    labelled = pseudo_label_task({name: result.manifest for name, result in ingested.items()}, settings)
    checked = check_ages_task(labelled.manifests, settings) if settings.check_ages else None
    manifests = checked.manifests if checked else labelled.manifests
    found = duplicates_task([*manifests.values(), *evaluation], settings) if settings.duplicates else None
    inputs, masked = [manifests[settings.base]], {}
    for name, manifest in manifests.items():
        if name != settings.base:
            masked[name] = mask_task(name, manifest, settings, inputs)
            inputs = [*inputs, masked[name].manifest]
    merged = merge_task(inputs, [found.table] if found else [], evaluation, settings)
    summary = {
        "manifest": merged.manifest,
        "report": report_task(merged.manifest, list(manifests.values()), labelled, settings),
        "ingest": {name: result.summary for name, result in all_read.items()},
        "reused": [name for name, result in all_read.items() if result.reused],
        "pseudo_label": labelled.report | {"sheets": labelled.sheets},
        "check_ages": checked.report if checked else None,
        "duplicates": found.summary if found else None,
        "mask": {name: result.summary for name, result in masked.items()},
        "merge": merged.summary,
    }
    _publish(summary, merged.manifest)
    return summary | {"training": trigger_training(_training(merged.manifest, settings)) if settings.train else None}


def _training(merged: Path, settings: SynthFlowSettings) -> TrainFlowSettings:
    return TrainFlowSettings(
        manifest=merged.resolve(),
        out=(settings.out / "train").resolve(),
        training=settings.training_settings,
    )


def _publish(summary: dict[str, Any], merged: Path) -> None:
    from datasets.manifest import read_refusals

    artifacts.publish_summary(brief_synthesis(summary), "synth-flow")
    artifacts.publish_refusals(read_refusals(merged.parent).to_dict("records"))


def _key(stage: str, name: str) -> str:
    """An artifact's key may hold lower case letters, numbers and dashes only."""
    return "palette-" + re.sub("[^a-z0-9]", "-", f"{stage}-{name}".lower())
