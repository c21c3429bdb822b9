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
    """Photos as their models saw them, coloured where they speak for what was answered.

    Each photo is shown to the models that answered it, of an ensemble one of each run. Photos that can't be read, those
    of folds whose models are not at hand, and of models that Grad-CAM can't look into are left out.

    Args:
        scored: With the manifest's rows.
        rows: Which to show.
    """
    shown: dict[int, Image.Image] = {}
    if scored.rows is None or scored.folds is None:
        return shown
    for fold, checkpoints in sorted(scored.checkpoints.items()):
        shown |= _of_one_fold(scored, [row for row in rows if scored.folds[row] == fold], checkpoints)
    return shown


def _of_one_fold(scored: Scored, rows: Sequence[int], checkpoints: Sequence[Path]) -> dict[int, Image.Image]:
    from PIL import Image, ImageOps

    from models.errors import AttributionError
    from models.team import Team, member_of
    from pipelines.overlays import explained
    from synth.sheet import PAPER, TILE

    if not rows:
        return {}
    team = Team(tuple(member_of(checkpoint, str(at)) for at, checkpoint in enumerate(checkpoints)))
    examples = _examples(scored, rows, "face" if team.needs_faces else "middle")
    try:
        seen = explained(team, examples, scored.answers[list(rows)])
    except AttributionError:
        return {}
    return {
        rows[at]: ImageOps.pad(picture, TILE, Image.Resampling.LANCZOS, color=PAPER) for at, picture in seen.items()
    }


def _examples(scored: Scored, rows: Sequence[int], crop: Crop) -> Examples:
    """The rows as the models read them: cut about the face where it was trained so."""
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
