"""Named recipes: settings that have won competitions or are known from papers, each to be combined with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from models.errors import SettingsError
from models.settings import TrainSettings

Kind = Literal["backbone", "head", "imbalance", "mixing", "labels", "photos", "loop"]


@dataclass(frozen=True)
class Recipe:
    """A few settings under one name.

    Attributes:
        name: what `palette train --recipe` takes.
        kind: what it is about; one recipe of a kind is usual, and of two the later decides where they disagree.
        about: what it does, in one line.
        source: where it comes from.
        settings: those it sets, of `models.settings.TrainSettings`.
    """

    name: str
    kind: Kind
    about: str
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def _vit(model: str, rate: float, layer_decay: float, **more: Any) -> dict[str, Any]:
    """Transformers that start from published weights: low rates that fall layer by layer, a long warm-up."""
    common = {"image_size": 224, "pretrained": True, "learning_rate": rate, "layer_decay": layer_decay}
    return {**common, "model": model, "warmup_epochs": 2.0, "clip_norm": 1.0, "ema": 0.9998, **more}


def _cnn(model: str, image_size: int, rate: float, **more: Any) -> dict[str, Any]:
    """Convolutional nets that start from published weights."""
    common = {"pretrained": True, "learning_rate": rate, "ema": 0.9998, "warmup_epochs": 1.0}
    return {**common, "model": model, "image_size": image_size, **more}


_BACKBONES: Final = (
    Recipe(
        "small",
        "backbone",
        "MobileNetV3-Small at 128 pixels from scratch: for CPUs, minutes an epoch",
        "Howard et al. 2019, Searching for MobileNetV3",
        {"model": "mobilenetv3_small_100", "image_size": 128, "learning_rate": 2e-3, "epochs": 20, "ema": 0.999},
    ),
    Recipe(
        "efficientnet-b3",
        "backbone",
        "EfficientNet-B3 at 300 pixels",
        "Tan and Le 2019, EfficientNet",
        _cnn("efficientnet_b3", 300, 5e-4),
    ),
    Recipe(
        "efficientnet-b4",
        "backbone",
        "EfficientNet-B4 at 380 pixels",
        "Tan and Le 2019, EfficientNet",
        _cnn("efficientnet_b4", 380, 5e-4, batch_size=16, accumulate=2),
    ),
    Recipe(
        "nfnet",
        "backbone",
        "NFNet-F0 at 256 pixels: no batch normalisation, so each weight's gradient is clipped by its own norm",
        "Brock et al. 2021, High-Performance Large-Scale Image Recognition Without Normalization",
        _cnn("dm_nfnet_f0", 256, 3e-4, agc=0.01, clip_norm=0.0, weight_decay=2e-5),
    ),
    Recipe(
        "resnet50",
        "backbone",
        "ResNet-50 at 224 pixels",
        "He et al. 2016, Deep Residual Learning; weights of Wightman et al. 2021, ResNet strikes back",
        _cnn("resnet50", 224, 5e-4),
    ),
    Recipe(
        "resnext50",
        "backbone",
        "ResNeXt-50 (32x4d) at 224 pixels",
        "Xie et al. 2017, Aggregated Residual Transformations",
        _cnn("resnext50_32x4d", 224, 5e-4),
    ),
    Recipe(
        "beit",
        "backbone",
        "BEiT-Base, rates falling by layer",
        "Bao et al. 2022, BEiT: BERT Pre-Training of Image Transformers (layer decay 0.65 for fine-tuning)",
        _vit("beit_base_patch16_224", 1e-4, 0.65),
    ),
    Recipe(
        "deit",
        "backbone",
        "DeiT-Base, rates falling by layer",
        "Touvron et al. 2021, Training data-efficient image transformers",
        _vit("deit_base_patch16_224", 1e-4, 0.75),
    ),
    Recipe(
        "clip",
        "backbone",
        "the image tower of CLIP ViT-B/16 (LAION-2B), gently tuned",
        "Radford et al. 2021, CLIP; rates as in Dong et al. 2022, CLIP Itself is a Strong Fine-tuner",
        _vit("vit_base_patch16_clip_224.laion2b", 6e-5, 0.6, ema=0.9998),
    ),
)
_ALL: Final = "mask,gender,age_group"
_HEADS: Final = (
    Recipe(
        "one-head",
        "head",
        "one answer of 18 classes",
        "",
        {"head": "single", "parts": _ALL, "age_as": "classes"},
    ),
    Recipe(
        "three-heads",
        "head",
        "mask, gender and age group apart on one backbone; learns from rows that lack a label",
        "Caruana 1997, Multitask Learning",
        {"head": "triple", "parts": _ALL},
    ),
    Recipe(
        "heads-only",
        "head",
        "trains the last layer only, on published weights that stay as they are",
        "Kornblith et al. 2019, Do Better ImageNet Models Transfer Better?",
        {"update": "heads", "pretrained": True, "layer_decay": 1.0, "learning_rate": 3e-3},
    ),
    Recipe(
        "mask-gender",
        "head",
        "a model of mask and gender, for a team with a model of age",
        "used by the competition's second place",
        {"head": "triple", "parts": "mask,gender", "age_as": "classes"},
    ),
    Recipe(
        "mask-only",
        "head",
        "a model of the mask, for a team of three",
        "",
        {"head": "triple", "parts": "mask", "age_as": "classes"},
    ),
    Recipe(
        "gender-only",
        "head",
        "a model of the gender, for a team of three",
        "",
        {"head": "triple", "parts": "gender", "age_as": "classes"},
    ),
    Recipe("age-only", "head", "a model of the age, for a team", "", {"head": "triple", "parts": "age_group"}),
    Recipe(
        "age-regression",
        "head",
        "the age in years; the group from where the years fall",
        "Rothe et al. 2018, Deep Expectation of Real and Apparent Age",
        {"head": "triple", "age_as": "regression"},
    ),
    Recipe(
        "age-both",
        "head",
        "the age group and the years at once, their chances averaged",
        "",
        {"head": "triple", "age_as": "both"},
    ),
    Recipe(
        "age-ordinal",
        "head",
        "past 30? past 60? for groups that have an order",
        "Niu et al. 2016, Ordinal Regression with Multiple Output CNN for Age Estimation",
        {"head": "triple", "age_as": "ordinal"},
    ),
)
_IMBALANCE: Final = (
    Recipe(
        "plain",
        "imbalance",
        "cross-entropy, rows as they come: what the others are measured against",
        "",
        {
            "loss": "cross_entropy",
            "label_smoothing": 0.0,
            "balance": 0.0,
            "class_weight_power": 0.0,
            "balance_sources": 0.0,
            "synthetic_share": -1.0,
        },
    ),
    Recipe(
        "smooth",
        "imbalance",
        "label smoothing of 0.1",
        "Szegedy et al. 2016, Rethinking the Inception Architecture",
        {"label_smoothing": 0.1},
    ),
    Recipe(
        "balanced",
        "imbalance",
        "every class drawn equally often",
        "",
        {"balance": 1.0, "class_weight_power": 0.0},
    ),
    Recipe(
        "weighted",
        "imbalance",
        "cross-entropy weighted by one over the class's count",
        "",
        {"loss": "cross_entropy", "class_weight_power": 1.0, "balance": 0.0},
    ),
    Recipe(
        "focal",
        "imbalance",
        "what is answered well counts less",
        "Lin et al. 2017, Focal Loss for Dense Object Detection",
        {"loss": "focal", "focal_gamma": 2.0},
    ),
    Recipe(
        "class-balanced",
        "imbalance",
        "classes weighted by their effective number of samples",
        "Cui et al. 2019, Class-Balanced Loss Based on Effective Number of Samples",
        {"loss": "class_balanced", "class_weight_power": 0.0, "balance": 0.0},
    ),
    Recipe(
        "ldam",
        "imbalance",
        "the rarer the class, the larger a margin; in the last fifth classes are weighted too",
        "Cao et al. 2019, Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss",
        {"loss": "ldam", "drw_from": 0.8, "class_weight_power": 0.0, "balance": 0.0},
    ),
    Recipe(
        "logit-adjusted",
        "imbalance",
        "answers as though classes were equally frequent",
        "Menon et al. 2021, Long-tail Learning via Logit Adjustment",
        {"loss": "logit_adjusted", "balance": 0.0},
    ),
    Recipe(
        "f1",
        "imbalance",
        "half cross-entropy, half soft macro F1 over the batch",
        "used by the competition's second place; Bénédict et al. 2022, sigmoidF1",
        {"loss": "f1", "f1_share": 0.5, "batch_size": 64},
    ),
    Recipe(
        "sources-balanced",
        "imbalance",
        "every source drawn equally often",
        "",
        {"balance_sources": 1.0},
    ),
    Recipe(
        "half-synthetic",
        "imbalance",
        "half of what is drawn are variants",
        "",
        {"synthetic_share": 0.5},
    ),
)
_MIXING: Final = (
    Recipe(
        "mixup",
        "mixing",
        "photos blended with others of the batch, labels likewise",
        "Zhang et al. 2018, mixup",
        {"mix": "mixup", "mix_alpha": 0.4},
    ),
    Recipe(
        "cutmix",
        "mixing",
        "a patch of another photo; the second place found it harmful on faces: measure",
        "Yun et al. 2019, CutMix",
        {"mix": "cutmix", "mix_alpha": 1.0},
    ),
)
_LABELS: Final = (
    Recipe(
        "by-confidence",
        "labels",
        "labels that were not given count what they are worth",
        "",
        {"trust": "confidence"},
    ),
    Recipe("given-only", "labels", "pseudo-labels teach nothing", "", {"pseudo_weight": 0.0}),
)
_PHOTOS: Final = (
    Recipe("no-augmentation", "photos", "photos as they are", "", {"augment": "none"}),
    Recipe("faces-augmented", "photos", "what changes about photos of faces, and no label", "", {"augment": "faces"}),
    Recipe("face-crop", "photos", "the square about the face instead of the middle", "", {"crop": "face"}),
    Recipe(
        "growing",
        "photos",
        "half of the epochs at half the side, as training begins coarsely anyway",
        "Tan and Le 2021, EfficientNetV2 (progressive learning)",
        {"sizes": "50%:0.5,100%"},
    ),
)
_LOOP: Final = (
    Recipe(
        "ema",
        "loop",
        "a running mean of the weights is scored and kept",
        "Polyak and Juditsky 1992, Acceleration of Stochastic Approximation by Averaging",
        {"ema": 0.999},
    ),
    Recipe("patient", "loop", "stops after 5 epochs that bring nothing", "", {"patience": 5}),
)

RECIPES: Final = {each.name: each for each in (*_BACKBONES, *_HEADS, *_IMBALANCE, *_MIXING, *_LABELS, *_PHOTOS, *_LOOP)}
"""All recipes by name, in the order of their kinds."""


def settings_of(names: Sequence[str], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What recipes set together, and what is set besides.

    Args:
        names: of the recipes; of two that disagree the later decides.
        given: settings that stand whatever the recipes say. Weights of one's own replace published ones.

    Returns:
        For `models.settings.TrainSettings`.

    Raises:
        SettingsError: there is no such recipe.
    """
    merged: dict[str, Any] = {}
    for name in names:
        if name not in RECIPES:
            raise SettingsError(f"no recipe named {name!r}: palette train --list shows them ({', '.join(RECIPES)})")
        merged |= RECIPES[name].settings
    given = dict(given or {})
    if given.get("weights") is not None and "pretrained" not in given:
        merged.pop("pretrained", None)
    return merged | given


def made_of(names: Sequence[str], given: Mapping[str, Any] | None = None) -> TrainSettings:
    """The settings of recipes and of what is set besides; errors as of `settings_of` and `TrainSettings`."""
    return TrainSettings(**settings_of(names, given))
