"""How Prefect is set up before it is imported: no telemetry, patience at its start, and which server is meant.

This module imports nothing of Prefect, because Prefect reads these settings when it is imported.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import MutableMapping

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A first start creates the database, which takes longer than Prefect's 20 s on a small machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}
"""Set where the environment says nothing else."""

HEALTH_TIMEOUT_S = 2.0
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = "4200"


def prepare(environ: MutableMapping[str, str] = os.environ) -> None:
    """Put the project's own settings into the environment; what is set there already stays."""
    for name, value in DEFAULTS.items():
        environ.setdefault(name, value)


def local_api_url(environ: MutableMapping[str, str] = os.environ) -> str:
    """Return where `prefect server start` would listen on this machine, e.g. `http://127.0.0.1:4200/api`."""
    host = environ.get("PREFECT_SERVER_API_HOST") or DEFAULT_HOST
    port = environ.get("PREFECT_SERVER_API_PORT") or DEFAULT_PORT
    return f"http://{DEFAULT_HOST if host == '0.0.0.0' else host}:{port}/api"  # noqa: S104 - compared, not bound


def server_answers(api_url: str, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
    """Say whether a Prefect server is up at `api_url`; any other program that answers there is not one."""
    # No proxy: the question is about this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{api_url}/health", timeout=timeout_s) as answer:
            return json.loads(answer.read(64)) is True
    except (OSError, ValueError, urllib.error.URLError):
        return False
