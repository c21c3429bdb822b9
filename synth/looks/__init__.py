"""Looks: masks drawn by code, each a mask type with sampled parameters; and the user's own templates."""

from synth.looks import fabric, folded, moulded, scarf, surgical  # they register their mask types
from synth.looks.registry import Look, check_suited, draw_look, list_mask_types, mask_type, sample_look, suited_types
from synth.looks.templates import load_templates

__all__ = [
    "Look",
    "check_suited",
    "draw_look",
    "fabric",
    "folded",
    "list_mask_types",
    "load_templates",
    "mask_type",
    "moulded",
    "sample_look",
    "scarf",
    "suited_types",
    "surgical",
]
