"""Scoring as a stage: open, work out, write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.scoring.attention import overlays
from pipelines.scoring.figures import Figures, confidences, work_out
from pipelines.scoring.inputs import Scored, open_scored
from pipelines.scoring.worst import write_worst

if TYPE_CHECKING:
    from models.settings import Device
    from pipelines.types import ProgressCallback

JSON = "score.json"


@dataclass(frozen=True, eq=False)
class ScoreResult:
    """What scoring gave.

    Attributes:
        page: The HTML page.
        json: `score.json`.
        worst: The sheet of the surest wrong photos; None where there is none to show.
        scored: What was scored.
        figures: What it came to.
    """

    page: Path
    json: Path
    worst: Path | None
    scored: Scored
    figures: Figures


def score_stage(
    what: Path,
    against: Path | None,
    out: Path,
    *,
    fold: int | None = None,
    title: str = "Score",
    device: Device = "auto",
    workers: int = -1,
    progress: ProgressCallback | None = None,
) -> ScoreResult:
    """Score a run, a team, a checkpoint or a submission; `pipelines.scoring.inputs.open_scored` says what is what.

    Args:
        what: What to score.
        against: The manifest, or the true classes.
        out: Folder for `index.html`, `score.json`, the plots and `worst.jpg`.
        fold: To ask a checkpoint about.
        title: The page's heading.
        device: To ask a checkpoint on.
        workers: Processes that read photos for it.
        progress: Called with (photos done, photos in all).

    Raises:
        PipelinesError: The call makes no sense, or a file is missing.
        ModelsError: A table or checkpoint is broken.
        DatasetsError: The manifest can't be read, or the output can't be written.
    """
    from datasets.atomic import atomic_write
    from pipelines.scoring.page import PAGE, to_json, write_page

    scored = open_scored(what, against, fold=fold, device=device, workers=workers, progress=progress)
    figures = work_out(scored)
    pictures = _plots(scored, figures, out)
    worst = write_worst(scored, figures.chosen, out, overlays=lambda rows: overlays(scored, rows))
    if worst is not None:
        pictures["worst"] = worst
    with atomic_write(out / JSON) as temporary:
        told = json.dumps(to_json(scored, figures), indent=2, ensure_ascii=False, sort_keys=True)
        temporary.write_text(told + "\n", encoding="utf-8")
    page = write_page(out / PAGE, scored, figures, pictures, title=title)
    return ScoreResult(page, out / JSON, worst, scored, figures)


def _plots(scored: Scored, figures: Figures, out: Path) -> dict[str, Path]:
    from models.heads import HEADS, SIZES
    from models.plots import plot_confidence, plot_head_confusions, plot_label_confusion

    told = "Real photos" if figures.headline == "real" else "Variants"
    pictures = {"confusion_heads": plot_head_confusions(figures.scores, out / "confusion_heads.png", told)}
    if figures.scores.label.rows:
        pictures["confusion"] = plot_label_confusion(figures.scores, out / "confusion.png", told)
    for head in HEADS:
        held = confidences(scored, head, figures.chosen)
        if held is not None:
            name = f"confidence_{head}"
            lowest = 1 / SIZES[HEADS.index(head)]
            file, title = out / f"{name}.png", f"{told}: {head}"
            pictures[name] = plot_confidence(held[0], held[1], None, file, title, lowest=lowest)
    return pictures
