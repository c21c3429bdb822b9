"""`palette ensemble`: runs on the same folds made into one team, without touching a photo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from models.cutoffs import Chosen
    from models.ensembles import Choice, Ensemble
    from models.oof import OutOfFold
    from models.team import Team

METRICS = "metrics.json"


@dataclass(frozen=True)
class EnsembleResult:
    """What an ensemble came to.

    Attributes:
        team: Path of `team.json`.
        shares: What each run counts, by name; None where the ensemble isn't a weighted mean.
        figures: `members` and `ensembles` (macro F1, log loss and heads of each, out of fold), `chosen`, `cutoffs`,
            `headline`, `macro_f1`, `accuracy` and `scores` of the team, as in `metrics.json`.
    """

    team: Path
    shares: dict[str, float] | None
    figures: dict[str, Any]


def ensemble_stage(runs: Sequence[Path], out: Path, *, how: Choice = "auto", cutoffs: bool = True) -> EnsembleResult:
    """Make a team of several runs: its `team.json`, its own out-of-fold table, `metrics.json` and confusions.

    Args:
        runs: Folders that `palette train --folds` wrote, of the same manifest and folds.
        out: The team's folder; not one of the runs.
        how: How to make it; auto takes what is best on folds that it was not fitted on.
        cutoffs: Fit cut-offs too, and keep them if they are a gain.

    Raises:
        SettingsError: A run is named twice, or is the team's folder, or is itself made of several runs.
        ModelsError: A run is broken, its table is missing, or the runs are of other photos.
    """
    from models.blending import Blend
    from models.cutoffs import choose_cutoffs
    from models.ensembles import make_ensemble
    from models.oof import aligned, read_oof, write_oof
    from models.team import TEAM, Team, write_team

    named = _named(runs, out)
    teams = {name: _team_of(name, run) for name, run in named.items()}
    made = make_ensemble(aligned({name: read_oof(run) for name, run in named.items()}), how)
    chosen = choose_cutoffs(made.chosen.table) if cutoffs else None
    factors = chosen.cutoffs.factors if chosen is not None and chosen.cutoffs is not None else None
    blend: Blend = replace(made.chosen.blend, cutoffs=factors)
    counted = set(blend.needed(named))
    shares = None if blend.weights is None else dict(blend.weights)
    if shares is not None:
        blend = replace(blend, weights={name: share for name, share in shares.items() if name in counted})
    members = [
        replace(member, group=name) for name, team in teams.items() if name in counted for member in team.members
    ]
    figures = _figures(made, chosen, made.chosen.table) | {"shares": shares}
    (out / TEAM).unlink(missing_ok=True)
    write_oof(made.chosen.table, out)
    _write(figures, made.chosen.table, out)
    return EnsembleResult(write_team(out, Team(tuple(members), blend)), shares, figures)


def _named(runs: Sequence[Path], out: Path) -> dict[str, Path]:
    """The runs by a name of their own: their folder's, with as many of its parents as it takes to tell them apart."""
    places = [run.parent.resolve() if run.is_file() else run.resolve() for run in runs]
    twice = [str(run) for at, run in enumerate(runs) if places[at] in places[:at]]
    if twice:
        raise SettingsError(f"{twice[0]} is named twice: name each run once")
    if out.resolve() in places:
        raise SettingsError(f"{out} is one of the runs: name another folder for the team")
    for depth in range(1, max((len(place.parts) for place in places), default=1) + 1):
        names = ["/".join(place.parts[-depth:]) for place in places]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, places, strict=True)) if places else {}


def _team_of(name: str, run: Path) -> Team:
    from models.oof import OOF
    from models.team import open_run

    team = open_run(run)
    if len(team.groups) > 1:
        raise SettingsError(f"{name} is itself made of the runs {', '.join(team.groups)}: name those instead")
    if not (run / OOF).is_file():
        raise SettingsError(
            f"{name} has no {OOF}, what its models say of people they haven't seen: train it with --folds all"
        )
    return team


def _figures(made: Ensemble, chosen: Chosen | None, table: OutOfFold) -> dict[str, Any]:
    from models.scoring import score

    scores = {}
    for kind, synthetic in (("real", False), ("synthetic", True)):
        rows = table.synthetic == synthetic
        scores[kind] = score(table.truth[rows], table.chances.codes()[rows]) if rows.any() else None
    headline = scores[table.headline]
    assert headline is not None  # noqa: S101  the headline is the kind that has rows
    return {
        **made.to_dict(),
        "cutoffs": None if chosen is None else chosen.to_dict(),
        "headline": table.headline,
        "macro_f1": headline.macro_f1,
        "accuracy": headline.label.accuracy,
        "scores": {kind: None if each is None else each.to_dict() for kind, each in scores.items()},
    }


def _write(figures: dict[str, Any], table: OutOfFold, out: Path) -> None:
    from datasets.atomic import atomic_write
    from models.plots import plot_head_confusions, plot_label_confusion
    from models.scoring import score

    judged = table.of_headline()
    scores = score(judged.truth, judged.chances.codes())
    plot_label_confusion(scores, out / "confusion.png", "Ensemble, out of fold")
    plot_head_confusions(scores, out / "confusion_heads.png", "Ensemble, out of fold")
    with atomic_write(out / METRICS) as temporary:
        temporary.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
