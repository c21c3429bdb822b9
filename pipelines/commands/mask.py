"""`palette mask`: masked variants of a folder of photos, with a manifest of what each one is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.options import JsonOption, LicenceOption, WorkersOption

if TYPE_CHECKING:
    from pipelines.masking import MaskInput, MaskOptions


def mask(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="Folder of photos, nested as you like, or a manifest.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the variants and their manifest.")],
    plan: Annotated[
        str, typer.Option("--plan", "-p", help="Which variants a photo gets: competition, wear, all-styles or a TOML.")
    ] = "competition",
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
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Reframe to the competition's framing, e.g. 384x512.")
    ] = None,
    faces: Annotated[
        str, typer.Option("--faces", help="Of several faces: auto (the one that stands out), largest, all, refuse.")
    ] = "auto",
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
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="CSV of labels: file_name and any of mask, gender, age, age_group, person_id."),
    ] = None,
    licence: LicenceOption = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the source, to tell folders apart in a merge. [default: folder]")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--overwrite", help="Go on where a run was, or replace what it made.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; open and write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put masks on the faces of a folder of photos, in every way people wear them."""
    from pipelines.masking import MaskOptions, mask_photos
    from pipelines.progress import progress_bar
    from pipelines.summary import show_summary

    frame = _size(size)
    options = MaskOptions(
        plan,
        _split(wear),
        _split(types),
        frame,
        seed,
        workers,
        quality,
        resume=resume,
        faces=faces,
        backend=backend,
        find_budget=find_budget,
        cache=cache,
    )
    options.settings()
    _check_apart(photos, out)
    given = _photos(photos, labels, licence, name)
    if dry_run:
        show_summary("Would mask", _plan_summary(given, options), as_json=as_json)
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


def _photos(photos: Path, labels: Path | None, licence: str | None, name: str | None) -> MaskInput:
    """Of a folder; or of a manifest, whose labels would be lost if its folder were taken for one of photos alone."""
    from datasets.manifest import MANIFEST, manifest_file
    from pipelines.errors import SettingsError
    from pipelines.masking import photos_of_folder, photos_of_manifest

    if manifest_file(photos).name != MANIFEST or not manifest_file(photos).is_file():
        return photos_of_folder(photos, labels, licence, name)
    if labels or licence or name:
        raise SettingsError(f"{photos} is a manifest, with labels of its own: leave out --labels, --licence and --name")
    return photos_of_manifest(photos)


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


def _plan_summary(given: MaskInput, options: MaskOptions) -> dict[str, object]:
    plan = options.chosen_plan()
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
