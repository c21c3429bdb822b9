"""Measurements: commands that print a table. None of them is a test, and no time is asserted anywhere."""
