"""`palette mask`: masked variants of a folder of photos, with a manifest of what each one is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.options import JsonOption, LicenceOption, WorkersOption
from pipelines.commands.plan import CapOption, CountsOption, LabelsOption, NameOption, TargetOption, goal_summary

if TYPE_CHECKING:
    from pipelines.mask_input import MaskInput
    from pipelines.masking import MaskOptions


def mask(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="Folder of photos, nested as you like, or a manifest.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the variants and their manifest.")],
    plan: Annotated[
        str,
        typer.Option(
            "--plan",
            "-p",
            help="Which variants a photo gets: competition, wear, all-styles, balance (most for the rarest classes), "
            "or a file: a TOML as docs/plan.toml, or what palette plan wrote.",
        ),
    ] = "competition",
    counts: CountsOption = None,
    target: TargetOption = "max",
    cap: CapOption = 20,
    wear: Annotated[
        list[str] | None,
        typer.Option(
            "--wear", "-w", help="Wear styles in place of the plan's: nose_out or nose_out:2,chin; repeatable."
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--types", "-t", help="Mask types to draw from: kf94,surgical; repeatable. All when not given."),
    ] = None,
    templates: Annotated[
        Path | None, typer.Option("--templates", help="Folder of your own masks: name.png with name.toml beside it.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Reframe to the competition's framing, e.g. 384x512.")
    ] = None,
    faces: Annotated[
        str, typer.Option("--faces", help="Of several faces: auto (the one that stands out), largest, all, refuse.")
    ] = "auto",
    tilt: Annotated[
        float,
        typer.Option(
            "--tilt",
            metavar="DEGREES",
            help="Raise or lower heads by up to so much, 0 to 20, bare ones too, each by another.",
        ),
    ] = 0.0,
    turn: Annotated[
        float,
        typer.Option(
            "--turn", metavar="DEGREES", help="Turn heads to either side by up to so much, 0 to 20, bare ones too."
        ),
    ] = 0.0,
    find_budget: Annotated[
        float | None,
        typer.Option(
            "--find-budget",
            metavar="MS",
            help="For finding a photo's faces, nominal milliseconds.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR", help="Keeps faces found for other runs. [default: OUT/.palette]"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, photos and options: same bytes.")] = 0,
    workers: WorkersOption = 0,
    backend: Annotated[str, typer.Option("--backend", help="Where the workers are: processes, or ray.")] = "processes",
    quality: Annotated[int, typer.Option("--quality", help="Of the JPEGs, 1 to 100.")] = 92,
    labels: LabelsOption = None,
    licence: LicenceOption = None,
    name: NameOption = None,
    resume: Annotated[
        bool, typer.Option("--resume/--overwrite", help="Go on where a run was, or replace what it made.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; open and write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put masks on the faces of a folder of photos, in every way people wear them.

    \b
    A plan of your own is a TOML file with a table for each kind of variant:
        \\[\\[variants]]
        wear = {nose_out = 3, chin = 2}   # a style, a list, or styles and weights
        count = 2                         # 1 when left out
        types = \\["kf94", "surgical"]      # all when left out
    """
    from pipelines.balancing import BalanceOptions, require_variants
    from pipelines.mask_input import photos_at
    from pipelines.masking import MaskOptions, mask_photos, with_plan
    from pipelines.progress import progress_bar
    from pipelines.summary import show_summary

    frame = _size(size)
    balance = BalanceOptions(tuple(counts or ()), target, cap)
    options = MaskOptions(
        *(plan, _split(wear), _split(types), frame, seed, workers, quality),
        resume=resume,
        faces=faces,
        backend=backend,
        templates=templates,
        balance=balance,
        find_budget=find_budget,
        cache=cache,
        tilt=tilt,
        turn=turn,
    )
    options.settings()
    _check_apart(photos, out)
    given = with_plan(photos_at(photos, labels, licence, name), options)
    require_variants(given)
    if dry_run:
        show_summary("Would mask", _plan_summary(given, options, as_json), as_json=as_json)
        return
    with progress_bar("masking") as progress:
        made = mask_photos(given, out, options, progress)
    summary = {
        "photos": made.photos,
        "masked_photos": made.masked_photos,
        "variants": made.variants,
        "finished_before": made.reused,
        "manifest": made.manifest,
        "preview": out / "preview.jpg",
        "wear_styles": made.by_wear_style,
        "refusals": made.refusals_by_reason,
    }
    if made.planned is not None:
        summary |= {"planned": made.planned, "not_needed": given.not_needed, "still_short": made.short}
    show_summary("Masked", summary, as_json=as_json)
    if not made.variants:
        _fail_without_variants(out)


def _split(given: list[str] | None) -> tuple[str, ...]:
    return tuple(part.strip() for text in given or [] for part in text.split(",") if part.strip())


def _size(text: str | None) -> tuple[int, int] | None:
    from synth.framing import Size

    if text is None:
        return None
    size = Size.parse(text)
    return size.width, size.height


def _check_apart(photos: Path, out: Path) -> None:
    """Variants among the photos would be masked again by the next run, and a manifest of others' would be lost."""
    from pipelines.errors import SettingsError
    from pipelines.variant_files import holds_other_manifest

    if out.resolve().is_relative_to(photos.resolve()):
        raise SettingsError(f"{out} lies inside {photos}: choose a folder outside the photos for the variants")
    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out} is a file: expected a folder for the variants")
    if holds_other_manifest(out):
        raise SettingsError(f"{out} holds a manifest that no run of masking wrote: choose another folder")


def _plan_summary(given: MaskInput, options: MaskOptions, as_json: bool) -> dict[str, object]:
    from synth.plans import Plan

    plan = options.chosen_plan()
    if not isinstance(plan, Plan):
        return goal_summary(given, as_json)
    slots = {f"{' or '.join(slot.wear)}": slot.count for slot in plan.slots}
    return {
        "photos": len(given.tasks),
        "variants_at_most": len(given.tasks) * plan.per_photo,
        "plan": plan.name,
        "per_photo": slots,
        "refusals": dict(given.refused["reason"].value_counts()),
    }


def _fail_without_variants(out: Path) -> None:
    from pipelines.errors import PipelinesError

    raise PipelinesError(f"no photo could be masked; {out / 'refusals.csv'} says why of each")
