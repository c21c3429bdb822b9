"""Pixels: faces, masks drawn on them, and what is measured of the result.

from synth import MaskEngine
masked = MaskEngine().mask(rgb, wear="nose_out", mask="kf94", seed=7)

Names are imported when they are first asked for: OpenCV and dlib take a third of a second, and whoever wants the list
of wear styles or an exception needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.engine import MaskedFace, MaskEngine, Prepared
    from synth.errors import PhotoRefusedError, SynthError, SynthUsageError
    from synth.face import Face
    from synth.finder import FaceFinder
    from synth.looks import list_mask_types
    from synth.wear import list_wear_styles

__all__ = [
    "Face",
    "FaceFinder",
    "MaskEngine",
    "MaskedFace",
    "PhotoRefusedError",
    "Prepared",
    "SynthError",
    "SynthUsageError",
    "list_mask_types",
    "list_wear_styles",
]

_HOMES = {
    "engine": ("MaskEngine", "MaskedFace", "Prepared"),
    "errors": ("PhotoRefusedError", "SynthError", "SynthUsageError"),
    "face": ("Face",),
    "finder": ("FaceFinder",),
    "looks": ("list_mask_types",),
    "wear": ("list_wear_styles",),
}
_HOME_OF = {name: f"synth.{home}" for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'synth' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
