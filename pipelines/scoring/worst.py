"""A sheet of the surest wrong answers: wrong labels, odd photos, models that look elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.contact_sheets import in_rows, photo_tile, save_sheet
from pipelines.scoring.inputs import Scored

if TYPE_CHECKING:
    from PIL import Image

    from synth.sheet import Tile

WORST = "worst.jpg"
COUNT, COLUMNS = 48, 8

Overlays = Callable[[Sequence[int]], Mapping[int, "Image.Image"]]
"""From rows to their photos with what the model looked at; rows whose photo can't be shown so are left out."""


def surest_wrong(scored: Scored, chosen: NDArray[np.bool_], count: int = COUNT) -> NDArray[np.int64]:
    """The rows that were answered wrongly with the most confidence, the surest first.

    Args:
        scored: With chances.
        chosen: (N,) the rows to look among.
        count: How many at most.
    """
    wrong = chosen & ((scored.truth != scored.answers) & (scored.truth >= 0) & (scored.answers >= 0)).any(axis=1)
    rows = np.flatnonzero(wrong)
    sure = confidence_of(scored)[rows]
    order = np.lexsort((np.array(scored.photo_ids)[rows], -sure.round(9)))
    return rows[order[:count]]


def confidence_of(scored: Scored) -> NDArray[np.float64]:
    """(N,) the chance of what was answered: of the class, or of the answered heads together."""
    from models.heads import HEADS, to_labels

    chances = scored.chances
    assert chances is not None  # noqa: S101  only answers with chances come here
    rows = np.arange(len(scored.photo_ids))
    if chances.label is not None:
        return np.asarray(chances.label[rows, to_labels(scored.answers)])
    sure = np.ones(len(rows))
    for at, name in enumerate(HEADS):
        if name in chances.heads:
            sure = sure * chances.heads[name][rows, scored.answers[:, at]]
    return sure


def write_worst(
    scored: Scored, chosen: NDArray[np.bool_], out: Path, *, overlays: Overlays | None = None
) -> Path | None:
    """Write the sheet; what an earlier run left goes away where there is nothing to show.

    Args:
        scored: With chances and the manifest's rows, else there is nothing to show.
        chosen: (N,) the rows to look among.
        out: The folder, which gets `WORST`.
        overlays: Shows what the model looked at, in place of the plain photo.

    Returns:
        The sheet's path, or None.
    """
    file = out / WORST
    rows = surest_wrong(scored, chosen) if scored.chances is not None and scored.rows is not None else np.zeros(0, int)
    if not len(rows):
        file.unlink(missing_ok=True)
        return None
    shown = overlays(rows.tolist()) if overlays is not None else {}
    sure = confidence_of(scored)
    return save_sheet(in_rows([_tile(scored, row, float(sure[row]), shown) for row in rows.tolist()], COLUMNS), file)


def told_apart(truth: NDArray[np.int64], answer: NDArray[np.int64]) -> tuple[str, str]:
    """What a photo is and what was said of it, in the words of the heads that differ."""
    from models.heads import WORDS

    differ = [at for at in range(len(WORDS)) if truth[at] != answer[at] and truth[at] >= 0 and answer[at] >= 0]
    return "/".join(WORDS[at][truth[at]] for at in differ), "/".join(WORDS[at][answer[at]] for at in differ)


def _tile(scored: Scored, row: int, sure: float, shown: Mapping[int, Any]) -> Tile:
    from synth.sheet import Tile

    assert scored.rows is not None  # noqa: S101  looked at by write_worst
    truth, answer = told_apart(scored.truth[row], scored.answers[row])
    title, detail = f"truth: {truth}", f"answer ({sure:.0%}): {answer}"
    if row in shown:
        return Tile(shown[row], title, detail)
    return photo_tile((scored.root or Path()) / str(scored.rows["path"].iloc[row]), title, detail)
