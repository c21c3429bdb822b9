"""A run or team as one ONNX file: pixels in, chances out, checked against torch before it takes its place.

The graph takes (N, size, size, 3) uint8 RGB for any N, normalises it for each member, and gives the chances of the
blend, before cut-offs. What else is needed to use it, the crop and resize before it, the words of the classes, the
cut-offs and where the weights are from, is JSON in its metadata (`models.onnx_notes`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from models.chances import Chances, chances_of, mean_of
from models.checkpoint import load_checkpoint
from models.errors import ExportError, SettingsError
from models.onnx_notes import INPUT, KEY, notes_of
from models.onnx_session import run_session, start_session
from models.team import Team
from models.team_network import LABEL, YEARS, LoadedMember, TeamNetwork

OPSETS: Final = (17, 20)
"""The first has layer normalisation as one step; the last is the latest that torch's tracing exporter writes."""
TOLERANCE: Final = 1e-4
"""By how much a chance may differ from torch's; of years, a hundred times that, as they go to 100 and not to 1."""
LARGEST: Final = 1_900_000_000
"""Bytes of checkpoints: one file of ONNX holds less than 2 GiB."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Exported:
    """What an export gave.

    Attributes:
        path: of the file.
        outputs: names, in order.
        image_size: side of the square it takes, pixels.
        members: how many checkpoints are in it.
        difference: the largest of a chance to torch's.
    """

    path: Path
    outputs: tuple[str, ...]
    image_size: int
    members: int
    difference: float


def export_onnx(team: Team, out: Path, *, opset: int = OPSETS[0]) -> Exported:
    """Writes a team as one ONNX file, whole or not at all; the same in gives the same bytes.

    Args:
        team: of `open_run`; all its members see photos of one size.
        out: the file.
        opset: of ONNX, within OPSETS.

    Raises:
        ModuleNotFoundError: the extra `onnx` is not installed.
        SettingsError: the opset is another, or the file doesn't end in `.onnx`.
        ExportError: the team doesn't fit one graph, torch can't export its model, or what came of it answers otherwise
            than torch.
        OutputError: the file can't be written.
    """
    import onnx
    import onnxruntime  # noqa: F401  what is missing shows before the work

    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise SettingsError(f"opset must be from {OPSETS[0]} to {OPSETS[1]}, not {opset}")
    if Path(out).suffix.lower() != ".onnx":
        raise SettingsError(f"an ONNX file ends in .onnx, unlike {out}")
    members = _load(team)
    network = TeamNetwork(members, team.blend).eval()
    size = members[0].config.image_size
    with atomic_write(Path(out), durable=True) as temporary:
        _trace(network, size, opset, temporary)
        model = onnx.load(temporary)
        counted = [each for each in team.members if each.group in network.groups]
        entry = model.metadata_props.add()
        entry.key, entry.value = KEY, notes_of(team, counted, [each.config for each in members])
        onnx.checker.check_model(model)
        onnx.save(model, temporary)
        difference = _check(temporary, network.names, members, team)
    return Exported(Path(out), network.names, size, len(members), difference)


def _load(team: Team) -> list[LoadedMember]:
    counted = set(team.blend.needed(team.groups))
    chosen = [member for member in team.members if member.group in counted]
    if sum(member.checkpoint.stat().st_size for member in chosen) > LARGEST:
        raise ExportError(
            f"{len(chosen)} checkpoints of more than {LARGEST / 1e9:.1f} GB fit no ONNX file: export them alone"
        )
    loaded = [LoadedMember(*load_checkpoint(member.checkpoint), member.group) for member in chosen]
    sizes = sorted({each.config.image_size for each in loaded})
    if len(sizes) > 1:
        told = ", ".join(map(str, sizes))
        raise ExportError(f"the members see photos of {told} pixels, and one graph takes one size: export them alone")
    if len({each.config.crop for each in loaded}) > 1:
        raise ExportError("the members see photos cut about their middle and about faces: export them alone")
    return loaded


def _trace(network: TeamNetwork, size: int, opset: int, path: Path) -> None:
    """The tracing exporter: the newer one needs a package more, and gains nothing for networks without branches."""
    pixels = torch.from_numpy(_pictures(2, size))
    axes = {name: {0: "batch"} for name in (INPUT, *network.names)}
    try:
        with warnings.catch_warnings(action="ignore"), torch.no_grad():
            torch.onnx.export(
                network,
                (pixels,),
                path,
                input_names=[INPUT],
                output_names=list(network.names),
                dynamic_axes=axes,
                opset_version=opset,
                dynamo=False,
            )
    except Exception as error:  # torch raises a dozen kinds
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ExportError(f"torch can't write that model as ONNX ({reason}): choose another backbone") from error


def _check(path: Path, names: Sequence[str], members: Sequence[LoadedMember], team: Team) -> float:
    """The largest difference to torch over batches of several sizes.

    Raises:
        ExportError: it is larger than TOLERANCE, or no number.
    """
    session = start_session(path, "cpu")
    differences = [0.0]
    for count in (1, 3):
        pixels = _pictures(count, members[0].config.image_size, seed=count)
        given, due = run_session(session, pixels), _due(pixels, members, team)
        for name in names:
            scale = 100.0 if name == YEARS else 1.0
            differences.append(float(np.abs(given[name] - due[name]).max()) / scale)
    worst = float(np.max(differences))  # max() would pass over what is no number
    if np.isnan(worst):
        raise ExportError("the model answers with what is no number, in ONNX or in torch; nothing is written")
    if not worst <= TOLERANCE:
        raise ExportError(f"ONNX answers otherwise than torch, by up to {worst:.2g}; nothing is written")
    return worst


def _due(pixels: Pixels, members: Sequence[LoadedMember], team: Team) -> dict[str, NDArray[np.float64]]:
    """What torch says, by the way that a team is asked elsewhere."""
    groups: dict[str, list[Chances]] = {}
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    for each in members:
        mean, std = (torch.tensor(three).reshape(1, 3, 1, 1) for three in (each.config.mean, each.config.std))
        with torch.inference_mode():
            logits = each.network((images - mean) / std)
        groups.setdefault(each.group, []).append(chances_of(logits, each.config.layout))
    chances = team.blend.apply({name: mean_of(folds) for name, folds in groups.items()})
    due = dict(chances.heads)
    if chances.label is not None:
        due[LABEL] = chances.label
    return due if chances.years is None else due | {YEARS: chances.years}


def _pictures(count: int, size: int, seed: int = 0) -> Pixels:
    """(count, size, size, 3): ramps of colour under noise: something for coarse filters and for fine ones."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, size)
    ground = rng.uniform(0, 200, (count, 1, 1, 3)) + 55 * (
        ramp[:, None, None] + rng.uniform(-1, 1) * ramp[None, :, None]
    )
    return np.clip(ground + rng.normal(0, 30, (count, size, size, 3)), 0, 255).astype(np.uint8)
