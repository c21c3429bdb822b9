"""The stages of the pipeline as plain functions: load, call a room, save. Flows and commands both call these.

Each stage writes to a folder of its own and returns what it did; none of them knows of Prefect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.ingesting import ingest_into, open_source, sheets_of
from pipelines.predicting_faces import faces_finder
from pipelines.processes import rank
from pipelines.reuse import code_digest, file_digest, forget, is_finished, key_of, mark_finished
from pipelines.settings import SourceSettings, SynthFlowSettings, TrainFlowSettings
from pipelines.training_photos import prepare_photos
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    from datasets.merge import MergeOptions
    from models.settings import Device, Tta
    from pipelines.mask_input import MaskInput
    from pipelines.masking import MaskOptions

TRAIN_SUMMARY = "summary.json"


@dataclass(frozen=True)
class StageResult:
    """What a stage did.

    Attributes:
        manifest: The manifest it wrote.
        summary: Counts and facts, plain enough for JSON.
        reused: The same work was found finished.
    """

    manifest: Path
    summary: dict[str, Any]
    reused: bool = False


def ingest_stage(
    source: SourceSettings,
    out: Path,
    *,
    workers: int = 1,
    photos: PhotoPlacing = "auto",
    progress: ProgressCallback | None = None,
) -> StageResult:
    """Read one dataset as it lies on disk into a manifest; finished work is reused when every byte is the same.

    Args:
        source: The dataset; its root may be an archive, or a folder of archives, unpacked to `unpacked` in `out`.
        out: The stage's folder for this source.
        workers: Processes.
        photos: How photos get beside the manifest.
        progress: Called with (photos done, photos in all).

    Raises:
        MissingInputError: There is neither a folder of the dataset nor an archive.
        SettingsError: `out` is the folder of the archives.
        DatasetsError: The reader is unknown, the folder is not laid out as it expects, or an archive can't be unpacked.
    """
    return ingest_opened(open_source(source, out), out, workers=workers, photos=photos, progress=progress)


def ingest_opened(
    source: SourceSettings, out: Path, *, workers: int, photos: PhotoPlacing, progress: ProgressCallback | None
) -> StageResult:
    """Do what `ingest_stage` does, with a source that `pipelines.ingesting.open_source` has returned."""
    reused = ingest_into(source, out, workers=workers, photos=photos, progress=progress)
    return StageResult(out / "manifest.parquet", _ingest_summary(out), reused=reused)


def _ingest_summary(folder: Path) -> dict[str, Any]:
    from datasets.manifest import read_manifest, read_provenance, read_refusals, summarise

    summary = summarise(read_manifest(folder)) | {"refusals": count_reasons(read_refusals(folder))}
    sheets = sheets_of(folder)
    labels = read_provenance(folder).get("labels", {})
    return summary | {"label_policy": labels} | ({"sheets": sheets} if sheets else {})


def count_reasons(refusals: Any) -> dict[str, int]:
    """Return how many refusals there are of each reason, the commonest first."""
    return {str(reason): int(count) for reason, count in refusals["reason"].value_counts().items()}


def mask_stage(
    manifest: Path, out: Path, options: MaskOptions, *, progress: ProgressCallback | None = None
) -> StageResult:
    """Make the plan's variants of every photo of a manifest; see `pipelines.masking.mask_manifest`, which resumes.

    What an earlier run with other options, or another version of the engine, left in the folder is replaced.
    """
    from pipelines.mask_input import photos_of_manifest
    from pipelines.masking import mask_photos, with_plan

    given = with_plan(photos_of_manifest(manifest), options)
    options = replace(options, resume=options.resume and _can_resume(out, options, given))
    made = mask_photos(given, out, options, progress=progress)
    summary = {
        "photos": made.photos,
        "masked_photos": made.masked_photos,
        "variants": made.variants,
        "by_wear_style": made.by_wear_style,
        "finished_before": made.reused,
        "refusals": made.refusals_by_reason,
    }
    if made.planned is not None:
        summary |= {"planned": made.planned, "still_short": made.short}
    return StageResult(made.manifest, summary)


def _can_resume(out: Path, options: MaskOptions, given: MaskInput) -> bool:
    from synth.journal import has_journal, recorded_identity

    return not has_journal(out) or recorded_identity(out) == options.settings(given.assigned).identity()


def mask_options(settings: SynthFlowSettings, counted: Sequence[Path] = ()) -> MaskOptions:
    """Return the mask options that the flow's settings ask for.

    Args:
        settings: Of the flow.
        counted: Manifests of what the merge will hold already, the base first: what a balance plan fills up. A target
            of max or median is the base's, so that it is the same for every source.
    """
    from pipelines.balancing import BALANCE, BalanceOptions, count_all
    from pipelines.masking import MaskOptions
    from synth.balance import resolve_target

    target = settings.target
    if settings.plan == BALANCE:
        target = str(resolve_target(target, count_all(counted[:1])))
    balance = BalanceOptions(tuple(counted), target, settings.cap)
    return MaskOptions(
        plan=settings.plan,
        size=settings.size,
        seed=settings.seed,
        workers=settings.workers,
        balance=balance,
        tilt=settings.tilt,
        turn=settings.turn,
    )


def merge_stage(
    inputs: Sequence[Path],
    out: Path,
    *,
    rules: str,
    folds: int = 5,
    seed: int = 0,
    photos: PhotoPlacing = "auto",
    options: MergeOptions | None = None,
    progress: ProgressCallback | None = None,
) -> StageResult:
    """Merge manifests under named rules, with person-wise folds, and write the data card beside the result.

    What the rules exclude, and why, is in the summary, in excluded.csv and on the card; disputed.csv lists admitted
    photos whose picture another record holds under an excluded licence.

    People of a merge that lies in `out` already keep their folds, so that those of a growing dataset never move.
    `progress` is called with (done, all), first of manifests read, then of photos brought into place.

    Raises:
        DatasetsError: The rules are unknown, or an input is no manifest, or the merge in `out` can't be read.
    """
    from datasets.card import data_card, write_card
    from datasets.disputes import DISPUTED
    from datasets.manifest import summarise
    from datasets.merge import MergeOptions, merge

    options = replace(options or MergeOptions(), keep_own=True)
    merged = merge(
        inputs, out, rules=rules, n_folds=folds, seed=seed, photos=photos, options=options, progress=progress
    )
    _save_table(merged.excluded, out / EXCLUDED)
    _save_table(merged.disputed, out / DISPUTED)
    card = data_card(
        merged.manifest,
        excluded=merged.excluded,
        disputed=merged.disputed,
        refusals=merged.refusals,
        rules=rules,
    )
    left_out = {f"{row['source']} ({row['licence']})": row for row in merged.excluded.to_dict("records")}
    summary = summarise(merged.manifest) | {
        "card": str(write_card(card, out)),
        "excluded": {name: int(row["rows"]) for name, row in left_out.items()},
        "why_excluded": {name: row["why"] for name, row in left_out.items()},
        "licences_in_dispute": len(merged.disputed),
        "refusals": count_reasons(merged.refusals),
        "people": merged.people,
    }
    return StageResult(merged.path, summary)


EXCLUDED = "excluded.csv"


def _save_table(frame: Any, path: Path) -> None:
    from datasets.atomic import atomic_write

    with atomic_write(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def _read_excluded(folder: Path) -> Any:
    """Read what a merge's rules left out; None where no merge wrote it."""
    from datasets.errors import LabelsError
    from datasets.tables import read_table

    file = folder / EXCLUDED
    if not file.is_file():
        return None
    frame = read_table(file, ("source", "licence", "rows", "why"))
    if not frame["rows"].str.fullmatch("[0-9]{1,18}").all():
        raise LabelsError(f"{file} has something else than whole numbers in its column rows: merge again to renew it")
    return frame.astype({"rows": "int64"})


