"""Learning gender from faces: the fit, its calibration and its thresholds, on people and on sources held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.labels import GENDERS
from models.calibration import Codes, FloatArray
from models.errors import SettingsError
from models.face_machine import check_faces, check_labelled
from models.gender_blend import GenderBlend, Heard, Judged, judge_network
from models.gender_calibration import calibrate, figures
from models.gender_model import GenderModel
from models.joining import PerPhoto, Pool, Taught
from models.machine_fit import check_enough, draw_photos, fit_machine, one_each
from models.self_training import Progress, train_on_answers


@dataclass(frozen=True, eq=False)
class GenderFit:
    """A model, and what is said of those it learned from by models that have not seen them.

    Attributes:
        model: learned from all of them.
        female: (N,) P(female) by a model that has not seen the photo's person, the blend where there is one; nan for
            photos not learned from.
        decided: (N,) bool, whether that reaches the threshold for somebody of this age.
        blend: of the model and a network; None where no network was given, or it made nothing better.
        network: what was measured of the network; see `models.gender_blend.judge_network`. None without one.
        joined: (M,) scores of the pool's photos that joined, by machines that have not learned from their person; nan
            for those that did not. None without a pool.
        self_training: what was measured of that; see `models.self_training.Round`. None without a pool.
    """

    model: GenderModel
    female: FloatArray
    decided: NDArray[np.bool_]
    blend: GenderBlend | None = None
    network: dict[str, Any] | None = None
    joined: FloatArray | None = None
    self_training: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class _Known(PerPhoto):
    """N photos of people whose gender is known: (N, D) numbers, and the rest (N,)."""

    vectors: FloatArray
    female: Codes
    people: NDArray[np.str_]
    ages: FloatArray
    sources: NDArray[np.str_]
    heard: FloatArray
    heard_foreign: NDArray[np.bool_]


def learn_gender(
    faces: NDArray[Any],
    genders: NDArray[Any],
    persons: NDArray[Any],
    seed: int = 0,
    *,
    precision: float = 0.97,
    ages: NDArray[Any] | None = None,
    sources: NDArray[Any] | None = None,
    network: Heard | None = None,
    pool: Pool | None = None,
    progress: Progress | None = None,
) -> GenderFit:
    """Learns gender from faces; calibrates it, and chooses when to abstain, on people it has not seen.

    Every photo is scored by a machine that has not seen its person, and where possible nothing of its source
    (`models.machine_fit.fit_machine`). One score a person, of a photo drawn by the seed, then fits the curve from a
    score to a probability, Platt's or an isotonic one (`models.gender_calibration.calibrate`), and the threshold: the
    lowest confidence at which the lower Wilson bound (one-sided 80 %) of the share of right decisions among the people
    above it reaches `precision`. Age bands with people enough have both of their own. Where no threshold does, the
    model abstains always. A face unlike all that were learned from has a confidence near a coin's, as the kernel fades.

    Args:
        faces: (N, D), of `FaceViews` or of `FaceEmbedder`.
        genders: (N,) `male` or `female`.
        persons: (N,) who is in each photo.
        seed: of the folds, the photo drawn per person, and those drawn when there are too many.
        precision: share of right decisions to reach among those made, 0.5 to below 1.
        ages: (N,) in years, nan where unknown; no age is known without.
        sources: (N,) where each photo is from; one source without.
        network: what networks say of the N photos; the blend of both is kept where it is better.
        pool: people without a gender, who join those learned from where they are decided on, if that is better on
            people of sources held out (`models.self_training.train_on_answers`). That is judged first, of the faces'
            numbers alone; a network is then judged beside what is kept.
        progress: of self-training, called as progress(steps done, steps to do).

    Returns:
        The model, and what is said of the photos. The model's `held_out` has `people`, `accuracy`, `calibration_error`
        (expected, ten bins of confidence), `brier`, `coverage` and `precision` (of the decisions made, None without
        any), `precision_wanted`, `calibration` (the kind of curve), `log_loss` (by the kinds of curves), and
        `other_sources`: the first six of each source held out whole, by its name. All are told by curves and machines
        that have not seen the person.

    Raises:
        TooFewLabelsError: fewer than ten people of one gender.
        EmbeddingError: the faces have another shape, or are not finite.
        SettingsError: the precision is out of its range, or the arrays' lengths differ.
    """
    if not 0.5 <= precision < 1:
        raise SettingsError(f"precision must be from 0.5 to below 1, not {precision}")
    whole = _checked(faces, genders, persons, ages, sources, network)
    if pool is not None:
        _check_pool(pool, whole.vectors.shape[1])
    return _learn(whole, seed, precision, network is not None, pool, progress)


def _learn(
    whole: _Known, seed: int, precision: float, asked: bool, pool: Pool | None, progress: Progress | None
) -> GenderFit:
    """The same of what was checked; `asked` is whether a network was given."""
    rng = np.random.default_rng(seed)
    kept = draw_photos(whole.people, whole.female, rng)
    known = whole.of(kept)
    fit = fit_machine(known.vectors, known.female, known.people, known.sources, seed)
    chosen = np.zeros(len(kept), dtype=bool)
    chosen[one_each(known.people, rng)] = True
    found = calibrate(fit.scores, known.female, known.people, known.ages, chosen, precision, seed)
    joined, trained = None, None
    if pool is not None:
        taught = Taught(known.vectors, known.female, known.people, known.ages, known.sources, chosen)
        fit, found, joined, trained = train_on_answers(taught, pool, fit, found, precision, seed, progress)
    model = GenderModel(fit.machine, found.calibration)
    decided = np.maximum(found.probability, 1 - found.probability) >= model.thresholds_for(known.ages)
    foreign = ~np.isnan(fit.foreign)
    model.held_out.update(_told(found.probability, decided, known, chosen, foreign))
    model.held_out.update(precision_wanted=precision, calibration=found.kind, log_loss=found.log_loss)
    probability, blend, told = found.probability, None, None
    if asked:
        heard = Heard(known.heard, known.heard_foreign)
        labels = (known.female, known.people, known.ages, known.sources)
        judged = judge_network(Judged(fit.scores, foreign, heard, *labels, chosen), found, precision, seed)
        probability, decided, blend, told = judged.probability, judged.decided, judged.blend, judged.told
    whole_female, whole_decided = np.full(len(whole.people), np.nan), np.zeros(len(whole.people), dtype=bool)
    whole_female[kept], whole_decided[kept] = probability, decided
    return GenderFit(model, whole_female, whole_decided, blend, told, joined, trained)


def _told(
    probability: FloatArray,
    decided: NDArray[np.bool_],
    known: _Known,
    chosen: NDArray[np.bool_],
    foreign: NDArray[np.bool_],
) -> dict[str, Any]:
    """`GenderModel.held_out`, of one photo a person."""
    others: dict[str, Any] = {}
    for name in np.unique(known.sources[chosen & foreign]):
        rows = chosen & (known.sources == name)
        others[str(name)] = figures(probability[rows], known.female[rows], decided[rows])
    return {**figures(probability[chosen], known.female[chosen], decided[chosen]), "other_sources": others}


def _check_pool(pool: Pool, length: int) -> None:
    check_faces(pool.vectors, length)
    if not len(pool.vectors) == len(pool.people) == len(pool.ages) == len(pool.sources):
        raise SettingsError(
            f"{len(pool.vectors)} embeddings, {len(pool.people)} persons, {len(pool.ages)} ages and "
            f"{len(pool.sources)} sources of people without a gender: give one each"
        )


def _checked(
    faces: NDArray[Any],
    genders: NDArray[Any],
    persons: NDArray[Any],
    ages: NDArray[Any] | None,
    sources: NDArray[Any] | None,
    network: Heard | None,
) -> _Known:
    vectors, female, people = check_labelled(faces, genders, persons, GENDERS, "genders")
    check_enough(female, people, GENDERS, "genders")
    nothing = np.full(len(people), np.nan)
    years = nothing if ages is None else np.asarray(ages, dtype=np.float64)
    origins = np.full(len(people), "") if sources is None else np.asarray(sources, dtype=str)
    heard = Heard(nothing, np.zeros(len(people), dtype=bool)) if network is None else network
    if not len(years) == len(origins) == len(heard.logits) == len(people):
        raise SettingsError(
            f"{len(people)} embeddings, {len(years)} ages, {len(origins)} sources and {len(heard.logits)} answers of a "
            "network: give one each"
        )
    return _Known(vectors, female, people, years, origins, *heard)
