"""Losses of one question with a few classes, one answer a row: what `models.losses` puts together for a network.

All take logits (B, C) in float32, targets (B,) with -1 for a missing label, and weights (B,) >= 0, and give a scalar
>= 0: 0 where no row counts. A row of weight 0, or without its label, changes neither the loss nor a gradient.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.heads import MISSING

ClassWeights = NDArray[np.float32]
_LEAST = 1e-8
"""Keeps divisions by a batch's whole weight, and slopes of powers at 0, finite."""


class CrossEntropy(nn.Module):
    """Cross-entropy, its labels smoothed, its classes weighted, its rows averaged by their weights.

    Label smoothing is that of Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for
    Computer Vision", CVPR 2016, section 7: a share of each label is spread over all classes.

    Args:
        smoothing: that share, 0 for none.
        weight: (C,) of the classes; None for all alike.
    """

    weight: torch.Tensor | None

    def __init__(self, smoothing: float = 0.0, weight: ClassWeights | None = None) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("weight", _tensor(weight))

    def set_epoch(self, share: float) -> None:
        """Says which share of the epochs is done, 0 to 1, before the next begins; most losses don't care."""

    def forward(self, logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The loss of a batch."""
        return weighted_mean(self.each(logits, target), weights, target != MISSING)

    def each(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(B,) losses of the rows."""
        return self.entropy(logits, target, self.weight)

    def entropy(self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """(B,) smoothed cross-entropies with weights (C,) of the classes."""
        return functional.cross_entropy(
            logits, target, weight=weight, ignore_index=MISSING, reduction="none", label_smoothing=self.smoothing
        )


class Focal(CrossEntropy):
    """Focal loss: what is answered well already counts less.

    FL(p) = -(1 - p) ** gamma * log(p) (Lin, Goyal, Girshick, He, Dollar, "Focal Loss for Dense Object Detection", ICCV
    2017, equation 4; with weights of classes equation 5). A smoothed label is a mixture of classes, and the loss the
    mixture of theirs; gamma 0 is cross-entropy.

    Args:
        gamma: 0 and up.
        smoothing: see `CrossEntropy`.
        weight: see `CrossEntropy`.
    """

    def __init__(self, gamma: float, smoothing: float = 0.0, weight: ClassWeights | None = None) -> None:
        super().__init__(smoothing, weight)
        self.gamma = gamma

    def each(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(B,) losses of the rows."""
        log_chance = logits.log_softmax(dim=1)
        wrong = (-torch.expm1(log_chance)).clamp_min(_LEAST)
        of_class = -(wrong**self.gamma) * log_chance
        if self.weight is not None:
            of_class = of_class * self.weight
        own = (of_class * _one_hot(target, logits)).sum(dim=1)
        return (1 - self.smoothing) * own + self.smoothing * of_class.mean(dim=1)


class Ldam(CrossEntropy):
    """Label-distribution-aware margins: the rarer a class, the clearer its answers have to be.

    The true class's logit is lowered by C / n ** (1/4) before the cross-entropy (Cao, Wei, Gaidon, Arechiga, Ma,
    "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019, equations 12 and 13). The
    paper's code does so on cosines that it multiplies by 30; these logits are a plain layer's, so that chances, means
    of models and teams go on to mean the same, and the margin is in logits.

    Its deferred re-weighting (algorithm 1) is part of it: from a share of the epochs on the classes weigh what
    `late_weight` says. Margins alone push frequent classes as long as the classes can't be told apart, since each of
    their rows pulls with nearly its whole weight then.

    Args:
        counts: (C,) rows of each class.
        margin: the rarest class's, in logits; it fixes C.
        smoothing: see `CrossEntropy`.
        weight: see `CrossEntropy`.
        late_weight: (C,) of the classes from `late_from` on; None for the same all along.
        late_from: share of the epochs, 0 to 1.
    """

    margins: torch.Tensor
    late_weight: torch.Tensor | None

    def __init__(
        self,
        counts: NDArray[np.float64],
        margin: float,
        smoothing: float = 0.0,
        weight: ClassWeights | None = None,
        late_weight: ClassWeights | None = None,
        late_from: float = 1.0,
    ) -> None:
        super().__init__(smoothing, weight)
        # A class without a row is nobody's target: it must not take the largest margin away from the rarest that has.
        rarest = min((each for each in counts if each > 0), default=1.0)
        self.register_buffer("margins", _tensor(margin * (rarest / np.maximum(counts, rarest)) ** 0.25))
        self.register_buffer("late_weight", _tensor(late_weight))
        self.late_from = late_from
        self.late = False

    def set_epoch(self, share: float) -> None:
        """Turns the deferred weights on once that share of the epochs is done."""
        self.late = self.late_weight is not None and share >= self.late_from

    def each(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(B,) losses of the rows."""
        lowered = logits - self.margins * _one_hot(target, logits)
        return self.entropy(lowered, target, self.late_weight if self.late else self.weight)


class LogitAdjusted(CrossEntropy):
    """Logit-adjusted cross-entropy: what is frequent in training has to be answered the more clearly to count.

    tau * log(prior) is added to the logits within the loss alone (Menon, Jayasumana, Rawat, Jain, Veit, Kumar,
    "Long-Tail Learning via Logit Adjustment", ICLR 2021, equation 10), so that without it the network answers as though
    all classes were equally frequent, as macro scores want it.

    Args:
        counts: (C,) how often each class is learned from; a class that never is counts as the rarest of the others.
        tau: 1 as derived; 0 is cross-entropy.
        smoothing: see `CrossEntropy`.
        weight: see `CrossEntropy`.
    """

    offsets: torch.Tensor

    def __init__(
        self, counts: NDArray[np.float64], tau: float, smoothing: float = 0.0, weight: ClassWeights | None = None
    ) -> None:
        super().__init__(smoothing, weight)
        rarest = min((each for each in counts if each > 0), default=1.0)
        amounts = np.maximum(counts, rarest)
        self.register_buffer("offsets", _tensor(tau * np.log(amounts / amounts.sum())))

    def each(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(B,) losses of the rows."""
        return self.entropy(logits + self.offsets, target, self.weight)


class SoftF1(CrossEntropy):
    """1 - macro F1 over the batch, hits and misses counted by chances, and some cross-entropy.

    A class's soft F1 is 2 tp / (2 tp + fp + fn) with tp the sum of the chances its own rows give it, fp that of the
    others', fn what its own rows give to others (the counts of Benedict, Koops, Odijk, de Rijke, "sigmoidF1: A Smooth
    F1 Score Surrogate Loss for Multilabel Classification", TMLR 2022, here of a softmax). Its mean goes over the
    classes that the batch holds: of the others no answer could raise it. A batch has few rows of a class, and the slope
    is flat where a network is sure and wrong: the cross-entropy keeps it learning.

    Args:
        share: of 1 - F1 in the loss; the rest is cross-entropy.
        smoothing: of the cross-entropy, see `CrossEntropy`.
        weight: of the cross-entropy, see `CrossEntropy`.
    """

    def __init__(self, share: float, smoothing: float = 0.0, weight: ClassWeights | None = None) -> None:
        super().__init__(smoothing, weight)
        self.share = share

    def forward(self, logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The loss of a batch."""
        entropy = super().forward(logits, target, weights)
        return self.share * self.missed(logits, target, weights) + (1 - self.share) * entropy

    def missed(self, logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """1 - soft macro F1 of a batch, 0 to 1; 0 where no row counts."""
        known = target != MISSING
        rows = torch.where(known, weights, torch.zeros_like(weights))[:, None]
        rows = rows / rows.sum().clamp_min(_LEAST)
        chance = logits.softmax(dim=1)
        own = _one_hot(target, logits)
        hits = (rows * chance * own).sum(dim=0)
        support = (rows * own).sum(dim=0)
        # 2 tp + fp + fn is what the class was given, and what it should have been given.
        f1 = 2 * hits / ((rows * chance).sum(dim=0) + support).clamp_min(_LEAST)
        present = (support > 0).to(logits.dtype)
        return ((1 - f1).clamp_min(0) * present).sum() / present.sum().clamp_min(1)


def weighted_mean(each: torch.Tensor, weights: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """The mean of (B,) losses over the rows that are known, by their weights; 0 where none counts."""
    used = torch.where(known, weights, torch.zeros_like(weights))
    return (each * used).sum() / used.sum().clamp_min(_LEAST)


def _one_hot(target: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """(B, C) 1 at each row's class, 0 elsewhere; a missing label is class 0, for a weight of 0 to leave out."""
    return functional.one_hot(target.clamp_min(0), logits.shape[1]).to(logits.dtype)


def _tensor(values: NDArray[np.floating] | None) -> torch.Tensor | None:
    return None if values is None else torch.from_numpy(np.array(values, dtype=np.float32))
