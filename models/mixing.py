"""MixUp and CutMix for three questions: photos mixed with others of their batch, and what each label then counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from models.heads import HEADS
from models.targets import Targets

if TYPE_CHECKING:
    from models.settings import TrainSettings

LOWER_FACE: Final = (0.28, 0.42, 0.72, 0.80)
"""Where a model's square shows what tells how a mask is worn: left, top, right, bottom, as shares of its side.

In the competition's photos, and in variants framed like them, 384 wide and 512 high, the eyes sit at 0.43 of the height
and the chin at 0.68. Of the square cut from their middle that is 0.41 and 0.74: a mask, wherever it sits, and the nose
and mouth that it leaves bare, lie from just under the eyes to just under the chin, and no wider than the face, which is
about 1.2 times as wide as it is from eyes to chin. A square cut about a face, of twice its side, shows the brows at
0.25 and the chin at 0.75, so that the same zone holds. Shifts and turns of the augmentation don't change much of that.
"""

_SEED = 0x3A5E
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Mixed:
    """A batch as the network is to see it.

    Attributes:
        images: (B, 3, S, S), where nothing was mixed the very ones that came.
        targets: of the B photos.
        partner_targets: of the photo mixed into each; None where nothing was mixed.
        shares: (3,) float32, by how much mask, gender and age group are still the photo's own; the rest is its
            partner's.
    """

    images: torch.Tensor
    targets: Targets
    partner_targets: Targets | None
    shares: torch.Tensor


class Mixer:
    """Mixes each photo of a batch with another of it; the whole batch alike, as the papers' own code does.

    MixUp: x = lam * a + (1 - lam) * b (Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization",
    ICLR 2018, section 2). CutMix: a patch of b on a, of the share 1 - lam (Yun, Han, Oh, Chun, Choe, Yoo, "CutMix:
    Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019, equations 1 and 2). In
    both lam is drawn from Beta(alpha, alpha).

    How a mask is worn shows in the lower face alone: a patch on the hair changes nothing of it, and one on the mouth
    everything. So a patch counts for the mask by the share of `LOWER_FACE` that it covers, and for gender and age,
    which show all over, by the share of the picture.

    Args:
        settings: `mix`, `mix_alpha`, `mix_chance` and `seed`.
    """

    def __init__(self, settings: TrainSettings) -> None:
        self.kinds = {"none": (), "both": ("mixup", "cutmix")}.get(settings.mix, (settings.mix,))
        self.alpha = settings.mix_alpha
        self.chance = settings.mix_chance
        self.seed = settings.seed

    def mix(self, images: torch.Tensor, targets: Targets, epoch: int, step: int) -> Mixed:
        """Mixes a batch, or lets it be.

        Args:
            images: (B, 3, H, W), on any device, of any floating type; not changed.
            targets: of the B photos, on any device.
            epoch: with the step and the settings' seed it fixes all that is drawn, on every device.
            step: of the batch in its epoch.
        """
        rng = np.random.default_rng([self.seed, _SEED, epoch, step])
        if not self.kinds or len(images) < 2 or rng.random() >= self.chance:
            return Mixed(images, targets, None, torch.ones(len(HEADS)))
        kind = self.kinds[rng.integers(len(self.kinds))]
        own = float(rng.beta(self.alpha, self.alpha))
        partners = torch.from_numpy(rng.permutation(len(images)))
        others = images[partners.to(images.device)]
        if kind == "mixup":
            mixed, shares = torch.lerp(others, images, own), [own] * len(HEADS)
        else:
            box = _draw_box(images.shape[2], images.shape[3], own, rng)
            mixed, shares = _paste(images, others, box), shares_of(box, images.shape[2], images.shape[3])
        of_partners = targets.take(partners.to(targets.codes.device))
        return Mixed(mixed, targets, of_partners, torch.tensor(shares, dtype=torch.float32))


def shares_of(box: Box, height: int, width: int) -> list[float]:
    """By how much mask, gender and age group are still a photo's own, with another's patch on it.

    Args:
        box: of the patch: left, top, right, bottom, in pixels; the last two are beyond it.
        height: of the photo, pixels.
        width: likewise.
    """
    left, top, right, bottom = LOWER_FACE
    zone = (left * width, top * height, right * width, bottom * height)
    covered = _overlap(box, zone) / _overlap(zone, zone)
    area = _overlap(box, box) / (height * width)
    return [1 - covered, 1 - area, 1 - area]


def _draw_box(height: int, width: int, own: float, rng: np.random.Generator) -> Box:
    """A patch of the share 1 - `own` around a place drawn anywhere; what would lie beyond the picture is cut off."""
    side = float(np.sqrt(1 - own))
    across, down = rng.uniform(0, width), rng.uniform(0, height)
    left, right = (int(np.clip(round(across + way * side * width / 2), 0, width)) for way in (-1, 1))
    top, bottom = (int(np.clip(round(down + way * side * height / 2), 0, height)) for way in (-1, 1))
    return left, top, right, bottom


def _paste(images: torch.Tensor, others: torch.Tensor, box: Box) -> torch.Tensor:
    left, top, right, bottom = box
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = others[:, :, top:bottom, left:right]
    return mixed


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two boxes share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(down, 0.0)
