"""The data report: one self-contained HTML page on a merged manifest."""

from __future__ import annotations

from pipelines.report.page import write_report

__all__ = ["write_report"]
