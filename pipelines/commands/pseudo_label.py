"""`palette pseudo-label`: genders for photos that lack one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption, PhotosOption, WorkersOption


def pseudo_label(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests, or their folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; each manifest goes to a folder of its own in it.")],
    precision: Annotated[float, typer.Option(min=0.5, max=1.0, help="Share of filled genders that must be right.")] = (
        0.97
    ),
    learn_from: Annotated[int, typer.Option(min=20, help="At most so many labelled photos to learn from.")] = 3000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    ages: Annotated[
        bool, typer.Option("--ages", help="Fill in missing age groups too, as far as faces tell them that surely.")
    ] = False,
    self_train: Annotated[
        bool,
        typer.Option(
            "--self-train",
            help="Whoever is decided on joins those it learns from, once: kept only where that is better on people of "
            "a source held out.",
        ),
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="A timm model, such as resnet18, to learn gender as well: minutes to hours. What it says counts only "
            "where it and the embedding together are better on people held out."
        ),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="A file the backbone starts from.")] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="The backbone starts from timm's published weights (needs its hub).")
    ] = False,
    image_size: Annotated[int, typer.Option(min=16, max=2048, help="Side that the backbone sees, pixels.")] = 96,
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help="Of the backbone's training.")] = 30,
    photos: PhotosOption = "auto",
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fill in missing genders, learned from the photos of all these manifests that have one.

    Where the model isn't sure enough the gender stays missing. Beside the new manifests lie a figure of how far its
    confidences can be believed, tables of all it said, and sheets of the least sure answers and of the given genders
    that it contradicts most surely.

    With --ages missing age groups are filled in by the same means; on people of other sources than those learned from
    somewhat fewer are right than are asked for.

    With --self-train the people who are decided on at that precision join those with a gender, and the model is fitted
    once more. Each source that can be is held out to judge that by; with one source alone nothing is changed.

    With --backbone networks are trained on the faces as well, each without some of the people, or without a whole
    source; a run that is killed goes on where it was. Self-training is judged first, the network beside what it left.
    """
    from pipelines.errors import SettingsError
    from pipelines.executors import worker_count
    from pipelines.progress import progress_bar
    from pipelines.pseudo_labels import PseudoLabelOptions, pseudo_label_stage
    from pipelines.rewriting import name_manifests
    from pipelines.summary import show_summary

    if backbone is None and (weights is not None or pretrained):
        raise SettingsError("weights and pretrained are of a backbone: name one with --backbone")
    network = None
    if backbone is not None:
        from models.gender_network import NetworkOptions  # only now: torch takes seconds

        network = NetworkOptions(backbone, weights, pretrained, image_size, epochs)
    options = PseudoLabelOptions(precision, learn_from, seed, worker_count(workers), photos, network, ages, self_train)
    result = pseudo_label_stage(name_manifests(manifests), out, options, bars=progress_bar)
    told = {"manifests": result.manifests, **result.report, "sheets": result.sheets}
    show_summary("Pseudo-labels", told, as_json=as_json)