def report_stage(
    merged: Path,
    page: Path,
    *,
    base_source: str = "competition",
    title: str | None = None,
    ingested: Sequence[Path] = (),
    genders: Path | None = None,
) -> Path:
    """Write the data report of a merged manifest: one HTML page.

    Args:
        merged: The folder that `merge_stage` wrote to.
        page: The HTML file.
        base_source: The source that the others are added to.
        title: The page's headline.
        ingested: Manifests from before anything was refused, so that refused photos can be shown.
        genders: The folder that `pseudo_label_stage` wrote to, so that its answers are told of.

    Raises:
        PipelinesError: That folder holds no tables of genders, or others than the stage writes.
        DatasetsError: The folder holds no manifest, or a table beside it can't be read.
    """
    from datasets.card import CARD
    from datasets.manifest import manifest_file, read_manifest, read_refusals
    from pipelines.gender_sheets import read_gender_tables
    from pipelines.report import write_report

    folder = manifest_file(merged).parent
    named = {} if title is None else {"title": title}
    return write_report(
        page,
        merged=read_manifest(merged),
        root=folder,
        refusals=read_refusals(folder),
        excluded=_read_excluded(folder),
        base_source=base_source,
        places=_places(ingested),
        card=folder / CARD,
        genders=None if genders is None else read_gender_tables(genders),
        **named,
    )


