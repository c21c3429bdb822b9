"""Pixels: faces, masks drawn on them, and what is measured of the result."""
