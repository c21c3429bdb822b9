"""Where models looked when they were wrong: Grad-CAM over the photos of the worst sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.scoring.inputs import Scored

if TYPE_CHECKING:
    from PIL import Image

    from models.data import Examples
    from models.settings import Crop


def overlays(scored: Scored, rows: Sequence[int]) -> dict[int, Image.Image]:
    """Photos as their model saw them, coloured where they speak for what was answered.

    Each photo is shown to the model that answered it. Photos that can't be read, those of folds whose model is not at
    hand, and models that Grad-CAM can't look into are left out.

    Args:
        scored: With the manifest's rows.
        rows: Which to show.
    """
    shown: dict[int, Image.Image] = {}
    if scored.rows is None or scored.folds is None:
        return shown
    for fold, checkpoint in sorted(scored.checkpoints.items()):
        shown |= _of_one_model(scored, [row for row in rows if scored.folds[row] == fold], checkpoint)
    return shown


def _of_one_model(scored: Scored, rows: Sequence[int], checkpoint: Path) -> dict[int, Image.Image]:
    from PIL import Image, ImageOps

    from models.checkpoint import read_config
    from models.errors import AttributionError
    from models.team import Team, member_of
    from pipelines.overlays import explained
    from synth.sheet import PAPER, TILE

    if not rows:
        return {}
    examples = _examples(scored, rows, read_config(checkpoint).crop)
    try:
        seen = explained(Team((member_of(checkpoint, "fold"),)), examples, scored.answers[list(rows)])
    except AttributionError:
        return {}
    return {
        rows[at]: ImageOps.pad(picture, TILE, Image.Resampling.LANCZOS, color=PAPER) for at, picture in seen.items()
    }


def _examples(scored: Scored, rows: Sequence[int], crop: Crop) -> Examples:
    """The rows as the model reads them: cut about the face where it was trained so."""
    from dataclasses import replace

    from models.boxes import read_boxes
    from models.data import Examples

    assert scored.rows is not None  # noqa: S101  looked at by overlays
    root, chosen = scored.root or Path(), scored.rows.iloc[list(rows)]
    ids = tuple(map(str, chosen["photo_id"]))
    examples = Examples.unlabelled([root / str(path) for path in chosen["path"]], ids)
    if crop != "face":
        return examples
    return replace(examples, boxes=read_boxes(root, ids, tuple(map(str, chosen["sha256"]))))
