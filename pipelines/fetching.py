"""Fetching a dataset from where its owner publishes it: with Kaggle's own client, or told how to do it by hand."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import MissingInputError, PipelinesError, SettingsError

if TYPE_CHECKING:
    from datasets.readers import ReaderInfo

CLIENT = "kaggle"
_STDERR = 2  # the descriptor: what stands for it in a notebook has none
_PAGES = "https://www.kaggle.com/datasets"
_TOKENS = ("kaggle.json", "access_token")
"""Files in which Kaggle's client looks for who is calling; only whether one is there is looked at here."""


@dataclass(frozen=True)
class Download:
    """One archive to fetch.

    Attributes:
        name: What it is, such as `medical-masks part 4`.
        names: What it may be called on Kaggle, the likeliest first.
        target: The file it becomes.
    """

    name: str
    names: tuple[str, ...]
    target: Path

    @property
    def pages(self) -> tuple[str, ...]:
        """Where it can be seen in a browser."""
        return tuple(f"{_PAGES}/{name}" for name in self.names)


def plan_downloads(info: ReaderInfo, parts: Sequence[int], folder: Path) -> list[Download]:
    """Return what has to be fetched of a source; nothing where it isn't on Kaggle.

    Args:
        info: The source.
        parts: Numbers of the parts wanted.
        folder: Where the archives go.

    Raises:
        SettingsError: The source has no such part, or comes in parts and none is named.
    """
    if not info.kaggle:
        if parts:
            raise SettingsError(f"{info.name} doesn't come in parts: leave out --part")
        return []
    known = ", ".join(map(str, info.kaggle))
    unknown = sorted(set(parts) - set(info.kaggle))
    if unknown or not parts:
        what = f"no part {', '.join(map(str, unknown))}" if unknown else "several parts"
        raise SettingsError(
            f"{info.name} has {what}: name some of {known} with --part, such as --part {next(iter(info.kaggle))}"
        )
    return [
        Download(f"{info.name} part {part}", info.kaggle[part], folder / f"{info.name}-p{part}.zip")
        for part in sorted(set(parts))
    ]


def find_client(environment: Mapping[str, str]) -> str | None:
    """Return the program of Kaggle's client: on the path, or beside this Python; None where it isn't installed."""
    beside = Path(sys.executable).with_name(CLIENT)
    return shutil.which(CLIENT, path=environment.get("PATH")) or (str(beside) if beside.is_file() else None)


def has_credentials(environment: Mapping[str, str], home: Path) -> bool:
    """Say whether Kaggle's client would find credentials where its documentation says it looks for them."""
    if environment.get("KAGGLE_API_TOKEN") or (environment.get("KAGGLE_USERNAME") and environment.get("KAGGLE_KEY")):
        return True
    own = environment.get("KAGGLE_CONFIG_DIR")
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    folders = [Path(own)] if own else [home / ".kaggle", config / "kaggle"]
    return any((folder / token).is_file() for folder in folders for token in _TOKENS)


def hindrance(environment: Mapping[str, str], home: Path) -> str:
    """Return why nothing can be fetched here without the user's hands; empty where it can."""
    if find_client(environment) is None:
        return "Kaggle's own client isn't installed (pip install kaggle)"
    if not has_credentials(environment, home):
        return (
            "Kaggle's client has no credentials: make an API token on your account's page at Kaggle and put its "
            "kaggle.json into ~/.kaggle, or set KAGGLE_USERNAME and KAGGLE_KEY"
        )
    return ""


def client_command(client: str, name: str, folder: Path) -> list[str]:
    """Return the call of Kaggle's client that downloads a dataset's archive into a folder."""
    return [client, "datasets", "download", name, "--path", str(folder)]


def fetch(download: Download, environment: Mapping[str, str]) -> Path:
    """Download one archive with Kaggle's client, unless it is there; a download that broke off goes on.

    It gets its name only when it is whole. The client's own messages and progress go to stderr.

    Args:
        download: From `plan_downloads`.
        environment: Of the client.

    Returns:
        The archive.

    Raises:
        MissingInputError: The client isn't installed.
        PipelinesError: The client fails, or what it brings is no archive.
    """
    if download.target.is_file():
        return download.target
    client = find_client(environment)
    if client is None:
        raise MissingInputError(hindrance(environment, Path.home()))
    work = download.target.with_name(f".{download.target.stem}.fetching")
    codes = []
    for name in download.names:
        work.mkdir(parents=True, exist_ok=True)
        command = client_command(client, name, work)
        done = subprocess.run(command, stdout=_STDERR, env=dict(environment), check=False)  # noqa: S603 - no shell
        if done.returncode == 0:
            return _take(download, work / f"{name.rpartition('/')[2]}.zip", work)
        codes.append(f"{name}: exit code {done.returncode}")
    raise PipelinesError(
        f"Kaggle's client could not fetch {download.name} ({'; '.join(codes)}): its own message is above; "
        f"by hand: {download.pages[0]}"
    )


def _take(download: Download, brought: Path, work: Path) -> Path:
    if not zipfile.is_zipfile(brought):
        brought.unlink(missing_ok=True)  # or the client would take it for done the next time
        raise PipelinesError(f"Kaggle's client brought no whole archive {brought.name}: fetch it again")
    brought.replace(download.target)
    shutil.rmtree(work, ignore_errors=True)
    return download.target


def by_hand(info: ReaderInfo, downloads: Sequence[Download], folder: Path) -> str:
    """Return what to download, from where, to which folder, and what to type then.

    Args:
        info: The source.
        downloads: From `plan_downloads`; empty where the source isn't on Kaggle.
        folder: Where the archives or the dataset's folder go.
    """
    from datasets.licences import find_licence

    licence = find_licence(info.licence)
    lines = [f"{info.name}: {info.published}", f"  terms: {licence.name} ({licence.id}). Read those of its page first."]
    lines += _steps(info, downloads, folder)
    lines.append(f"  then: palette ingest {info.name} {shlex.quote(str(folder))} --out work/{info.name}")
    return "\n".join(lines)


def _steps(info: ReaderInfo, downloads: Sequence[Download], folder: Path) -> list[str]:
    if not downloads:
        return [
            f"  from: {info.home}",
            f"  to:   {folder}, its archives as they are or unpacked; expected is {info.expects}",
        ]
    lines = []
    for download in downloads:
        other = f" (or {', '.join(download.pages[1:])})" if download.pages[1:] else ""
        lines += [
            f"  from: {download.pages[0]}{other}: sign in, Download, as zip",
            f"  to:   {download.target}; it needn't be unpacked",
        ]
    return lines


def process_environment() -> dict[str, str]:
    """Return this process's environment, which Kaggle's client gets."""
    return dict(os.environ)
