"""A Prefect plugin with two comforts for the `prefect` command, and nothing else.

1. `prefect deployment run synth-flow` works: a bare name means the deployment of that name of the flow of that name,
   `synth-flow/synth-flow`. Prefect itself takes only the long form.
2. Where no API address is set and `prefect server start` is running on this machine, commands talk to that server
   instead of starting one of their own.

Prefect loads it through the entry point group `prefect.plugins` when `[tool.prefect.plugins] enabled = true`, which
`pyproject.toml` says for commands started in the repository. Both comforts step back quietly where Prefect changes
beneath them: the long form and `PREFECT_API_URL` always work.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.prefect_environment import local_api_url, prepare, server_answers

try:
    from prefect.plugins import SetupResult, register_hook
except ImportError:  # an older or newer Prefect: stay loadable, do nothing
    SetupResult = None  # type: ignore[assignment,misc]
    register_hook = None  # type: ignore[assignment]

PREFECT_PLUGIN_API_REQUIRES = ">=0.1,<1"
MARK = "_palette_bare_names"
NEEDS_NO_SERVER = {"server", "config", "profile", "profiles", "version", "cloud", "dev", "plugins", "shell"}

Reader = Callable[..., Awaitable[Any]]


def full_name(name: str) -> str:
    """Return `name/name` for a bare deployment name; any other name as it is.

    >>> full_name("synth-flow")
    'synth-flow/synth-flow'
    """
    return f"{name}/{name}" if name and "/" not in name else name


def accept_bare_names(client_class: type) -> bool:
    """Let `client_class.read_deployment_by_name` take bare names, once.

    Args:
        client_class: Prefect's asynchronous client.

    Returns:
        Whether the class takes bare names now; False where it has no such method.
    """
    read: Reader | None = getattr(client_class, "read_deployment_by_name", None)
    if read is None:
        return False
    if getattr(read, MARK, False):
        return True

    @functools.wraps(read)
    async def read_deployment_by_name(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        return await read(self, full_name(name) if isinstance(name, str) else name, *args, **kwargs)

    setattr(read_deployment_by_name, MARK, True)
    client_class.read_deployment_by_name = read_deployment_by_name  # type: ignore[attr-defined]
    return True


def prefect_command(arguments: Sequence[str]) -> str | None:
    """Return which command of the `prefect` program runs, e.g. `deployment`; None for any other program.

    Args:
        arguments: `sys.argv`: for `python -m prefect` the program is `-m` while Python starts up, or `__main__.py`.
    """
    if not arguments:
        return None
    program = Path(arguments[0])
    is_prefect = program.stem == "prefect" or (program.name == "__main__.py" and program.parent.name == "prefect")
    if not is_prefect:
        return None
    rest = list(arguments[1:])
    if rest[:1] in (["--profile"], ["-p"]):
        rest = rest[2:]
    return next((word for word in rest if not word.startswith("-")), "")


def found_server(command: str, api_url: str | None) -> str | None:
    """Return the address of this machine's own server, if none is set and the command wants one.

    Args:
        command: From `prefect_command`.
        api_url: The address Prefect is set up with, if any.
    """
    if api_url or command in NEEDS_NO_SERVER or not command:
        return None
    url = local_api_url()
    return url if server_answers(url) else None


def set_up(command: str | None, api_url: str | None) -> dict[str, str]:
    """Do what the plugin does for one command and return the environment variables to set.

    Args:
        command: From `prefect_command`; None (not the prefect program) leaves everything as it is.
        api_url: The address Prefect is set up with, if any.
    """
    if command is None:
        return {}
    environment: dict[str, str] = {}
    prepare(environment)
    environment = {name: value for name, value in environment.items() if name not in os.environ}
    if command in ("deployment", "deployments"):
        from prefect.client.orchestration import PrefectClient

        accept_bare_names(PrefectClient)
    url = found_server(command, api_url)
    return environment | ({"PREFECT_API_URL": url} if url else {})


if register_hook is not None:
    # The argument is keyword-only because Prefect's own specification has it so: pluggy compares the two.
    @register_hook(optionalhook=True)
    def setup_environment(*, ctx: Any) -> Any:
        """Prefect's start-up hook; see `set_up`. Never raises: without it Prefect works as it is."""
        try:
            environment = set_up(prefect_command(sys.argv), ctx.api_url)
        except Exception as error:
            ctx.logger_factory("palette").debug("bare deployment names are off: %s", error)
            return None
        return SetupResult(env=environment) if environment else None
