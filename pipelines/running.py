"""Running a flow in this process, on the ephemeral server unless Prefect is set up with another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import FlowFailedError, MissingInputError
from pipelines.serve import find_deployment, load_flow
from pipelines.settings import SynthFlowSettings, TrainFlowSettings, load_settings

SETTINGS: dict[str, type[SynthFlowSettings] | type[TrainFlowSettings]] = {
    "synth-flow": SynthFlowSettings,
    "train-flow": TrainFlowSettings,
}


def run_flow(name: str, settings_file: Path | None = None, assignments: list[str] | None = None) -> dict[str, Any]:
    """Run a flow and return its summary.

    Args:
        name: `synth-flow` or `train-flow`; the `-flow` may be left out.
        settings_file: A .toml or .json file.
        assignments: `key.part=value` texts that win over the file.

    Raises:
        SettingsError: The flow or a setting is unknown or out of range; nothing has run then.
        MissingInputError: A source's folder is not there; nothing has run then.
    """
    deployment = find_deployment(name)
    settings = load_settings(SETTINGS[deployment.name], settings_file, assignments)
    check_inputs(settings)
    with server_errors_explained():
        result: dict[str, Any] = load_flow(deployment)(settings)
    return result


@contextmanager
def server_errors_explained() -> Iterator[None]:
    """Turn what Prefect raises when it has no server to talk to into one message.

    Raises:
        FlowFailedError: Its temporary server did not start, or the one it is set up with does not answer.
    """
    try:
        yield
    except RuntimeError as error:
        told = str(error)
        if "ephemeral Prefect API server" in told:
            home = os.environ.get("PREFECT_HOME", "~/.prefect")
            told = f"Prefect's temporary server did not start ({told}): see that {home} can be written"
        elif "Failed to reach API" in told:
            told = f"{' '.join(told.split())}: start it (prefect server start), or unset PREFECT_API_URL"
        else:
            raise
        raise FlowFailedError(told) from error


def check_inputs(settings: SynthFlowSettings | TrainFlowSettings) -> None:
    """Look for what the flow would read before anything is started.

    Raises:
        MissingInputError: A folder or a manifest is not there.
    """
    if isinstance(settings, SynthFlowSettings):
        missing = [
            f"{each.source}: {each.root}"
            for each in (*settings.sources, *settings.evaluation)
            if not each.root.exists()
        ]
        if missing:
            raise MissingInputError(f"the folder of a source is not there: {'; '.join(missing)}")
    elif not settings.manifest.exists():
        raise MissingInputError(
            f"no manifest at {settings.manifest}: run synth-flow or palette merge first, or say where it is with "
            "--set manifest=PATH"
        )
