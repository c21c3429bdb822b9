"""Looks: masks drawn by code, each a mask type with sampled parameters."""

from synth.looks import fabric, folded, surgical  # they register their mask types
from synth.looks.registry import Look, draw_look, list_mask_types, mask_type, sample_look

__all__ = ["Look", "draw_look", "fabric", "folded", "list_mask_types", "mask_type", "sample_look", "surgical"]
