"""Everything that shapes a training run, in one frozen record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from models.errors import SettingsError
from models.heads import HEADS, Layout
from models.sizes import parse_sizes

Head = Literal["single", "triple"]
AgeAs = Literal["classes", "regression", "both", "ordinal"]
Augment = Literal["none", "light", "strong", "faces"]
Crop = Literal["middle", "face"]
Device = Literal["auto", "cpu", "cuda"]
Update = Literal["all", "heads"]
Keep = Literal["best", "last"]
Wandb = Literal["off", "offline", "online"]
Tta = Literal["none", "flip", "flip5"]
"""Views of a photo that are averaged, as `models.views` makes them."""
Loss = Literal["cross_entropy", "focal", "class_balanced", "ldam", "logit_adjusted", "f1"]
Mix = Literal["none", "mixup", "cutmix", "both"]
Trust = Literal["all", "confidence"]

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
    "ema": (0.0, 0.999999),
    "accumulate": (1, 4_096),
    "clip_norm": (0.0, 1e6),
    "agc": (0.0, 10.0),
    "layer_decay": (0.1, 1.0),
    "patience": (0, 10_000),
    "focal_gamma": (0.0, 10.0),
    "effective_beta": (0.0, 0.999999),
    "ldam_margin": (0.0, 30.0),
    "drw_from": (0.0, 1.0),
    "adjust_tau": (0.0, 10.0),
    "f1_share": (0.0, 1.0),
    "balance_sources": (0.0, 1.0),
    "synthetic_share": (-1.0, 1.0),
    "epoch_rows": (0, 1_000_000_000),
    "mix_alpha": (0.01, 100.0),
    "mix_chance": (0.0, 1.0),
    "pseudo_weight": (0.0, 100.0),
}
_WORDS: dict[str, Any] = {
    "head": Head,
    "age_as": AgeAs,
    "augment": Augment,
    "crop": Crop,
    "device": Device,
    "update": Update,
    "keep": Keep,
    "wandb": Wandb,
    "loss": Loss,
    "mix": Mix,
    "trust": Trust,
}


@dataclass(frozen=True)
class TrainSettings:
    """How to train one classifier; checked when made.

    Attributes:
        model: a timm model's name, such as `resnet18` or `efficientnet_b3`.
        head: `single` predicts the 18 classes at once; `triple` predicts mask, gender and age group apart (3 + 2 + 3)
            and can learn from rows that lack one of them.
        parts: which of mask, gender and age_group a triple head answers, with commas; models of different parts
            make one classifier together, as a team.
        age_as: how a triple head answers the age: as `classes`, as a `regression` of years, `both`, or `ordinal`
            (past 30? past 60?).
        image_size: side of the square the model sees, in pixels.
        epochs: passes over as many draws as there are training rows, or as `epoch_rows` says.
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
        update: `all` trains the whole model, `heads` its last layer only: quick, on published weights.
        ema: score and keep a running mean of the weights, of this decay a step; it is lower in the first steps. 0 keeps
            the weights themselves.
        accumulate: batches whose gradients are added up before a step: a larger batch than fits in memory.
        clip_norm: the longest a gradient may be, 0 for any.
        agc: clip each weight's gradient at this share of the weight's own norm instead, as nets without normalisation
            need it (NFNet: 0.01); 0 for none.
        layer_decay: each layer learns at this share of the rate of the layer above it, as transformers that start from
            published weights like it (0.65 to 0.8); 1 for all alike.
        patience: stop after this many epochs without a better macro F1; 0 for all epochs.
        keep: the `best` epoch by macro F1 on the people held out, whose scores are then a little too good; or the
            `last`.
        tensorboard: write the curves for TensorBoard as well, below the output folder.
        wandb: log to Weights & Biases: `offline` keeps the log below the output folder, `online` sends it.
        cache: folder for packed photos: decoded once and kept as raw pixels, so that epochs don't wait for JPEGs. A
            photo takes at most (1.25 image_size) squared times 3 bytes: 235 kB at 224 pixels. Runs may share it.
        crop: the square that is cut out of a photo: `middle`, or about its `face` as `faces.csv` beside the manifest
            has it; `palette train` looks for the faces where that is missing. Without a face the middle is taken.
        sizes: sides of the squares that are trained on, such as `64:0.5,96`: half of the epochs at 64 pixels, the rest
            at 96; or as `50%:0.5,100%` of image_size. None may exceed image_size, which is evaluated at; empty for
            image_size throughout.
        loss: of the classes, head by head: `cross_entropy`; `focal` (what is answered well counts less);
            `class_balanced` (classes weigh by their effective number of samples); `ldam` (the rarer, the larger a
            margin); `logit_adjusted` (as though classes were equally frequent); `f1` (soft macro F1 over the batch).
        focal_gamma: of `focal`: how much less; 0 is cross-entropy.
        effective_beta: of `class_balanced` and of `drw_from`: 0 weighs classes alike, towards 1 by one over their
            count.
        ldam_margin: of `ldam`: by how much, in logits, the rarest class has to win.
        drw_from: of `ldam`: from which share of the epochs on classes weigh by their effective number of samples;
            1 for never. The paper takes 0.8; margins alone do little for classes that are hard to tell apart.
        adjust_tau: of `logit_adjusted`: how far; 1 is for macro scores, 0 is cross-entropy.
        f1_share: of `f1`: the share of soft F1 in the loss; the rest is cross-entropy.
        balance_sources: as `balance`, over the sources that rows come from, on top of it.
        synthetic_share: the share of draws that are variants, 0 to 1; -1 leaves it to the balance.
        epoch_rows: draws an epoch; 0 for as many as there are training rows.
        mix: mixes photos of a batch with one another: `mixup` blends them, `cutmix` pastes a patch, `both` by turns.
        mix_alpha: of the beta distribution that says how much of the other photo; 1 for any amount alike, less for
            nearly none or nearly all.
        mix_chance: which share of the batches is mixed.
        trust: what labels count that weren't given: `all` as much as others, or by their `confidence`, from nothing at
            chance's to as much as a given one at 1.
        pseudo_weight: weight on the loss of a pseudo-label, against 1 of one given; 0 leaves them out.
    """

    model: str = "resnet18"
    head: Head = "single"
    parts: str = "mask,gender,age_group"
    age_as: AgeAs = "classes"
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
    # How it learns.
    update: Update = "all"
    ema: float = 0.0
    accumulate: int = 1
    clip_norm: float = 5.0
    agc: float = 0.0
    layer_decay: float = 1.0
    patience: int = 0
    keep: Keep = "best"
    tensorboard: bool = False
    wandb: Wandb = "off"
    # What is learned from which label, how often, and mixed with what.
    loss: Loss = "cross_entropy"
    focal_gamma: float = 2.0
    effective_beta: float = 0.999
    ldam_margin: float = 3.0
    drw_from: float = 1.0
    adjust_tau: float = 1.0
    f1_share: float = 0.5
    balance_sources: float = 0.0
    synthetic_share: float = -1.0
    epoch_rows: int = 0
    mix: Mix = "none"
    mix_alpha: float = 0.4
    mix_chance: float = 0.5
    trust: Trust = "all"
    pseudo_weight: float = 1.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise SettingsError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        for name, allowed in _WORDS.items():
            value = getattr(self, name)
            if value not in get_args(allowed):
                raise SettingsError(f"{name} must be one of {', '.join(get_args(allowed))}, not {value!r}")
        self._check_parts()
        self._check_loss()
        if self.update == "heads" and not self.pretrained and self.weights is None:
            raise SettingsError("update heads leaves the body as it is: give it pretrained, or weights of a file")
        if self.pretrained and self.weights is not None:
            raise SettingsError("pretrained and weights both say where to start from: give one of them")
        parse_sizes(self.sizes, self.image_size)

    def _check_parts(self) -> None:
        asked = [each.strip() for each in self.parts.split(",")]
        if not set(asked) <= set(HEADS) or len(set(asked)) != len(asked):
            raise SettingsError(f"parts must be some of {', '.join(HEADS)}, with commas, not {self.parts!r}")
        if self.head == "single" and len(asked) < len(HEADS):
            raise SettingsError(f"head single answers everything at once: parts {self.parts} need head triple")
        if self.age_as != "classes" and (self.head == "single" or HEADS[2] not in asked):
            raise SettingsError(f"age_as {self.age_as} needs head triple and the part {HEADS[2]}")

    def _check_loss(self) -> None:
        if -1 < self.synthetic_share < 0:
            raise SettingsError(f"synthetic_share must be -1, or a number from 0 to 1, not {self.synthetic_share!r}")
        weighs = self.loss == "class_balanced" or (self.loss == "ldam" and self.drw_from < 1)
        if weighs and self.class_weight_power:
            what = "loss class_balanced" if self.loss == "class_balanced" else "drw_from"
            raise SettingsError(f"{what} and class_weight_power both weigh the classes: give one of them")

    @property
    def layout(self) -> Layout:
        """What the numbers of the network stand for."""
        asked = {each.strip() for each in self.parts.split(",")}
        return Layout(self.head, tuple(name for name in HEADS if name in asked), self.age_as)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON takes them; a path becomes its file name only, so that no machine's folders leak."""
        values = dataclasses.asdict(self)
        for name in ("weights", "cache"):
            values[name] = values[name].name if values[name] is not None else None
        return values
