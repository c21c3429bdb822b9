"""Running a flow in this process, on the ephemeral server unless Prefect is set up with another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.errors import MissingInputError
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
    result: dict[str, Any] = load_flow(deployment)(settings)
    return result


def check_inputs(settings: SynthFlowSettings | TrainFlowSettings) -> None:
    """Look for what the flow would read before anything is started.

    Raises:
        MissingInputError: A folder or a manifest is not there.
    """
    if isinstance(settings, SynthFlowSettings):
        missing = [f"{each.source}: {each.root}" for each in settings.sources if not each.root.is_dir()]
        if missing:
            raise MissingInputError(f"the folder of a source is not there: {'; '.join(missing)}")
    elif not settings.manifest.exists():
        raise MissingInputError(
            f"no manifest at {settings.manifest}: run synth-flow or palette merge first, or say where it is with "
            "--set manifest=PATH"
        )
