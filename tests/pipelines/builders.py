"""Small inputs for the pipeline's tests: drawn people, few and quickly learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.settings import TrainSettings
from pipelines.sample import sample_sources
from pipelines.settings import SampleSettings, SynthFlowSettings

SMALL_SAMPLE = SampleSettings(people=6, photos=4, unlabelled=2, eval_photos=3)
QUICK_TRAINING = TrainSettings(model="test_resnet", image_size=32, epochs=1, batch_size=8, augment="none", workers=0)


def make_settings(out: Path, sample_root: Path, **changes: Any) -> SynthFlowSettings:
    """Settings that read an already drawn sample and keep every stage small."""
    given: dict[str, Any] = {
        "out": out,
        "sources": sample_sources(sample_root),
        "size": (96, 128),
        "folds": 3,
        "workers": 1,
        "training": QUICK_TRAINING,
    }
    return SynthFlowSettings(**(given | changes))
