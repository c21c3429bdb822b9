"""What a killed training run leaves behind, so that the next one goes on and ends with the same model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from datasets.atomic import atomic_write
from datasets.manifest import manifest_file
from models.boxes import FACES
from models.settings import TrainSettings

STATE = "training_state.pt"
# Where and how fast a run goes on may change; what it computes may not.
_FREE = ("workers", "device", "resume", "cache", "tensorboard", "wandb")


def fingerprint(manifest: Path, settings: TrainSettings, processes: int = 1) -> str:
    """A hash of all that shapes a run: the manifest's bytes, the settings, the first weights, and where faces lie."""
    values = {name: value for name, value in settings.to_dict().items() if name not in _FREE}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    if processes > 1:  # each then takes its share of an epoch's steps
        digest.update(f"{processes} processes".encode())
    digest.update(_sha256(manifest_file(Path(manifest))))
    if settings.weights is not None and settings.weights.is_file():
        digest.update(_sha256(settings.weights))
    faces = manifest_file(Path(manifest)).parent / FACES
    if settings.crop == "face" and faces.is_file():
        digest.update(_sha256(faces))
    return digest.hexdigest()


def save_state(out: Path, key: str, state: dict[str, Any]) -> None:
    """Writes the state after an epoch, atomically."""
    with atomic_write(out / STATE) as temporary:
        torch.save({"key": key, **state}, temporary)


def load_state(out: Path, key: str) -> dict[str, Any] | None:
    """The state of a run with the same fingerprint; None where there is none, or it is broken or another run's.

    It is read with `weights_only=True`, so that a planted file can run no code.
    """
    path = out / STATE
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a file cut short raises a dozen kinds; the run then starts over
        return None
    return state if isinstance(state, dict) and state.get("key") == key else None


def clear_state(out: Path) -> None:
    """Removes the state of a run that ended."""
    (out / STATE).unlink(missing_ok=True)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").digest()
