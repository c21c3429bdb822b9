"""The pseudo-label stage: genders, and age groups if asked for, for photos of several manifests, learned from all."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.gender_sheets import write_age_table, write_gender_sheets
from pipelines.pseudo_summary import write_summary
from pipelines.rewriting import Inputs, embed_wanted, read_apart, rewrite
from pipelines.training_photos import Bars, no_bar
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from models.gender_blend import NetworkAnswers
    from models.gender_network import NetworkOptions
    from pipelines.faces import Embedder


@dataclass(frozen=True)
class PseudoLabelOptions:
    """How to pseudo-label.

    Attributes:
        precision: Share of the filled genders that must be right, on people not seen in training.
        learn_from: At most so many photos with a given gender are embedded to learn from.
        seed: Of the fit.
        workers: Processes that embed faces.
        photos: How photos get beside the new manifests: auto, link or copy.
        network: A network to learn gender as well, from scratch or from weights; what it says counts only where that
            makes things better. None for none: it takes minutes, or hours.
        ages: Fill in missing age groups too.
        self_train: People without a gender who are decided on join those that are learned from, once; kept only where
            that makes things better.
    """

    precision: float = 0.97
    learn_from: int = 3000
    seed: int = 0
    workers: int = 1
    photos: PhotoPlacing = "auto"
    network: NetworkOptions | None = None
    ages: bool = False
    self_train: bool = False


@dataclass(frozen=True)
class PseudoLabelResult:
    """What the stage did.

    Attributes:
        manifests: The new manifest of each input, by the input's name.
        report: How the model did, how many rows were filled, why the others were not; see `models.gender`. Where age
            groups were asked for, `ages` is the same of those; see `models.pseudo_ages`.
        sheets: What shows whether the genders can be believed; see `pipelines.gender_sheets`. The report is among them,
            as JSON.
    """

    manifests: dict[str, Path]
    report: dict[str, Any]
    sheets: dict[str, Path]

    @property
    def tables(self) -> bool:
        """Whether there are tables of genders or of age groups for the report."""
        return bool(self.sheets.keys() & {"given_genders", "pseudo_genders", "pseudo_ages"})


def photos_to_embed(frame: pd.DataFrame, learn_from: int, *, ages: bool = False) -> set[str]:
    """Return the ids of the photos whose embedding is needed.

    That is every photo without a gender, and up to `learn_from` of those that can teach, evenly over the sources; see
    `models.gender_people.chosen_to_teach`. With `ages`, the same of age groups as well.
    """
    from models.gender_people import chosen_to_teach
    from models.pseudo_ages import teaching_ages

    wanted: set[str] = set()
    missing, ageless = frame["gender"].isna(), frame["age_group"].isna()
    if missing.any():
        wanted |= set(frame.loc[missing, "photo_id"]) | chosen_to_teach(frame, learn_from)
    if ages and ageless.any():
        wanted |= set(frame.loc[ageless, "photo_id"]) | chosen_to_teach(frame, learn_from, teaching_ages(frame))
    return wanted


def pseudo_label_stage(
    inputs: Mapping[str, Path],
    out: Path,
    options: PseudoLabelOptions,
    *,
    embedder: Embedder | None = None,
    masked_embedder: Embedder | None = None,
    progress: ProgressCallback | None = None,
    bars: Bars = no_bar,
) -> PseudoLabelResult:
    """Fill in the genders that manifests lack, and age groups if asked to, and write each of them anew to `out/<name>`.

    Args:
        inputs: Manifests by name.
        out: The stage's folder; the embeddings' cache lies in it too, and a network's faces and checkpoints.
        options: How to.
        embedder: Turns a face into numbers; `models.gender.gender_embedder` when not given.
        masked_embedder: The same for a bare face after a mask was drawn on it, nan where it can't;
            `pipelines.masked_views.MaskedViews` when not given. Asked only where somebody is seen with a mask only.
        progress: Called with (photos embedded, photos to embed); by default there is a bar for that.
        bars: Makes a progress bar of each part of the work.

    Raises:
        SettingsError: Two inputs hold photos of the same id, or an input lies where a new manifest would go.
        ModelsError: The embedding model is not installed, or the network can't be made or taught.
    """
    from models.gender import gender_embedder, pseudo_label
    from models.pseudo_ages import pseudo_ages

    given = read_apart(inputs, out)
    if options.network is not None:
        options.network.check()
    # Copies of a file are one person: with one gender, and never learned from while they are held out.
    whole = given.whole.assign(person_id=given.persons())
    wanted = photos_to_embed(whole, options.learn_from, ages=options.ages)
    if embedder is None and wanted:
        embedder = gender_embedder()
    with bars("embedding faces") if progress is None else nullcontext(progress) as told:
        embeddings, refused = embed_wanted(given, wanted, out, options.workers, embedder, told)
        masked = _read_masked(given, whole, embeddings, out, options, masked_embedder, told)
    network, unheard = _ask_network(given, whole, embeddings, out, options, bars)
    with bars("self-training") if options.self_train else nullcontext() as steps:
        labelled = pseudo_label(
            whole,
            embeddings,
            precision=options.precision,
            seed=options.seed,
            masked=masked,
            network=network,
            self_train=options.self_train,
            progress=steps,
        )
    if unheard is not None:
        labelled.report["network"] = unheard
    report = dict(labelled.report) | {"photos_embedded": len(embeddings), "not_embedded": refused}
    changed, sheets = labelled.manifest, write_gender_sheets(given, labelled, out)
    aged = None
    if options.ages:
        aged = pseudo_ages(changed, embeddings, precision=options.precision, seed=options.seed)
        changed = aged.manifest
        report["ages"] = aged.report
    table = write_age_table(aged, out)
    manifests = rewrite(given, changed.assign(person_id=given.whole["person_id"]), out, options.photos)
    sheets |= {"summary": write_summary(report, out)} | ({} if table is None else {"pseudo_ages": table})
    return PseudoLabelResult(manifests, report, sheets)


def _ask_network(
    given: Inputs,
    whole: pd.DataFrame,
    embeddings: Mapping[str, Any],
    out: Path,
    options: PseudoLabelOptions,
    bars: Bars,
) -> tuple[NetworkAnswers | None, dict[str, Any] | None]:
    """What a network says of the bare faces that were embedded, and why there is none where one is asked for."""
    if options.network is None or not embeddings:
        return None, None
    from models.errors import TooFewLabelsError
    from models.gender_people import speaking
    from pipelines.gender_network import network_answers

    rows = whole[speaking(whole, embeddings).bare]
    files = given.files(rows["photo_id"].tolist())
    try:
        return network_answers(
            rows, files, out, options.network, seed=options.seed, workers=options.workers, bars=bars
        ), None
    except TooFewLabelsError as error:
        return None, {"kept": False, "reason": str(error)}


def _read_masked(
    given: Inputs,
    whole: pd.DataFrame,
    embeddings: Mapping[str, Any],
    out: Path,
    options: PseudoLabelOptions,
    embedder: Embedder | None,
    progress: ProgressCallback | None,
) -> dict[str, Any]:
    """Faces to learn from with masks drawn on them, by photo id; none where nobody is seen with a mask only."""
    import numpy as np

    from models.gender_people import chosen_to_teach, seen_masked_only
    from pipelines.masked_views import MASKED_CACHE, MaskedViews

    if not seen_masked_only(whole, embeddings).any():
        return {}
    wanted = chosen_to_teach(whole, options.learn_from)
    if embedder is None and wanted:
        embedder = MaskedViews()
    read, _ = embed_wanted(given, wanted, out, options.workers, embedder, progress, MASKED_CACHE)
    return {photo_id: row for photo_id, row in read.items() if np.isfinite(row).all()}
