"""Pictures of a training run, as PNG; drawn without a screen and without pyplot's shared state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from models.confidence import calibration_error, precision_by_coverage, reliability
from models.scoring import Scores

_DPI = 110


def plot_curves(history: Sequence[dict[str, Any]], best_epoch: int, path: Path) -> Path:
    """Loss and scores by epoch, with the epoch kept.

    Args:
        history: one dict an epoch: `epoch`, `train_loss`, `loss`, `macro_f1`, `accuracy`, `heads`.
        best_epoch: marked by a line.
        path: of the PNG.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (left, right) = _figure((11, 4.2), columns=2)
    epochs = [each["epoch"] for each in history]
    left.plot(epochs, [each["train_loss"] for each in history], marker=".", label="training, its own loss")
    left.plot(epochs, [each["loss"] for each in history], marker=".", label="held-out people, cross-entropy")
    left.set(title="Loss", xlabel="epoch", ylabel="loss")
    right.plot(epochs, [each["macro_f1"] for each in history], marker=".", linewidth=2.2, label="macro F1")
    right.plot(epochs, [each["accuracy"] for each in history], marker=".", linestyle="--", label="accuracy")
    for name in history[0]["heads"]:
        values = [each["heads"][name]["macro_f1"] for each in history]
        right.plot(epochs, values, marker=".", linewidth=1, alpha=0.8, label=f"macro F1, {name}")
    right.set(title="Held-out people", xlabel="epoch", ylim=(-0.02, 1.02))
    for axes in (left, right):
        axes.axvline(best_epoch, color="grey", linestyle=":", label=f"kept: epoch {best_epoch}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
    return _save(figure, path)


def plot_label_confusion(scores: Scores, path: Path, title: str) -> Path:
    """The 18 x 18 confusion: counts, coloured by share of their row."""
    figure, (axes,) = _figure((11.5, 10.5), columns=1)
    _matrix(axes, scores.label.confusion, scores.label.names, font=8)
    # Lines between the mask states, so that the eye finds its block.
    for edge in (5.5, 11.5):
        axes.axhline(edge, color="black", linewidth=0.8)
        axes.axvline(edge, color="black", linewidth=0.8)
    axes.set_title(f"{title}: {scores.label.rows} photos, macro F1 {scores.label.macro_f1:.3f}")
    return _save(figure, path)


def plot_head_confusions(scores: Scores, path: Path, title: str) -> Path:
    """The confusions of mask, gender and age group, side by side."""
    figure, columns = _figure((13, 5), columns=len(scores.heads))
    for axes, (name, each) in zip(columns, scores.heads.items(), strict=True):
        _matrix(axes, each.confusion, each.names, font=11)
        axes.set_title(
            f"{name} ({each.rows} photos)\nmacro F1 {each.macro_f1:.3f}, accuracy {each.accuracy:.3f}", fontsize=10
        )
    figure.suptitle(title)
    return _save(figure, path)


def plot_confidence(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    decided: NDArray[np.bool_] | None,
    path: Path,
    title: str,
    *,
    lowest: float = 0.5,
) -> Path:
    """What confidences are worth: how often those of each are right, and how many can be decided at what precision.

    The curve is of one threshold for everybody. What is decided at the thresholds in use, which may go by age, is a
    point of its own.

    Args:
        confidence: (N,) of decisions on people held out, `lowest` to 1; N at least 1.
        right: (N,) whether they are right.
        decided: (N,) whether each reaches the threshold that is used for it; None where there are no thresholds.
        path: of the PNG.
        title: over both pictures.
        lowest: one over the number of answers.
    """
    figure, (bins_axes, curve_axes) = _figure((11, 4.8), columns=2)
    bins = reliability(confidence, right, lowest)
    bins_axes.plot([lowest, 1], [lowest, 1], color="grey", linestyle=":", label="as it should be")
    bins_axes.plot([each.confidence for each in bins], [each.accuracy for each in bins], marker="o", label="people")
    for each in bins:
        place = (each.confidence, each.accuracy)
        bins_axes.annotate(str(each.count), place, xytext=(4, -10), textcoords="offset points", fontsize=8)
    error = calibration_error(confidence, right, lowest)
    bins_axes.set(title=f"Reliability, calibration error {error:.3f}", xlabel="confidence", ylabel="share right")
    coverage, precision = precision_by_coverage(confidence, right)
    curve_axes.plot(coverage, precision, label="people, the surest first")
    if decided is not None and decided.any():
        share, reached = float(decided.mean()), float(right[decided].mean())
        label = f"decided: {share:.1%}, of which {reached:.1%} are right"
        curve_axes.plot([share], [reached], marker="o", linestyle="none", color="black", label=label)
    curve_axes.set(title="Precision by coverage", xlabel="share decided", ylabel="share right", xlim=(0, 1))
    for axes in (bins_axes, curve_axes):
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
    figure.suptitle(title)
    return _save(figure, path)


def _matrix(axes: Any, counts: NDArray[np.int64], names: Sequence[str], font: int) -> None:
    rows = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(rows, 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for truth, given in zip(*np.nonzero(counts), strict=True):
        dark = share[truth, given] > 0.55
        colour = "white" if dark else "black"
        axes.text(given, truth, f"{counts[truth, given]}", ha="center", va="center", color=colour, fontsize=font)
    labels = [f"{name} ({int(row)})" for name, row in zip(names, rows[:, 0], strict=True)]
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=font)
    axes.set_yticks(range(len(names)), labels, fontsize=font)
    axes.set(xlabel="answer", ylabel="truth (photos)")


def _figure(size: tuple[float, float], columns: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _save(figure: Any, path: Path) -> Path:
    with atomic_write(Path(path)) as temporary:
        # No metadata: the same scores give the same bytes.
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})
    return Path(path)
