"""`palette doctor`: what is installed, whether it works, and what to do about what does not.

Each module looks at one part of the surroundings and returns `Check` records; `examine` runs them all. What
could crash an interpreter (OpenCV, dlib, torch) is tried in a process of its own.
"""

from __future__ import annotations

from pipelines.doctor.check import Check, Status
from pipelines.doctor.examination import examine, is_healthy

__all__ = ["Check", "Status", "examine", "is_healthy"]
