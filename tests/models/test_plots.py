from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from models.heads import to_codes
from models.plots import plot_confidence, plot_head_confusions, plot_label_confusion
from models.scoring import score


def test_a_confusion_shows_its_mistakes(tmp_path: Path) -> None:
    truth = np.repeat(np.arange(18), 3)
    right = plot_label_confusion(score(to_codes(truth), to_codes(truth)), tmp_path / "right.png", "right")
    wrong = plot_label_confusion(score(to_codes(truth), to_codes(truth[::-1])), tmp_path / "wrong.png", "right")
    pictures = [np.asarray(Image.open(path).convert("L")).astype(int) for path in (right, wrong)]
    assert pictures[0].shape == pictures[1].shape
    assert min(pictures[0].shape) > 900
    assert np.abs(pictures[0] - pictures[1]).mean() > 5


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    scores = score(to_codes(np.arange(18)), to_codes(np.arange(18)))
    paths = [plot_head_confusions(scores, tmp_path / name, "heads") for name in ("a.png", "b.png")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("every", [0, 2, 5])
def test_what_is_decided_is_a_point_where_the_thresholds_in_use_lead(
    every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    saved = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: (drawn.append(figure), saved(figure, *a, **k)))
    confidence, right = np.linspace(0.5, 1, 200), np.arange(200) % 10 != 0
    # Not the surest: with thresholds that go by age no single one parts the decided from the others.
    decided = np.arange(200) % every == 0 if every else np.zeros(200, dtype=bool)
    path = plot_confidence(confidence, right, decided, tmp_path / "drawn.png", "people")
    assert min(np.asarray(Image.open(path)).shape[:2]) > 300
    points = [line.get_xydata().tolist() for line in drawn[0].axes[1].lines[1:]]
    assert points == {0: [], 2: [[[0.5, 0.8]]], 5: [[[0.2, 0.5]]]}[every]
    coverage, precision = drawn[0].axes[1].lines[0].get_xydata()[-1]
    assert (coverage, precision) == (1, pytest.approx(0.9))
