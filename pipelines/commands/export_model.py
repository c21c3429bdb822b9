"""`palette export-model`: a run or team as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption, RunArgument


def export_model(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .onnx file to write.")] = Path("model.onnx"),
    opset: Annotated[int, typer.Option(min=17, max=20, help="Of ONNX.")] = 17,
    as_json: JsonOption = False,
) -> None:
    """Write a classifier as ONNX: pixels in, chances out, for programs without torch.

    The graph takes (N, size, size, 3) uint8 RGB, normalises it, and gives the chances of classes and heads; all members
    of a team are in it. Its metadata, JSON under the key palette, says how photos are cropped and resized, what the
    classes are called, and which cut-offs apply. The file is written only if it answers as torch does, to 0.0001.
    """
    from models.export_onnx import export_onnx
    from models.team import open_run
    from pipelines.summary import show_summary

    made = export_onnx(open_run(run), out, opset=opset)
    summary = {
        "model": made.path,
        "input": f"images: batch x {made.image_size} x {made.image_size} x 3, uint8 RGB",
        "outputs": list(made.outputs),
        "members": made.members,
        "megabytes": made.path.stat().st_size / 1e6,
        "largest_difference_to_torch": made.difference,
    }
    show_summary("Exported", summary, as_json=as_json)
