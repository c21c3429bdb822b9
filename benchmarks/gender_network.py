"""A timm network beside the embedding, for the benchmark of genders: taught and asked about the same photos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gender_data import TAUGHT, Known
from benchmarks.gender_figures import Answers
from datasets.manifest import make_manifest
from models.gender_blend import Heard
from models.gender_calibration import calibrate
from models.gender_fit import GenderFit
from models.gender_network import NetworkOptions
from pipelines.gender_network import network_answers
from pipelines.progress import progress_bar

Logits = dict[Path, float]
Model = Callable[[NDArray[np.float64], list[Known]], Answers]


def ask(
    sets: Mapping[str, list[Known]], keep: Path, options: NetworkOptions, seed: int, workers: int
) -> tuple[Logits, Logits]:
    """Log-odds of female by file, in which a face was found: of those learned from by networks without them, and of the
    others by all."""
    rows, files = [], {}
    for name, each in sets.items():
        for known in each:
            source = name.lower().replace(" ", "-")
            photo_id = f"{source}:{hashlib.sha256(str(known.path).encode()).hexdigest()[:16]}"
            told = {"gender": known.gender} if name == TAUGHT else {}
            files[photo_id] = known.path
            rows.append(_row(photo_id, source, known, told))
    frame = make_manifest(rows)
    said = network_answers(frame, files, keep, options, seed=seed, workers=workers, bars=progress_bar)
    return _by_file(said.held_out, files), _by_file(said.asked, files)


def _row(photo_id: str, source: str, known: Known, told: dict[str, str]) -> dict[str, Any]:
    sha256 = hashlib.sha256(known.path.read_bytes()).hexdigest()
    # Of the manifest only what the network needs is right; the file's own path is in the files.
    return {
        "photo_id": photo_id,
        "path": known.path.name,
        "sha256": sha256,
        "width": 1,
        "height": 1,
        "source": source,
        "licence": "measured only",
        "person_id": f"{source}:{sha256}",
        "mask": "not_wear",
        **told,
    }


def _by_file(said: Mapping[str, float], files: Mapping[str, Path]) -> Logits:
    return {files[photo_id]: value for photo_id, value in said.items()}


def heard(held_out: Logits, known: list[Known]) -> Heard:
    """What is said of those that were learned from, none of another source."""
    return Heard(_logits(held_out, known), np.zeros(len(known), dtype=bool))


def alone(held_out: Logits, asked: Logits, known: list[Known], seed: int, stated: float) -> Model:
    """The network without the embedding, calibrated like it; of whom it says nothing it is as unsure as can be."""
    taught = np.array([each.path in held_out for each in known])
    learned = [each for each, there in zip(known, taught, strict=True) if there]
    female = np.array([each.gender == "female" for each in learned], dtype=np.int64)
    people, ages = np.array([str(each.path) for each in learned]), np.array([float(each.age) for each in learned])
    everybody = np.ones(len(learned), dtype=bool)
    found = calibrate(_logits(held_out, learned), female, people, ages, everybody, stated, seed).calibration

    def answer(_faces: NDArray[np.float64], known: list[Known]) -> Answers:
        years = np.array([float(each.age) for each in known])
        told = found.probability(_logits(asked, known), years)
        told = np.where(np.isfinite(told), told, 0.5)
        truth = np.array([each.gender == "female" for each in known])
        return Answers(told, truth, np.maximum(told, 1 - told) >= found.thresholds(years))

    return answer


def together(fit: GenderFit, asked: Logits, youngest: float) -> Model:
    """The blend of a fit that kept one; of whom the network says nothing, the embedding."""
    blend, model = fit.blend, fit.model
    assert blend is not None

    def answer(faces: NDArray[np.float64], known: list[Known]) -> Answers:
        logits, scores = _logits(asked, known), model.score(faces)
        ages = np.array([float(each.age) for each in known])
        there = np.isfinite(logits)
        summed = blend.score(scores, np.where(there, logits, 0.0))
        both, only = blend.calibration.probability(summed, ages), model.probability_of_score(scores, ages)
        female = np.where(there, both, only)
        limits = np.where(there, blend.calibration.thresholds(ages), model.thresholds_for(ages))
        truth = np.array([each.gender == "female" for each in known])
        return Answers(female, truth, (np.maximum(female, 1 - female) >= limits) & (ages >= youngest))

    return answer


def _logits(said: Logits, known: list[Known]) -> NDArray[np.float64]:
    return np.array([said.get(each.path, np.nan) for each in known], dtype=np.float64)
