"""`palette serve`: this process polls a Prefect server and runs the flows that are asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pipelines.errors import PipelinesError, SettingsError
from pipelines.prefect_environment import local_api_url, prepare, server_answers


@dataclass(frozen=True)
class Deployment:
    """A flow that can be run by name; `prefect.yaml` says the same for work pools.

    Attributes:
        name: Of the flow and of its deployment.
        module: Where the flow is.
        attribute: Its name in that module.
        description: For Prefect's pages.
    """

    name: str
    module: str
    attribute: str
    description: str


DEPLOYMENTS = (
    Deployment(
        "synth-flow",
        "pipelines.flows.synth",
        "synth_flow",
        "Ingest, pseudo-label, mask, merge, report, then trigger training.",
    ),
    Deployment(
        "train-flow", "pipelines.flows.train", "train_flow", "Train and score a classifier on a merged manifest."
    ),
)
TAGS = ("palette",)


def find_deployment(name: str) -> Deployment:
    """Return the deployment of that name.

    Raises:
        SettingsError: There is none; the message lists those there are.
    """
    for deployment in DEPLOYMENTS:
        if name in (deployment.name, deployment.name.removesuffix("-flow")):
            return deployment
    raise SettingsError(f"no flow is called {name!r}: there are {', '.join(each.name for each in DEPLOYMENTS)}")


def load_flow(deployment: Deployment) -> Any:
    """Return the Prefect flow; importing Prefect takes a second or two."""
    prepare()
    return getattr(import_module(deployment.module), deployment.attribute)


def connect() -> str:
    """Point Prefect at a server: the one it is set up with, else this machine's own if it is running.

    Returns:
        The server's address.

    Raises:
        PipelinesError: There is none.
    """
    prepare()
    if not os.environ.get("PREFECT_API_URL") and server_answers(local_api_url()):
        # Before Prefect is imported, which reads it then.
        os.environ["PREFECT_API_URL"] = local_api_url()
    from prefect.settings import PREFECT_API_URL

    url = str(PREFECT_API_URL.value() or "")
    if not url:
        raise PipelinesError(
            f"no Prefect server to serve: none is set as PREFECT_API_URL and none answers at {local_api_url()}; "
            "start one in another shell with: prefect server start"
        )
    return url


def serve_flows(names: Sequence[str] = (), *, limit: int | None = None) -> None:
    """Serve deployments until interrupted.

    Args:
        names: Which flows; all when empty.
        limit: How many runs may go on at once.

    Raises:
        SettingsError: A flow is unknown.
        PipelinesError: No Prefect server is there.
    """
    chosen = [find_deployment(name) for name in names] or list(DEPLOYMENTS)
    connect()
    from prefect import serve
    from prefect.types.entrypoint import EntrypointType

    served = [
        load_flow(each).to_deployment(
            each.name,
            description=each.description,
            tags=list(TAGS),
            # By module, so that the process that runs a flow finds it from any folder.
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for each in chosen
    ]
    serve(*served, limit=limit)
