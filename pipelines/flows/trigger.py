"""Starting `train-flow` at the end of `synth-flow`: on whoever serves it, else right here."""

from __future__ import annotations

from typing import Any, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import DeploymentStatus, FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

import pipelines.flows  # noqa: F401 - before Prefect: sets it up
from pipelines.flows.train import train_flow
from pipelines.settings import TrainFlowSettings

DEPLOYMENT = "train-flow/train-flow"


def is_served(deployment: str = DEPLOYMENT) -> bool:
    """Say whether the server of this run has the deployment, with somebody polling for its runs.

    A server started for this process alone has no one to serve its deployments, whatever its database remembers.
    """
    if not PREFECT_API_URL.value():
        return False
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            return False
    return found.status == DeploymentStatus.READY and not found.paused


def trigger_training(settings: TrainFlowSettings) -> dict[str, Any]:
    """Start training.

    Args:
        settings: With absolute paths, because whoever serves the deployment may run in another folder.

    Returns:
        What `train_flow` returns, when it ran here; or the `flow_run` and `deployment` it was handed to, without
        waiting for it to end.
    """
    if not is_served():
        return train_flow(settings)
    parameters = {"settings": settings.model_dump(mode="json")}
    run = cast(FlowRun, run_deployment(DEPLOYMENT, parameters=parameters, timeout=0))
    return {"deployment": DEPLOYMENT, "flow_run": str(run.id), "flow_run_name": run.name}
