"""What may be committed, and that the README's commands are real ones."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

REPOSITORY = Path(__file__).resolve().parents[1]
LARGEST_BYTES = 500_000
# Photographs come from the user's own folders, weights from the packages that carry them. A picture of our own
# drawing may stand in the documentation.
FORBIDDEN_SUFFIXES = {
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".npy", ".npz", ".parquet"),
    *(".dat", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".pkl", ".pickle", ".joblib", ".bin", ".h5"),
    *(".zip", ".tar", ".gz", ".7z", ".whl"),
}
PICTURES_OF_OUR_OWN = "docs/"
# Places of one machine, and hosts of package indexes or their mirrors: neither means anything to another reader.
FOREIGN_TEXT = {
    "a path of one machine": re.compile(
        r"(?<![\w.{}$-])/(?:work|tmp|root|home/(?!palette|someone|you\b|user\b)\w+|Users/\w+)/[\w.]"
    ),
    "a file address": re.compile(r"file:" + r"//+\w"),
    "an index host": re.compile(
        r"(?:pypi\.org/simple|files\.python"
        + r"hosted\.org|--(?:extra-)?index-url[ =]\s*http|download\.pytorch\.org/whl)"
    ),
}


@cache
def tracked() -> tuple[Path, ...]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git clone: nothing says which files are the project's")
    names = (name for name in listing.stdout.decode().split("\0") if name)
    return tuple(path for name in names if (path := REPOSITORY / name).is_file())


def shown(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_no_large_file() -> None:
    assert len(tracked()) > 10
    large = {shown(path): path.stat().st_size for path in tracked() if path.stat().st_size > LARGEST_BYTES}
    assert not large


def test_no_photographs_weights_or_archives() -> None:
    suspects = [shown(path) for path in tracked() if path.suffix.lower() in FORBIDDEN_SUFFIXES]
    assert [name for name in suspects if not name.startswith(PICTURES_OF_OUR_OWN)] == []


def test_no_machine_paths_and_no_index_hosts() -> None:
    found = [
        f"{shown(path)}:{number}: {what}: {line.strip()[:120]}"
        for path in tracked()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for what, pattern in FOREIGN_TEXT.items()
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "foreign"),
    [
        # Put together here, since this file is one of those looked at.
        ("root = Path('/" + "home/alice/photos')", True),
        ("cp a.jpg /" + "tmp/a.jpg", True),
        ("--extra-index-url " + "https://mirror.example", True),
        ("see file:" + "///usr/share/doc", True),
        ("see docs/home/start.md", False),
        ("WORKDIR /srv/palette", False),
        ("pip install palette-faces", False),
    ],
)
def test_the_patterns_tell_foreign_text_from_our_own(line: str, foreign: bool) -> None:
    assert any(pattern.search(line) for pattern in FOREIGN_TEXT.values()) is foreign


def commands_in(readme: str) -> set[str]:
    """The palette commands that a text tells its reader to type."""
    blocks = re.findall(r"```\w*\n(.*?)```", readme, re.DOTALL) + re.findall(r"`([^`\n]+)`", readme)
    return {match for block in blocks for match in re.findall(r"(?:^|[\s/])palette ([a-z][a-z-]+)\b", block)}


def make_targets_in(readme: str) -> set[str]:
    blocks = re.findall(r"```\w*\n(.*?)```", readme, re.DOTALL) + re.findall(r"`([^`\n]+)`", readme)
    return {match for block in blocks for match in re.findall(r"(?:^|\s)make ([a-z][a-z-]+)\b", block)}


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md" and path.name != "CHANGELOG.md"]


def test_documented_palette_commands_exist() -> None:
    from pipelines.cli import build_app

    known = set(getattr(get_command(build_app()), "commands", {}))
    asked = {(shown(path), name) for path in documents() for name in commands_in(path.read_text(encoding="utf-8"))}
    assert asked, "no document shows a palette command"
    assert {pair for pair in asked if pair[1] not in known} == set()


def test_documented_make_targets_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = {(shown(p), name) for p in documents() for name in make_targets_in(p.read_text(encoding="utf-8"))}
    assert {pair for pair in asked if pair[1] not in known} == set()


def test_commands_are_found_in_code_and_not_in_prose() -> None:
    text = "The palette mask is a word.\n```bash\npalette mask a b\n.venv/bin/palette ingest x\n```\nor `make demo`."
    assert commands_in(text) == {"mask", "ingest"}
    assert make_targets_in(text) == {"demo"}
