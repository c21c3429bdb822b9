from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from models.heads import to_codes
from models.plots import plot_head_confusions, plot_label_confusion
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
