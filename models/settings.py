"""Everything that shapes a training run, in one frozen record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from models.errors import SettingsError
from models.sizes import parse_sizes

Head = Literal["single", "triple"]
Augment = Literal["none", "light", "strong", "faces"]
Crop = Literal["middle", "face"]
Device = Literal["auto", "cpu", "cuda"]

_RANGES: dict[str, tuple[float, float]] = {
    "image_size": (16, 2048),
    "epochs": (1, 10_000),
    "batch_size": (2, 65_536),
    "learning_rate": (1e-8, 10.0),
    "weight_decay": (0.0, 10.0),
    "warmup_epochs": (0.0, 1_000.0),
    "label_smoothing": (0.0, 0.9),
    "balance": (0.0, 1.0),
    "class_weight_power": (0.0, 1.0),
    "synthetic_weight": (0.0, 100.0),
    "pseudo_confidence": (0.0, 1.0),
    "age_confidence": (0.0, 1.0),
    "fold": (0, 1_000),
    "seed": (0, 2**31 - 1),
    "workers": (-1, 256),
}


@dataclass(frozen=True)
class TrainSettings:
    """How to train one classifier; checked when made.

    Attributes:
        model: a timm model's name, such as `resnet18` or `efficientnet_b3`.
        head: `single` predicts the 18 classes at once; `triple` predicts mask, gender and age group apart (3 + 2 + 3)
            and can learn from rows that lack one of them.
        image_size: side of the square the model sees, in pixels.
        epochs: passes over as many draws as there are training rows.
        batch_size: rows a step.
        learning_rate: AdamW's peak rate, after the warm-up.
        weight_decay: AdamW's, on matrices only.
        warmup_epochs: length of the linear warm-up; the cosine follows.
        label_smoothing: of the cross-entropy, 0 for none.
        augment: how strongly training photos are changed.
        balance: 0 draws rows as they come, 1 draws every class equally often, between them in proportion
            (the class's count to the power of minus `balance`).
        class_weight_power: the same as a weight on the loss instead of on the draw; 0 for none.
        synthetic_weight: weight on the loss of a variant, against 1 of a photo; 0 leaves variants out of training.
        pseudo_confidence: pseudo-labels below this confidence count as missing.
        age_confidence: ages less sure than this, as `palette check-ages` finds them, count as missing in training: with
            head `triple` such rows teach mask and gender alone, with head `single` they teach nothing. Scores still
            count them.
        fold: the fold that is held out, scored, and chooses the epoch to keep.
        seed: of everything random.
        pretrained: start from timm's published weights (needs its hub).
        weights: start from a local file instead: safetensors or a torch state dict.
        device: `auto` takes a GPU when there is one.
        workers: processes that read photos; -1 chooses by device and cores, 0 reads in the training process.
        resume: go on from a run that was killed, if the output folder holds one with these settings and this manifest.
        cache: folder for packed photos: decoded once and kept as raw pixels, so that epochs don't wait for JPEGs. A
            photo takes at most (1.25 image_size) squared times 3 bytes: 235 kB at 224 pixels. Runs may share it.
        crop: the square that is cut out of a photo: `middle`, or about its `face` as `faces.csv` beside the manifest
            has it; `palette train` looks for the faces where that is missing. Without a face the middle is taken.
        sizes: sides of the squares that are trained on, such as `64:0.5,96`: half of the epochs at 64 pixels, the rest
            at 96. None may exceed image_size, which is evaluated at; empty for image_size throughout.
    """

    model: str = "resnet18"
    head: Head = "single"
    image_size: int = 224
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 1.0
    label_smoothing: float = 0.1
    augment: Augment = "light"
    balance: float = 0.7
    class_weight_power: float = 0.0
    synthetic_weight: float = 1.0
    pseudo_confidence: float = 0.0
    age_confidence: float = 0.0
    fold: int = 0
    seed: int = 0
    pretrained: bool = False
    weights: Path | None = None
    device: Device = "auto"
    workers: int = -1
    resume: bool = True
    # What a model reads.
    cache: Path | None = None
    crop: Crop = "middle"
    sizes: str = ""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise SettingsError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        for name, allowed in (("head", Head), ("augment", Augment), ("device", Device), ("crop", Crop)):
            value = getattr(self, name)
            if value not in get_args(allowed):
                raise SettingsError(f"{name} must be one of {', '.join(get_args(allowed))}, not {value!r}")
        if self.pretrained and self.weights is not None:
            raise SettingsError("pretrained and weights both say where to start from: give one of them")
        parse_sizes(self.sizes, self.image_size)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON takes them; a path becomes its file name only, so that no machine's folders leak."""
        values = dataclasses.asdict(self)
        for name in ("weights", "cache"):
            values[name] = values[name].name if values[name] is not None else None
        return values
