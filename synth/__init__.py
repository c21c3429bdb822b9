"""Pixels: faces, masks drawn on them, and what is measured of the result.

from synth import MaskEngine
masked = MaskEngine().mask(rgb, wear="nose_out", mask="kf94", seed=7)
"""

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
