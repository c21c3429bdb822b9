"""Checks of Prefect: its profile, its server, its telemetry, and the plugin for bare deployment names."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from pipelines.doctor.check import Check
from pipelines.doctor.installation import Installation
from pipelines.doctor.packages import SET_UP
from pipelines.doctor.probes import run_probe

PLUGIN_GROUP = "prefect.plugins"
PLUGIN_NAME = "palette"
HEALTH_SECONDS = 4.0

# The settings as a flow started here would see them: environment, profile and the working folder's pyproject.toml.
PREFECT_PROBE = """
from prefect.context import get_settings_context
from prefect.settings import get_current_settings
settings = get_current_settings()
answer = {
    "profile": get_settings_context().profile.name,
    "api_url": str(settings.api.url or ""),
    "ephemeral": bool(settings.server.ephemeral.enabled),
    "analytics": bool(settings.server.analytics_enabled),
    "plugins": bool(settings.plugins.enabled),
}
"""


def check_prefect(installation: Installation) -> list[Check]:
    """Look at Prefect's settings and, where one is named, at its server."""
    if installation.version("prefect") is None:
        return []  # the extra's own check says so
    probe = run_probe(PREFECT_PROBE)
    if probe.trouble:
        todo = f"{SET_UP}; flows cannot run until this works, palette mask can"
        return [Check("prefect", "warn", f"does not work: {probe.trouble}", todo)]
    answer = probe.answer
    return [_check_server(answer), _check_plugin(answer), _check_analytics(answer)]


def _check_server(answer: Mapping[str, Any]) -> Check:
    url, profile = str(answer["api_url"]), answer["profile"]
    if not url:
        if answer["ephemeral"]:
            return Check("prefect server", "ok", f"profile {profile}: none set, each run starts its own for a while")
        todo = "prefect server start, then prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api"
        return Check("prefect server", "warn", f"profile {profile}: none set, and starting one is switched off", todo)
    trouble = reach(url)
    if not trouble:
        return Check("prefect server", "ok", f"profile {profile}: {url} answers")
    todo = "prefect server start, or for runs without one: prefect config unset PREFECT_API_URL"
    return Check("prefect server", "warn", f"profile {profile}: {url} does not answer ({trouble})", todo)


def reach(api_url: str, *, seconds: float = HEALTH_SECONDS) -> str:
    """Ask a Prefect API for its health; return empty text when it answers, else why not."""
    if not api_url.startswith(("http://", "https://")):
        return "not an http address"
    try:
        with urllib.request.urlopen(f"{api_url.rstrip('/')}/health", timeout=seconds):  # noqa: S310 - scheme checked
            return ""
    except urllib.error.HTTPError as error:
        # A server that asks who we are is there.
        return "" if error.code in {401, 403} else f"HTTP {error.code}: the address should end in /api"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def _check_plugin(answer: Mapping[str, Any]) -> Check:
    name, works_always = "bare deployment name", "synth-flow/synth-flow works without it"
    if not any(item.name == PLUGIN_NAME for item in metadata.entry_points(group=PLUGIN_GROUP)):
        return Check(name, "warn", f"palette's Prefect plugin is not registered; {works_always}", SET_UP)
    if answer["plugins"]:
        return Check(name, "ok", "plugin registered and switched on: prefect deployment run synth-flow works")
    todo = "work in palette's folder, whose pyproject.toml switches it on, or export PREFECT_PLUGINS_ENABLED=true"
    return Check(name, "warn", f"Prefect's plugins are switched off here; {works_always}", todo)


def _check_analytics(answer: Mapping[str, Any]) -> Check:
    quiet = os.environ.get("DO_NOT_TRACK", "").lower() in {"1", "true", "yes"}
    if not answer["analytics"]:
        return Check("prefect telemetry", "ok", "off")
    todo = "export PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1"
    part = "the server's is on, the client's off" if quiet else "on: without a network it logs an error at each start"
    return Check("prefect telemetry", "warn", part, todo)
