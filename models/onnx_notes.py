"""What an ONNX file of ours says of itself: JSON in its metadata, enough to use it without this project."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from datasets.labels import AXES, N_LABELS, label_name
from models.blending import Blend
from models.checkpoint import CheckpointConfig
from models.heads import HEADS
from models.settings import Crop
from models.team import Member, Team

KEY: Final = "palette"
FORMAT: Final = 1
INPUT: Final = "images"

_CROPS: Final[dict[Crop, str]] = {
    "middle": "the largest square in the middle of the upright photo",
    "face": "a square about the face, by models.squares.read_square of palette; the middle where there is none",
}
_RESIZE: Final = "mean of the covered pixels (OpenCV INTER_AREA) where the square is larger, else bilinear"


@dataclass(frozen=True)
class OnnxNotes:
    """The description in the metadata.

    Attributes:
        image_size: side of the square that the graph takes, pixels.
        crop: which square, of `models.settings.Crop`.
        heads: of `models.heads.HEADS`, those that are answered.
        most_frequent: the commonest label of training, 0..17.
        cutoffs: as `models.blending.Blend` has them; the graph gives chances, and whoever decides applies them.
    """

    image_size: int
    crop: Crop
    heads: tuple[str, ...]
    most_frequent: int
    cutoffs: dict[str, list[float] | None] | None


def notes_of(team: Team, members: Sequence[Member], configs: Sequence[CheckpointConfig]) -> str:
    """The JSON for a team's graph.

    Args:
        team: the team.
        members: those of it that count.
        configs: what they are.
    """
    values = {
        "format": FORMAT,
        "input": {
            "name": INPUT,
            "shape": ["batch", "size", "size", 3],
            "type": "uint8",
            "colours": "RGB",
            "size": configs[0].image_size,
            "crop": configs[0].crop,
            "crop_is": _CROPS[configs[0].crop],
            "resize": _RESIZE,
            "normalisation": "inside the graph",
        },
        "outputs": "chances, rows sum to 1: label (18), mask (3), gender (2), age_group (3); years, where given",
        "heads": list(team.heads),
        "words": {name: list(words) for name, words in AXES.items()},
        "labels": [label_name(label) for label in range(N_LABELS)],
        "cutoffs": team.blend.to_dict()["cutoffs"],
        "cutoffs_are": "factors on the chances before the largest is taken",
        "most_frequent": team.most_frequent,
        "how": team.blend.how,
        "members": [
            {"sha256": member.sha256, "group": member.group, **asdict(config)}
            for member, config in zip(members, configs, strict=True)
        ],
    }
    return json.dumps(values, sort_keys=True)


def read_notes(text: str) -> OnnxNotes:
    """Reads the JSON.

    Raises:
        ValueError, TypeError, KeyError: it is of another version, or not ours.
    """
    values: dict[str, Any] = json.loads(text)
    if values["format"] != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    if values["labels"] != [label_name(label) for label in range(N_LABELS)]:
        raise ValueError("its labels are not the 18 of this version")
    size, heads, common = values["input"]["size"], tuple(values["heads"]), values["most_frequent"]
    if not isinstance(size, int) or not 16 <= size <= 2048 or not heads or not set(heads) <= set(HEADS):
        raise ValueError(f"size {size!r}, heads {heads!r}")
    if common not in range(N_LABELS):
        raise ValueError(f"most_frequent {common!r}")
    if values["input"]["crop"] not in _CROPS:
        raise ValueError(f"crop {values['input']['crop']!r}")
    cutoffs = values["cutoffs"]
    Blend(cutoffs=cutoffs)
    if cutoffs is not None and not all(math.isfinite(each) for row in cutoffs.values() if row for each in row):
        raise ValueError("its cut-offs")
    return OnnxNotes(size, values["input"]["crop"], heads, common, cutoffs)
