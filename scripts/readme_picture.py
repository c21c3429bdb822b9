"""Draws docs/variants.jpg, the picture in README.md: sample people of our own drawing, masked by the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from datasets.portraits import Person, draw_person, sample_light, sample_pose
from synth import MaskEngine, PhotoRefusedError
from synth.framing import Size

SIZE = Size(192, 256)
VARIANTS = (
    ("not_wear", None),
    ("correct", "surgical"),
    ("correct", "kf94"),
    ("correct", "n95_valve"),
    ("correct", "printed"),
    ("correct", "scarf"),
    ("nose_out", "kn95"),
    ("chin", "surgical"),
    ("chin_out", "black"),
    ("hanging", "cloth"),
    ("over_eyes", "sponge"),
)
PEOPLE = (("female", 24), ("male", 66), ("female", 47))


def main() -> None:
    """Draws the sheet, a row a person."""
    engine = MaskEngine()
    rows: list[np.ndarray] = []
    seed = 0
    while len(rows) < len(PEOPLE):
        gender, age = PEOPLE[len(rows)]
        seed += 1
        rng = np.random.default_rng(seed)
        person = Person(f"p{seed}", gender, age, seed)
        portrait = draw_person(person, pose=sample_pose(rng), light=sample_light(rng), mask=None, seed=seed)
        try:
            ready = engine.prepare(portrait, size=SIZE)
            row = [
                engine.mask(ready, wear=wear, mask=kind, seed=seed + k).rgb for k, (wear, kind) in enumerate(VARIANTS)
            ]
        except PhotoRefusedError:
            continue
        rows.append(np.hstack(row))
    sheet = Image.fromarray(np.vstack(rows))
    sheet.save(Path(__file__).parents[1] / "docs" / "variants.jpg", quality=90)


if __name__ == "__main__":
    main()
