"""How unsure the engine has to be of a variant: how near each thing it measures comes to a limit.

Every term is 0 far from its limit and 1 at it:

- `fit`: the landmarks' distance from a face, over what the gate allows;
- `yaw`, `pitch`, `roll`: the head's angles, likewise;
- `small`: the distance between the eyes that the gate asks for, over that of the face;
- `skin`: the share of bare skin that the gate asks for, over that of the lower face;
- `margin`: how little the measured coverage may change before it means another wear style, 1 for nothing and 0 for two
  hundredths.

The score is the greatest term, and a quarter of their mean to tell ties apart: one thing at its limit is enough to
spoil a picture.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from synth.coverage import Coverage, worn_style
from synth.engine import MaskedFace, Prepared
from synth.gate import Gate, skin_below

WIDEST_MARGIN = 0.02
STEPS = 10


def margin(covered: Coverage, style: str) -> float:
    """The smallest change of one covered share that makes another wear style of it, at most WIDEST_MARGIN."""
    shares = asdict(covered)
    for change in np.linspace(WIDEST_MARGIN / STEPS, WIDEST_MARGIN, STEPS):
        for part, share in shares.items():
            for moved in (share - change, share + change):
                inside = float(np.clip(moved, 0, 1))
                if worn_style(Coverage(**{**shares, part: inside})) != style:
                    return float(change)
    return WIDEST_MARGIN


def terms(ready: Prepared, masked: MaskedFace, gate: Gate) -> dict[str, float]:
    """Every term by name, 0..1."""
    yaw, pitch, roll = (abs(angle) for angle in ready.pose.angles)
    found = {
        "fit": ready.pose.error / gate.max_error,
        "yaw": yaw / gate.max_yaw,
        "pitch": pitch / gate.max_pitch,
        "roll": roll / gate.max_roll,
        "small": gate.min_eye_distance / max(ready.face.eye_distance, 1e-6),
        "skin": gate.min_skin / max(skin_below(ready.rgb, ready.face), 1e-6),
        "margin": 1 - margin(masked.coverage, masked.wear_style) / WIDEST_MARGIN,
    }
    return {name: float(np.clip(value, 0, 1)) for name, value in found.items()}


def score(found: dict[str, float]) -> float:
    """Greater is less sure, 0..1.25."""
    values = list(found.values())
    return max(values) + 0.25 * sum(values) / len(values)
