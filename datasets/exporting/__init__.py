"""Exports: a manifest and its photos in the forms that other tools read."""

from __future__ import annotations

from datasets.exporting.about import About
from datasets.exporting.export import FORMS, Exported, export

__all__ = ["FORMS", "About", "Exported", "export"]
