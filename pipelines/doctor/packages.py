"""Checks of versions and names: Python, the packages of each extra, and the rooms' own import names."""

from __future__ import annotations

import importlib.util
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from pipelines.doctor.check import Check
from pipelines.doctor.installation import PROJECT, Installation

EXTRAS: Mapping[str, str] = {
    "pipelines": "needed by palette run, serve, report and demo",
    "train": "needed by palette train, predict and pseudo-label",
    "onnx": "needed only by palette export-model, and to use the files it writes",
    "ray": "needed only to mask on a Ray cluster",
}
ROOMS = ("synth", "datasets", "models", "pipelines")
SET_UP = "run make set-up in palette's folder"


def check_python(installation: Installation) -> list[Check]:
    """Compare this Python, and palette's own install, with what palette's metadata asks for."""
    version = platform.python_version()
    own = installation.version(PROJECT)
    if own is None:
        todo = "run make set-up, or in palette's folder: pip install --no-deps --no-build-isolation -e ."
        return [Check("python", "fail", f"Python {version}; palette itself is not installed in it", todo)]
    asked = installation.requires_python
    fits = Requirement(f"python{asked}").specifier.contains(version, prereleases=True)
    found = f"Python {version}, palette {own}"
    if fits:
        return [Check("python", "ok", found)]
    return [Check("python", "fail", f"{found}; Python {asked} is asked for", "make set-up PYTHON=/path/to/python3.11")]


def check_packages(installation: Installation) -> list[Check]:
    """Compare the installed versions with palette's ranges: the base install, then each extra."""
    base = _check_group(installation, None, "packages", "")
    return [base, *(_check_group(installation, extra, f"extra {extra}", why) for extra, why in EXTRAS.items())]


def _check_group(installation: Installation, extra: str | None, name: str, why: str) -> Check:
    wanted = installation.wanted(extra)
    missing = [item for item in wanted if installation.version(item.name) is None]
    outside = [item for item in wanted if item not in missing and not _fits(installation, item)]
    if not missing and not outside:
        return Check(name, "ok", _versions(installation, wanted) or "nothing asked for")
    parts = [f"missing: {', '.join(item.name for item in missing)}"] if missing else []
    parts += [f"{item.name} {installation.version(item.name)} where {item.specifier} is asked for" for item in outside]
    if why:
        parts.append(why)
    return Check(name, "fail" if extra is None else "warn", "; ".join(parts), _pip_line(missing + outside, extra))


def _fits(installation: Installation, item: Requirement) -> bool:
    return item.specifier.contains(installation.version(item.name) or "", prereleases=True)


def _versions(installation: Installation, wanted: Sequence[Requirement]) -> str:
    return ", ".join(f"{item.name} {installation.version(item.name)}" for item in wanted)


def _pip_line(requirements: Sequence[Requirement], extra: str | None) -> str:
    # face-recognition's metadata asks for dlib, which pip would compile: the base packages go in one by one.
    options = ["--no-deps"] if extra is None else []
    asked = [shlex.quote(f"{item.name}{item.specifier}") for item in requirements]
    return f"{SET_UP}, or: pip install {' '.join([*options, *asked])}"


def check_names(installation: Installation) -> list[Check]:
    """See that `import datasets`, and the other rooms' names, mean this project's packages.

    `datasets` is also the name of Hugging Face's package; any folder of such a name on the path can take its place.
    """
    here = Path(__file__).resolve().parents[2]
    taken = {room: place for room in ROOMS if (place := _place_of(room)) != here / room}
    other = installation.version("datasets")
    if taken:
        found = "; ".join(f"import {room} gives {place or 'nothing'}" for room, place in taken.items())
        if other and "datasets" in taken:
            return [Check("import names", "fail", f"{found} (package datasets {other})", "pip uninstall datasets")]
        todo = f"take that folder off PYTHONPATH, or {SET_UP}"
        return [Check("import names", "fail", f"{found}, not palette's", todo)]
    if other:
        found = f"palette's datasets is imported, but the package datasets {other} is installed too and may hide it"
        return [Check("import names", "warn", found, "pip uninstall datasets")]
    return [Check("import names", "ok", f"{', '.join(ROOMS)} are palette's own")]


def _place_of(room: str) -> Path | None:
    spec = importlib.util.find_spec(room)
    return Path(spec.origin).resolve().parent if spec and spec.origin else None
