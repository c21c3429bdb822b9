"""An ONNX file of ours as something that answers photos, as a team does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.answering import TeamAnswers
from models.blending import codes_of
from models.chances import Chances, mean_of
from models.data import Examples, PhotoDataset, make_loader, unique_refusals
from models.devices import choose_workers
from models.errors import ModelsError, OnnxError, SettingsError
from models.heads import HEADS
from models.inference import Progress
from models.onnx_notes import KEY, OnnxNotes, read_notes
from models.onnx_session import run_session, start_session
from models.sampling import InOrder
from models.settings import Device, Tta
from models.team import Team, open_run
from models.team_network import LABEL, YEARS
from models.transforms import PhotoTransform
from models.views import views


@dataclass(frozen=True)
class OnnxModel:
    """A file that `models.export_onnx` wrote.

    Attributes:
        path: of the file.
        notes: what it says of itself.
    """

    path: Path
    notes: OnnxNotes

    @property
    def heads(self) -> tuple[str, ...]:
        """Which of `models.heads.HEADS` it answers."""
        return self.notes.heads

    @property
    def needs_faces(self) -> bool:
        """Whether it sees squares about faces, so that examples have to come with `boxes`."""
        return self.notes.crop == "face"

    @property
    def most_frequent(self) -> int:
        """The label 0..17 that was commonest in training."""
        return self.notes.most_frequent

    def answer(
        self,
        examples: Examples,
        *,
        device: Device = "auto",
        workers: int = -1,
        batch_size: int = 64,
        tta: Tta = "none",
        stage: str = "predict",
        progress: Progress | None = None,
    ) -> TeamAnswers:
        """Asks the model what it sees in examples; the arguments are those of `Team.answer`."""
        session = start_session(self.path, device)
        size = self.notes.image_size
        cut = examples if self.needs_faces else replace(examples, boxes=None)
        dataset = PhotoDataset(cut, PhotoTransform(size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), size, stage)
        readers = choose_workers(workers, torch.device("cpu"))
        said, index, refusals, done = [], [np.zeros(0, dtype=np.int64)], [], 0
        for batch in make_loader(dataset, InOrder(len(examples)), batch_size, readers):
            refusals += batch.refusals
            if len(batch.index):
                said.append(
                    mean_of([_chances(run_session(session, _pixels(view))) for view in views(batch.images, tta)])
                )
                index.append(batch.index)
            done += batch.drawn
            if progress is not None:
                progress(done, len(examples))
        chances = _joined(said) if said else _chances(run_session(session, np.zeros((0, size, size, 3), np.uint8)))
        codes = codes_of(chances, self.notes.cutoffs)
        return TeamAnswers(np.concatenate(index), chances, codes, tuple(unique_refusals(refusals)))


Faces = Callable[[Sequence[Path]], NDArray[np.float32]]
"""Finds the faces of N photos: (N, 4) as `models.data.Examples.boxes` has them."""

Model = Team | OnnxModel
"""What answers photos: `heads`, `most_frequent` and `answer` are the same of both."""


def open_model(path: Path) -> Model:
    """A run, a team or an ONNX file; `open_run` says what may be wrong with the former two.

    Raises:
        OnnxError: the file is missing, broken, or not one of ours.
        ModuleNotFoundError: an ONNX file is given and the extra `onnx` is not installed.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx" or path.is_dir():
        return open_run(path)
    held = start_session(path, "cpu").get_modelmeta().custom_metadata_map
    if KEY not in held:
        raise OnnxError(f"{path} was not written by palette export-model: give a file that was")
    try:
        return OnnxModel(path, read_notes(held[KEY]))
    except (ValueError, TypeError, KeyError, AttributeError, ModelsError) as error:
        raise OnnxError(f"{path} describes no model this version knows ({error}): export it again") from error


def with_faces(model: Model, examples: Examples, faces: Faces | None) -> Examples:
    """The examples with boxes of faces, where the model needs them.

    Raises:
        SettingsError: it does, and nothing is given that finds faces.
    """
    if not model.needs_faces:
        return examples
    if faces is None:
        raise SettingsError("the model sees squares about faces, and nothing is given that finds them")
    return replace(examples, boxes=faces(examples.paths))


def _pixels(images: torch.Tensor) -> NDArray[np.uint8]:
    """(N, 3, S, S) values 0..1 to (N, S, S, 3) uint8; a photo's own pixels come back as they were."""
    scaled = (images * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).numpy())


def _chances(given: dict[str, Any]) -> Chances:
    return Chances(given.get(LABEL), {name: given[name] for name in HEADS if name in given}, given.get(YEARS))


def _joined(parts: list[Chances]) -> Chances:
    """The chances of several batches as one."""
    first = parts[0]
    return Chances(
        None if first.label is None else np.concatenate([each.label for each in parts if each.label is not None]),
        {name: np.concatenate([each.heads[name] for each in parts]) for name in first.heads},
        None if first.years is None else np.concatenate([each.years for each in parts if each.years is not None]),
    )