def _places(manifests: Sequence[Path]) -> dict[str, Path]:
    from datasets.manifest import manifest_file, read_manifest

    places: dict[str, Path] = {}
    for manifest in manifests:
        frame, folder = read_manifest(manifest), manifest_file(manifest).parent
        places |= {str(name): folder / str(path) for name, path in zip(frame["photo_id"], frame["path"], strict=True)}
    return places


def train_stage(settings: TrainFlowSettings, *, progress: ProgressCallback | None = None) -> dict[str, Any]:
    """Train a classifier, or return the finished one when manifest, settings and code are the same.

    Args:
        settings: What to learn from, where to write, how to train.
        progress: Called with (steps done, steps in all).

    Returns:
        `checkpoint` (its path; with folds that of `team.json`), `reused`, and `metrics`.

    Raises:
        ModelsError: The manifest holds too little to learn from, or the model is unknown.
        DatasetsError: There is no manifest.
    """
    from datasets.manifest import manifest_file, read_manifest

    read_manifest(settings.manifest)
    from models.boxes import FACES
    from models.devices import wait_for_all
    from pipelines.fold_training import leave_the_team, train_one_or_all  # after the check: torch takes seconds

    prepare_photos(settings)
    wait_for_all(settings.training.device)
    faces = manifest_file(settings.manifest).parent / FACES
    weights = settings.training.weights  # one that isn't there is for train to complain of
    key = key_of(
        stage="train",
        code=code_digest("models", "datasets"),
        manifest=file_digest(manifest_file(settings.manifest)),
        settings=asdict(replace(settings.training, cache=None)),
        faces=file_digest(faces) if settings.training.crop == "face" else None,
        weights=file_digest(weights) if weights is not None and weights.is_file() else None,
        **({} if settings.folds is None else {"folds": settings.folds}),
    )
    stored = settings.out / TRAIN_SUMMARY
    leave_the_team(settings)  # what is reused must not answer as one either
    if is_finished(settings.out, key):
        finished: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
        return finished | {"reused": True}
    if rank() == 0:
        forget(settings.out)
    summary, files = train_one_or_all(settings, progress)
    if rank() == 0:
        _save_json(summary, stored)
        mark_finished(settings.out, key, [*files, stored])
    return summary | {"reused": False}


def predict_stage(
    run: Path,
    eval_dir: Path,
    out: Path,
    *,
    device: Device = "auto",
    progress: ProgressCallback | None = None,
    tta: Tta = "none",
    chances: Path | None = None,
    batch_size: int = 64,
    workers: int = -1,
) -> dict[str, Any]:
    """Write a submission for an eval folder.

    Args:
        run: A checkpoint, a team.json, or the folder of either.
        eval_dir: Holds info.csv and images/.
        out: The submission's CSV file.
        device: auto, cpu or cuda.
        progress: Called with (photos done, photos in all).
        tta: Views of each photo to average over.
        chances: Where to write the chances to, CSV or Parquet.
        batch_size: Photos at once.
        workers: Processes that read photos; -1 chooses.

    Returns:
        `submission`, `photos`, `answers` (how many by class name), `refusals` (by reason; answered all the same), and
        `chances` where they were asked for.

    Raises:
        ModelsError: The run or the folder is not usable.
    """
    from datasets.labels import label_name
    from datasets.manifest import read_refusals
    from models.predict import predict, refusals_path

    answers = predict(
        run,
        eval_dir,
        out,
        device,
        progress,
        tta=tta,
        chances=chances,
        faces=faces_finder(out.parent, workers),
        batch_size=batch_size,
        workers=workers,
    )
    counts = answers["ans"].value_counts().sort_index()
    named = {label_name(int(str(label))): int(count) for label, count in counts.items()}
    refusals = count_reasons(read_refusals(refusals_path(out)))
    files = {"submission": out} | ({"chances": chances} if chances is not None else {})
    return {**files, "photos": len(answers), "answers": named, "refusals": refusals}


def _save_json(value: Mapping[str, Any], path: Path) -> None:

    from datasets.atomic import atomic_write
    from pipelines.summary import plain

    with atomic_write(path) as temporary:
        Path(temporary).write_text(json.dumps(plain(value), indent=2, ensure_ascii=False), encoding="utf-8")
