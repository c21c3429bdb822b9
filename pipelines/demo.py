"""`palette demo`: every stage on people drawn by code, or the mask engine alone on the user's own photos."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from pipelines.brief import added_up
from pipelines.errors import MissingInputError
from pipelines.prefect_environment import prepare
from pipelines.running import server_errors_explained
from pipelines.sample import (
    COMPETITION,
    EVAL_TRUTH,
    GENDER_TRUTH,
    SAMPLE,
    UNLABELLED,
)
from pipelines.settings import SAMPLE_TRAINING, SynthFlowSettings, TrainFlowSettings

PREFECT_FOLDER = "prefect"


def run_demo(out: Path, *, seed: int = 0, workers: int = 0) -> dict[str, Any]:
    """Draw sample people, run synth-flow and train-flow on them, predict the eval photos and score the answers.

    Args:
        out: Where everything goes; a second run goes on from what is finished there.
        seed: Of the people, their masks and the training.
        workers: Processes; 0 takes every core.

    Returns:
        Counts, scores, the paths of the report, the checkpoint and the submission, and the seconds it took.
    """
    started = time.monotonic()
    _own_prefect(out)
    from pipelines.flows.synth import synth_flow
    from pipelines.flows.train import train_flow

    settings = demo_settings(out, seed, workers)
    training = TrainFlowSettings(manifest=out / "merge", out=out / "train", training=settings.training_settings)
    with server_errors_explained():
        made = synth_flow(settings)
        trained = train_flow(training)
    answered = _predict(out, Path(trained["checkpoint"]))
    return _summary(out, made, trained, answered) | {"seconds": round(time.monotonic() - started, 1)}


def demo_settings(out: Path, seed: int, workers: int) -> SynthFlowSettings:
    """Return the demo's settings: the defaults on sample people, with training as a flow run of its own."""
    from dataclasses import replace

    defaults = SynthFlowSettings()
    return defaults.model_copy(
        update={
            "out": out,
            "seed": seed,
            "workers": workers,
            "train": False,
            "training": replace(SAMPLE_TRAINING, seed=seed),
            "sample": defaults.sample.model_copy(update={"seed": seed}),
        }
    )


def _own_prefect(out: Path) -> None:
    """Keep the demo's runs in a database of its own: it needs no server and leaves the user's alone."""
    prepare()
    home = (out / PREFECT_FOLDER).resolve()
    home.mkdir(parents=True, exist_ok=True)
    for name in ("PREFECT_API_URL", "PREFECT_PROFILES_PATH"):
        os.environ.pop(name, None)
    os.environ |= {"PREFECT_HOME": str(home), "PREFECT_PROFILE": "ephemeral"}


def _predict(out: Path, checkpoint: Path) -> dict[str, Any]:
    from pipelines.progress import progress_bar
    from pipelines.stages import predict_stage

    eval_dir = out / SAMPLE / COMPETITION / "eval"
    with progress_bar("predicting") as progress:
        return predict_stage(checkpoint, eval_dir, out / "submission.csv", progress=progress)


def score_submission(submission: Path, truth: Path) -> dict[str, Any]:
    """Score a submission against the truth.

    Args:
        submission: CSV with ImageID and ans.
        truth: CSV with the same columns, the right answers.

    Returns:
        `macro_f1` over the classes the truth holds, `accuracy`, and the accuracy of mask, gender and age group apart.

    Raises:
        MissingInputError: The two are not about the same photos.
    """
    import numpy as np
    import pandas as pd

    from models.heads import to_codes
    from models.scoring import score

    answers = pd.read_csv(submission, dtype={"ImageID": str}).set_index("ImageID")["ans"]
    right = pd.read_csv(truth, dtype={"ImageID": str}).set_index("ImageID")["ans"]
    if set(answers.index) != set(right.index):
        raise MissingInputError(f"{submission} and {truth} are not about the same photos")
    scores = score(*(to_codes(each.to_numpy(np.int64)) for each in (right, answers.loc[right.index])))
    by_head = {f"{name}_accuracy": each.accuracy for name, each in scores.heads.items()}
    return {"macro_f1": scores.label.macro_f1_present, "accuracy": scores.label.accuracy, **by_head}


def score_genders(manifest: Path, truth: Path) -> dict[str, int]:
    """Count how many pseudo-labelled genders are right, wrong, and left open.

    Args:
        manifest: Of the photos without a given gender, after the pseudo-label stage.
        truth: CSV with file_name and gender.
    """
    import pandas as pd

    from datasets.manifest import read_manifest

    frame = read_manifest(manifest)
    right = pd.read_csv(truth).set_index("file_name")["gender"]
    names = frame["photo_id"].str.partition(":")[2]
    given = frame["gender"]
    agree = given == names.map(right)
    return {
        "right": int(agree.sum()),
        "wrong": int((given.notna() & ~agree).sum()),
        "left_open": int(given.isna().sum()),
    }


def _summary(out: Path, made: dict[str, Any], trained: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    merged, metrics = made["merge"], trained["metrics"]
    genders = out / "pseudo-label" / UNLABELLED
    return {
        "photos": merged["photos"],
        "variants": merged["variants"],
        "persons": merged["persons"],
        "report": made["report"],
        "checkpoint": trained["checkpoint"],
        "submission": answered["submission"],
        "variants_by_wear_style": added_up(each["by_wear_style"] for each in made["mask"].values()),
        "photos_by_mask_state": merged["mask"],
        "refusals": merged["refusals"],
        "pseudo_labelled_genders": score_genders(genders, out / SAMPLE / GENDER_TRUTH),
        "held_out_fold": {
            "macro_f1": metrics["scores"][metrics["headline"]]["macro_f1_present"],
            "accuracy": metrics["accuracy"],
        },
        "eval_photos": score_submission(Path(answered["submission"]), out / SAMPLE / EVAL_TRUTH),
    }
