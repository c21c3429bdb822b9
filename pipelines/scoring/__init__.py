"""`palette score`: how good answers are, where they err, and how sure they are of it."""

from __future__ import annotations

from pipelines.scoring.stage import ScoreResult, score_stage

__all__ = ["ScoreResult", "score_stage"]
