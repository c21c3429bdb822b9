"""The loss of a network: of each of its answers, on the labels that are there, weighted by label, row and class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datasets.labels import AGE_GROUPS, GENDERS
from models.class_losses import CrossEntropy, Focal, Ldam, LogitAdjusted, SoftF1, weighted_mean
from models.class_weights import class_counts, class_weights, effective_weights
from models.heads import AGE, HEADS, MISSING, Layout
from models.targets import Targets
from models.years import scaled

if TYPE_CHECKING:
    from models.mixing import Mixed
    from models.settings import TrainSettings

_CLASSES = ("label", *HEADS)


def make_loss(
    layout: Layout, settings: TrainSettings, codes: NDArray[np.int64], amounts: NDArray[np.float64] | None = None
) -> LabelLoss:
    """The loss that the settings ask for.

    Args:
        layout: of the network.
        settings: `loss` and what shapes it, `label_smoothing` and `class_weight_power`.
        codes: (N, 3) of the training rows: what is rare.
        amounts: (N, 3), how much each label is learned from in an epoch: how likely its row is drawn, times what it
            counts. That is the prior to adjust for, which the sampler may have evened out already; rows alike by
            default. Effective numbers and margins go by the rows there are, however often each is drawn.
    """
    counts, learned = class_counts(codes), class_counts(codes, amounts)
    weights = class_weights(codes, settings.class_weight_power) if settings.class_weight_power else {}
    made = {name: _make(settings, counts[name], learned[name], weights.get(name)) for name in _CLASSES}
    return LabelLoss(layout, made)


def plain_loss(layout: Layout) -> LabelLoss:
    """Cross-entropy, nothing smoothed or weighted by class: what epochs and runs are compared by."""
    return LabelLoss(layout)


class LabelLoss(nn.Module):
    """The loss of a batch: of each answer a mean over the labels that are there, weighted; of several their sum.

    An age in years has a Huber loss, and borders between age groups binary cross-entropies, whatever the classes have.

    Args:
        layout: a single head learns from rows with all three labels only, each weighing what its least label does; a
            triple one from each label that is there.
        classes: the loss of each answer that is a choice of classes, by its name; cross-entropy where none is named.
    """

    def __init__(self, layout: Layout, classes: Mapping[str, CrossEntropy] | None = None) -> None:
        super().__init__()
        self.layout = layout
        given = classes or {}
        self.classes = nn.ModuleDict(
            {name: given.get(name, CrossEntropy()) for name in layout.pieces if name in _CLASSES}
        )

    def set_epoch(self, share: float) -> None:
        """To be called before each epoch with the share of the epochs that is done, 0 to 1."""
        for each in self.classes.values():
            assert isinstance(each, CrossEntropy)  # noqa: S101  a ModuleDict forgets the type
            each.set_epoch(share)

    def forward(self, logits: torch.Tensor, targets: Targets) -> torch.Tensor:
        """The loss of a batch, a float32 scalar; 0 where no row has a label to learn from.

        Args:
            logits: (B, `layout.n_outputs`), of any precision.
            targets: of the B rows.
        """
        return self._sum(logits, targets, torch.ones_like(targets.weights))

    def mixed(self, logits: torch.Tensor, mixed: Mixed) -> torch.Tensor:
        """The loss of a batch whose images were mixed with one another.

        Each label of a row counts by its share, and the partner's by the rest, within one mean; one that is missing
        doesn't count on its side. A single head takes the mean of the three shares.

        Args:
            logits: (B, `layout.n_outputs`), of the mixed images.
            mixed: what they were mixed of.
        """
        if mixed.partner_targets is None:
            return self.forward(logits, mixed.targets)
        own, other = mixed.targets, mixed.partner_targets
        shares = mixed.shares.to(own.weights).expand(len(own), -1)
        return self._sum(logits.repeat(2, 1), own.with_rows(other), torch.cat([shares, 1 - shares]))

    def _sum(self, logits: torch.Tensor, targets: Targets, shares: torch.Tensor) -> torch.Tensor:
        pieces = self.layout.split(logits.float())
        return torch.stack([self._of_piece(name, piece, targets, shares) for name, piece in pieces.items()]).sum()

    def _of_piece(self, name: str, piece: torch.Tensor, targets: Targets, shares: torch.Tensor) -> torch.Tensor:
        if name == "label":
            weights = targets.weights.amin(dim=1) * shares.mean(dim=1)
            of_label: torch.Tensor = self.classes[name](piece, whole_labels(targets.codes), weights)
            return of_label
        at = HEADS.index(AGE if name in ("years", "older") else name)
        weights = targets.weights[:, at] * shares[:, at]
        if name == "years":
            return _years(piece[:, 0], targets.years, weights)
        if name == "older":
            return _older(piece, targets.codes[:, at], weights)
        of_head: torch.Tensor = self.classes[name](piece, targets.codes[:, at], weights)
        return of_head


def whole_labels(codes: torch.Tensor) -> torch.Tensor:
    """(B, 3) codes to (B,) labels 0..17; -1 where any of the three is missing."""
    label = (codes[:, 0] * len(GENDERS) + codes[:, 1]) * len(AGE_GROUPS) + codes[:, 2]
    return torch.where((codes == MISSING).any(dim=1), MISSING, label)


def _make(
    settings: TrainSettings,
    counts: NDArray[np.float64],
    learned: NDArray[np.float64],
    weights: NDArray[np.float32] | None,
) -> CrossEntropy:
    """The loss of one question, of classes so frequent."""
    smoothing = settings.label_smoothing
    if settings.loss == "focal":
        return Focal(settings.focal_gamma, smoothing, weights)
    if settings.loss == "class_balanced":
        return CrossEntropy(smoothing, effective_weights(counts, settings.effective_beta))
    if settings.loss == "ldam":
        late = effective_weights(counts, settings.effective_beta) if settings.drw_from < 1 else None
        return Ldam(counts, settings.ldam_margin, smoothing, weights, late, settings.drw_from)
    if settings.loss == "logit_adjusted":
        return LogitAdjusted(learned, settings.adjust_tau, smoothing, weights)
    if settings.loss == "f1":
        return SoftF1(settings.f1_share, smoothing, weights)
    return CrossEntropy(smoothing, weights)


def _years(answers: torch.Tensor, years: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    known = ~years.isnan()
    wanted = scaled(years.nan_to_num())
    return weighted_mean(nn.functional.smooth_l1_loss(answers, wanted, reduction="none", beta=0.25), weights, known)


def _older(answers: torch.Tensor, group: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy for each border between age groups, which any age group answers for all borders."""
    steps = torch.arange(1, len(AGE_GROUPS), device=group.device)
    past = (group[:, None] >= steps).to(answers.dtype)
    each = nn.functional.binary_cross_entropy_with_logits(answers, past, reduction="none").sum(dim=1)
    return weighted_mean(each, weights, group != MISSING)
