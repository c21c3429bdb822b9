"""Duplicates: files with the same bytes, the same picture in other guise, the same person in other pictures."""
