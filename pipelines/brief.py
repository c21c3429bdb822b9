"""The short form of a flow's result: what a person wants to see on the screen; JSON has all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def brief_training(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the checkpoint is and how good it is on the fold that was held out.

    Args:
        result: What `train_stage` returns, or the flow run that training was handed to.
    """
    metrics = result.get("metrics")
    if metrics is None:
        return dict(result)
    if "folds" in metrics:
        return _brief_folds(result)
    scores = metrics["scores"][metrics["headline"]]
    return {
        "checkpoint": result["checkpoint"],
        "reused": result["reused"],
        "device": metrics["device"],
        "seconds": metrics["seconds"],
        "rows_trained_on": metrics["data"]["rows"]["train"],
        "best_epoch": metrics["best_epoch"],
        **_scored(metrics),
        **({"macro_f1_of_classes_present": scores["macro_f1_present"]} if scores["rows"] else {}),
        "macro_f1_by_head": _by_head(scores),
    }


def _scored(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What a model is compared by: the 18 classes, or the mean of its heads where it answers only some."""
    scores = metrics["scores"][metrics["headline"]]
    if not scores["rows"]:
        photos = max(each["rows"] for each in scores["heads"].values())
        return {"held_out_photos": photos, "macro_f1_of_its_heads": metrics["macro_f1"]}
    return {
        "held_out_photos": scores["rows"],
        "macro_f1_of_18_classes": metrics["macro_f1"],
        "accuracy": metrics["accuracy"],
    }


def _by_head(scores: Mapping[str, Any]) -> dict[str, float]:
    """Of each head that is answered."""
    return {name: each["macro_f1_present"] for name, each in scores["heads"].items() if each["rows"]}


def _brief_folds(result: Mapping[str, Any]) -> dict[str, Any]:
    """How good a model of each fold is on the people of that fold."""
    metrics = result["metrics"]
    scores, spread = metrics["scores"][metrics["headline"]], metrics["spread"]["macro_f1"]
    cutoffs = metrics["cutoffs"]
    return {
        "team": result["checkpoint"],
        "reused": result["reused"],
        "device": metrics["device"],
        "seconds": metrics["seconds"],
        **_scored(metrics),
        "macro_f1_of_a_fold": f"{spread['mean']:.4f} on average, {spread['min']:.4f} to {spread['max']:.4f}",
        "macro_f1_with_cut_offs": cutoffs["nested"][cutoffs["kept"]] if cutoffs["kept"] else None,
        "macro_f1_by_head": _by_head(scores),
        "macro_f1_by_fold": {f"fold {name}": each["macro_f1"] for name, each in metrics["folds"].items()},
    }


def brief_synthesis(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the main figures of what `synth-flow` returns."""
    merged, labels = result["merge"], result["pseudo_label"]
    training, ages, copies = result.get("training"), result.get("check_ages"), result.get("duplicates")
    return {
        "manifest": result["manifest"],
        "report": result["report"],
        "reused": result["reused"],
        "photos": merged["photos"],
        "variants": merged["variants"],
        "persons": merged["persons"],
        "genders_missing": labels["people_missing"],
        "genders_filled": labels["people_filled"],
        **({"doubtful_ages": ages["doubtful"]} if ages else {}),
        **({"duplicates": copies["pairs"]} if copies else {}),
        "photos_by_source": merged["source"],
        "variants_by_wear_style": added_up(each["by_wear_style"] for each in result["mask"].values()),
        "photos_by_class": merged["label"],
        "refusals": merged["refusals"],
        "excluded_by_the_rules": merged["excluded"],
        "licences_in_dispute": merged["licences_in_dispute"],
        **({"training": brief_training(training)} if training else {}),
    }


def added_up(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of several counts, by name."""
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return dict(sorted(total.items()))


def brief(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the short form of whichever flow's result this is."""
    return brief_synthesis(result) if "merge" in result else brief_training(result)
