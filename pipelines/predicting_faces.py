"""Faces of photos that are to be classified, for classifiers that see squares about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def faces_finder(folder: Path | None, workers: int) -> Callable[[Sequence[Path]], NDArray[np.float32]]:
    """Return what finds the faces of photos when it is called, as `models.onnx_model.Faces`.

    Args:
        folder: In whose `.palette/landmarks` landmarks are kept by content; None keeps none.
        workers: Processes; below 1 takes every core.
    """

    def find(paths: Sequence[Path]) -> NDArray[np.float32]:
        from pipelines.executors import worker_count
        from pipelines.face_boxes import boxes_of_files
        from synth.journal import FOLDER
        from synth.landmark_cache import FOLDER as LANDMARKS

        several = worker_count(max(workers, 0))
        if folder is not None:
            return boxes_of_files(paths, folder / FOLDER / LANDMARKS, workers=several)
        with TemporaryDirectory(prefix="palette-") as kept:
            return boxes_of_files(paths, Path(kept), workers=several)

    return find
