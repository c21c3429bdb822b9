"""A timm network that learns gender from faces cut out alike, by `models.train`, and is asked whom it hasn't seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.labels import GENDERS
from models.errors import TooFewLabelsError
from models.gender_blend import NetworkAnswers
from models.machine_fit import MIN_PEOPLE, enough, sources_to_hold_out
from models.settings import Device, TrainSettings

if TYPE_CHECKING:
    from models.inference import Progress

FOLDS: Final = 5
"""Networks that are taught, if no source can be held out whole; each lacks a fifth of the people."""

_SMALLEST: Final = 1e-6
"""A chance no nearer to 0 or 1 than this counts: its log-odds would outweigh all else."""


@dataclass(frozen=True)
class NetworkOptions:
    """Which network learns gender, and how.

    Attributes:
        backbone: A timm model's name, such as resnet18.
        weights: Start from a local file, safetensors or a torch state dict.
        pretrained: Start from timm's published weights, which needs its hub.
        image_size: Side of the square it sees, in pixels.
        epochs: Passes over the faces.
        device: auto takes a GPU when there is one.
    """

    backbone: str
    weights: Path | None = None
    pretrained: bool = False
    image_size: int = 96
    epochs: int = 30
    device: Device = "auto"

    def check(self) -> None:
        """Builds it once, so that what is wrong shows before faces are embedded for minutes.

        Raises:
            ModelsError: there is no such model, or its weights are missing or don't fit.
        """
        from models.classifier import build_classifier

        asked = self.settings(0, 0)
        build_classifier(
            asked.model, asked.layout, asked.image_size, pretrained=asked.pretrained, weights=asked.weights
        )

    def settings(self, seed: int, workers: int) -> TrainSettings:
        """How `models.train` is to train it; checked.

        Raises:
            SettingsError: one of them is out of its range, or weights and pretrained are both given.
        """
        fresh = self.weights is None and not self.pretrained
        return TrainSettings(
            model=self.backbone,
            head="triple",
            parts="gender",
            weights=self.weights,
            pretrained=self.pretrained,
            image_size=self.image_size,
            epochs=self.epochs,
            device=self.device,
            seed=seed,
            workers=workers,
            # Weights from elsewhere are to be moved a little only.
            learning_rate=4e-3 if fresh else 3e-4,
            warmup_epochs=min(2.0, self.epochs / 5),
            ema=0.995,
            balance=1.0,
            # The best epoch would be the best by the very people who are to judge.
            keep="last",
        )


def deal(rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, frozenset[str]]:
    """Folds for the photos that are learned from: nobody is in two, and sources that can be are held out whole.

    A source is held out as for the embedding (`models.machine_fit.sources_to_hold_out`); the people of the others are
    dealt into as many of five folds as their share of all people.

    Args:
        rows: of a manifest, with a gender each.
        seed: of the dealing.

    Returns:
        The rows with their `fold`, and the sources held out whole. Photos that someone of a source held out has in
        another such source are left out: a network that is to know neither would learn from them.

    Raises:
        TooFewLabelsError: fewer than ten people of one gender.
    """
    from datasets.folds import assign_folds

    female, people = _codes(rows), rows["person_id"].to_numpy(dtype=str)
    if not enough(female, people):
        raise TooFewLabelsError(
            f"teaching a network gender takes {MIN_PEOPLE} people of each whose face is found: add a source that has "
            "genders"
        )
    names = sources_to_hold_out(female, people, rows["source"].to_numpy(dtype=str))
    place = {name: at for at, name in enumerate(names)}
    home = rows["source"].map(place).groupby(rows["person_id"]).transform("min")
    kept = home.isna() | rows["source"].map(place).isna() | rows["source"].map(place).eq(home)
    rest = rows[kept & home.isna()]
    share = rest["person_id"].nunique() / max(rows["person_id"].nunique(), 1)
    count = max(round(FOLDS * share), 1)
    folds = home.copy()
    dealt = assign_folds(rest, n_folds=count, seed=seed) if count > 1 else pd.Series(0, index=rest.index)
    folds.loc[rest.index] = dealt.astype("float64") + len(names)
    return rows[kept].assign(fold=folds[kept].astype("Int64")), frozenset(names)


def teach(manifest: Path, out: Path, settings: TrainSettings, progress: Progress | None = None) -> dict[int, Path]:
    """Trains a network for each fold on the others; a run that was killed goes on where it was.

    Args:
        manifest: of faces cut out, with genders and folds.
        out: folder of the networks.
        settings: of each.
        progress: called as progress(rows drawn, rows to draw), of all folds together.

    Returns:
        The checkpoint of the network that has not seen a fold, by fold.

    Raises:
        ModelsError: as `models.cross_validation.train_folds`.
    """
    from models.cross_validation import train_folds
    from models.train import CHECKPOINT

    made = train_folds(manifest, out, settings, progress)
    return {int(fold): out / f"fold-{fold}" / CHECKPOINT for fold in made.metrics["folds"]}


def ask_all(
    checkpoints: Mapping[int, Path],
    rows: pd.DataFrame,
    root: Path,
    foreign: frozenset[str],
    settings: TrainSettings,
    progress: Progress | None = None,
) -> NetworkAnswers:
    """What the networks say of photos, each as it is and mirrored.

    Args:
        checkpoints: of `teach`.
        rows: of a manifest of faces cut out; those with a fold are told by its network, the others by the mean of all.
        root: the manifest's folder.
        foreign: sources that are folds of their own.
        settings: where and how to read.
        progress: called as progress(photos done, photos to do), of those without a fold.
    """
    held_out: dict[str, float] = {}
    for fold, checkpoint in checkpoints.items():
        own = rows[rows["fold"].eq(fold).fillna(False).astype(bool)]
        held_out |= _ask([checkpoint], own, root, settings, None)
    asked = _ask(list(checkpoints.values()), rows[rows["fold"].isna()], root, settings, progress)
    return NetworkAnswers(held_out, foreign, asked)


def _ask(
    checkpoints: list[Path], rows: pd.DataFrame, root: Path, settings: TrainSettings, progress: Progress | None
) -> dict[str, float]:
    """Log-odds of female by photo id; photos that can't be read are not in it."""
    from models.data import Examples
    from models.team import Team, member_of

    if rows.empty:
        return {}
    count = len(rows)
    examples = Examples(
        paths=tuple(root / path for path in rows["path"]),
        photo_ids=tuple(rows["photo_id"]),
        codes=np.full((count, 3), -1, dtype=np.int64),
        years=np.full(count, np.nan, dtype=np.float32),
        weights=np.zeros((count, 3), dtype=np.float32),
        sources=tuple(rows["source"]),
        synthetic=np.zeros(count, dtype=bool),
    )
    team = Team(tuple(member_of(each, "gender") for each in checkpoints))
    said = team.answer(
        examples, device=settings.device, workers=settings.workers, tta="flip", stage="gender", progress=progress
    )
    female = np.clip(said.chances.heads["gender"][:, 1].astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    odds = np.log(female / (1 - female))
    return {examples.photo_ids[row]: float(each) for row, each in zip(said.index, odds, strict=True)}


def _codes(rows: pd.DataFrame) -> NDArray[np.int64]:
    return np.asarray(rows["gender"].eq(GENDERS[1]), dtype=np.int64)
