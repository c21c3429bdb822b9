"""The container files: linted, parsed, and held to what they promise. No container engine is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
DOCKER = REPOSITORY / "docker"
ROOMS = ("synth", "datasets", "models", "pipelines")
PINNED = re.compile(r"^[\w./-]+:\d+\.\d+(\.\d+)?[\w.-]*(@sha256:[0-9a-f]{64})?$")


@cache
def instructions() -> tuple[tuple[str, str], ...]:
    """The Dockerfile's instructions in order: keyword and what follows, lines joined, comments dropped."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return tuple((keyword.upper(), " ".join(rest.split())) for keyword, rest in parts)


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def last_stage(keyword: str) -> list[str]:
    return [rest for found, rest in stages()[-1] if found == keyword]


@cache
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


@cache
def palette_commands() -> frozenset[str]:
    from typer.main import get_command

    from pipelines.cli import build_app

    return frozenset(getattr(get_command(build_app()), "commands", {}))


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: make set-up")
    ended = subprocess.run([hadolint, str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_bases_are_pinned_and_slim() -> None:
    bases = [rest.split()[0] for keyword, rest in instructions() if keyword == "FROM"]
    assert len(bases) == 2
    assert all(PINNED.match(base) and "slim" in base for base in bases)
    assert bases[0].split("@")[0] == bases[1].split("@")[0], (
        "a virtual environment fits only the Python it was made with"
    )


def test_the_image_is_left_to_a_user_without_rights() -> None:
    assert last_stage("USER")[-1].split(":")[0] not in {"root", "0"}
    keywords = [keyword for keyword, _ in stages()[-1]]
    assert keywords.index("USER") < keywords.index("ENTRYPOINT")
    assert "RUN" not in keywords[keywords.index("USER") :]


def test_the_last_stage_installs_nothing() -> None:
    assert not [rest for rest in last_stage("RUN") if re.search(r"\b(pip|apt-get|apk|curl|wget|gcc)\b", rest)]
    assert [rest.split()[0] for rest in last_stage("COPY")] == ["--from=build"]


def test_packages_come_from_the_lock_with_hashes() -> None:
    installs = [part for keyword, rest in instructions() if keyword == "RUN" for part in rest.split("&&")]
    installs = [part.strip() for part in installs if "pip install" in part]
    assert len(installs) == 3
    assert all("--no-deps" in part for part in installs)
    assert all("--require-hashes" in part for part in installs if "-r " in part)
    assert [part for part in installs if "-r " not in part] == [installs[-1]]
    assert installs[-1].endswith("--no-build-isolation .")


def test_the_image_says_what_it_is_and_how_it_is() -> None:
    labels = " ".join(last_stage("LABEL"))
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert "8080/health" in last_stage("HEALTHCHECK")[0]
    assert "PREFECT_RUNNER_SERVER_ENABLE=true" in last_stage("ENV")[0]
    assert last_stage("ENTRYPOINT") == ['["palette"]']


def test_no_secret_is_written_down() -> None:
    for path in (DOCKER / "Dockerfile", DOCKER / "compose.yaml"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"(password|secret|token)\w*\s*[:=]", line, re.IGNORECASE):
                assert "${" in line, f"{path.name}: {line}"


def test_services_are_pinned_and_checked() -> None:
    assert services().keys() == {"database", "server", "worker"}
    for name, service in services().items():
        image = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", service["image"])
        assert PINNED.match(image), name
        check = service["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert {"interval", "timeout", "retries", "start_period"} <= check.keys(), name
        assert service["restart"] == "unless-stopped", name


def test_each_service_waits_for_a_healthy_one() -> None:
    assert services()["server"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services()["worker"]["depends_on"] == {"server": {"condition": "service_healthy"}}
    assert "depends_on" not in services()["database"]


def test_palettes_services_have_no_rights() -> None:
    for name in ("server", "worker"):
        assert services()[name]["cap_drop"] == ["ALL"]
        assert services()[name]["security_opt"] == ["no-new-privileges:true"]
    assert services()["worker"]["user"] == "${PALETTE_UID:-10001}:${PALETTE_GID:-10001}"
    assert "build" in services()["server"]
    assert Path(DOCKER, services()["server"]["build"]["context"], services()["server"]["build"]["dockerfile"]).is_file()


def test_the_server_is_open_to_this_machine_only() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert len(ports) == 1
    assert ports[0].startswith("127.0.0.1:")


def test_named_volumes_are_declared() -> None:
    used = {volume.split(":/")[0] for service in services().values() for volume in service.get("volumes", [])}
    named = {re.sub(r"^\$\{\w+:-([^}]*)\}$", r"\1", name) for name in used}
    assert named == set(compose()["volumes"])


def test_commands_exist() -> None:
    image_command = re.findall(r'"([^"]+)"', last_stage("CMD")[-1])[0]
    worker_command = services()["worker"]["command"][0]
    assert {image_command, worker_command} <= palette_commands()
    options = subprocess.run([palette_script(), worker_command, "--help"], capture_output=True, text=True, check=True)
    assert services()["worker"]["command"][1] in options.stdout


def palette_script() -> str:
    script = shutil.which("palette", path=str(Path(sys.executable).parent))
    assert script, "palette is not installed beside this Python: make set-up"
    return script


def test_prefect_knows_every_setting_that_is_passed_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings.models.root import Settings

    passed = {key for service in services().values() for key in service.get("environment", {})}
    passed |= set(re.findall(r"\b(PREFECT_\w+)=", last_stage("ENV")[0]))
    prefect = {name for name in passed if name.startswith("PREFECT_")}
    assert len(prefect) > 8
    known = known_prefect_settings(Settings)
    assert prefect <= known, prefect - known


def known_prefect_settings(model: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """The environment variables that Prefect's settings read, from the models' prefixes and fields."""
    prefix = model.model_config.get("env_prefix", "")
    names = set()
    for field, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and hasattr(kind, "model_fields") and kind.__name__ not in seen:
            names |= known_prefect_settings(kind, seen | {kind.__name__})
        names.add(f"{prefix}{field}".upper())
    return names


def test_every_variable_is_documented_with_its_default() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    readme = (DOCKER / "README.md").read_text(encoding="utf-8")
    variables = dict(re.findall(r"\$\{(\w+):[-?]([^}]*)\}", text))
    assert variables
    for name in variables:
        rows = [line for line in readme.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert len(rows) == 1, name
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
        row = next(line for line in readme.splitlines() if line.startswith("|") and f"`{name}`" in line)
        assert f"`{default}`" in row, name


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    lines = [line for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copies = [rest.split()[:-1] for keyword, rest in stages()[0] if keyword == "COPY"]
    assert let_in == {source for sources in copies for source in sources}


def test_the_image_gets_every_module(tmp_path: Path) -> None:
    # The image installs a wheel, where a folder without __init__.py, or a file of unknown suffix, would be missing.
    source = tmp_path / "source"
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-qq",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        ".",
    ]
    ended = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(source).as_posix() for room in ROOMS for path in (source / room).rglob("*") if path.is_file()
    }
    assert wanted <= packed, sorted(wanted - packed)
