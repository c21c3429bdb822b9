"""`palette serve`: run flows when a Prefect server asks for them."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    flows: Annotated[list[str] | None, typer.Argument(help="synth-flow, train-flow; both when not given.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="How many runs may go on at once.")] = None,
) -> None:
    """Serve the deployments synth-flow and train-flow until interrupted.

    Needs a Prefect server: prefect server start, in another shell. Then: prefect deployment run synth-flow
    """
    from pipelines.serve import serve_flows

    serve_flows(flows or [], limit=limit)
