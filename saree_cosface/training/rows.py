"""What a checkpoint keeps of a sharded head: files of rows, written by every process and read by any number of them.

Each rank writes a file of its classes: prototypes, and what the optimiser and the moving average hold for each of them.
The checkpoint itself is written after all of these and names their step and number, so that it speaks of whole files
even where the process was killed in between. On the way back each rank reads the rows that it needs, from as many files
as these lie in: 4 ranks may go on where 2 were, or 1.

The files are safetensors. ``torch.distributed.checkpoint`` re-shards as well, but keeps a pickle beside its tensors.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from saree_cosface.files import atomic_path
from saree_cosface.heads import ShardedHead
from saree_cosface.heads.ranks import place, shard

FOLDER = "prototypes"
WEIGHT = "head.formula.weight"
"""The name of the prototypes in the state of a :class:`~saree_cosface.training.module.LearningModule`."""


class RowsError(ValueError):
    """The rows of a checkpoint cannot be read; the message names the file and the remedy."""


def shard_file(folder: Path, step: int, rows: range) -> Path:
    """Where the rows of a step lie."""
    return folder / FOLDER / f"{step}-{rows.start}-{rows.stop}.safetensors"


def save(
    folder: Path, step: int, head: ShardedHead, optimizer: Optimizer, averages: Mapping[str, Tensor] | None = None
) -> None:
    """Write this rank's rows: prototypes, the optimiser's numbers of each, and their moving average where it is kept.

    Args:
        folder: of the checkpoint.
        step: of the training, after which they are what they are.
        head: whose prototypes are there.
        optimizer: one that learns them.
        averages: of a module's weights, by name.
    """
    found = {"weight": head.weight}
    if averages and WEIGHT in averages:
        found["average"] = averages[WEIGHT]
    state = optimizer.state.get(head.weight, {})
    found |= {f"optimizer/{name}": value for name, value in state.items() if _of_rows(value, head.weight)}
    with atomic_path(shard_file(folder, step, head.rows)) as temporary:
        save_file({name: value.detach().cpu().contiguous() for name, value in found.items()}, temporary)


def load(folder: Path, step: int, classes: int, ranks: int, rows: range) -> dict[str, Tensor]:
    """The rows of some classes, however the ``ranks`` that wrote them had shared them out.

    Raises:
        RowsError: a file is missing or damaged.
    """
    parts: dict[str, list[Tensor]] = {}
    for rank in range(ranks):
        held = shard(classes, ranks, rank)
        start, stop = max(held.start, rows.start), min(held.stop, rows.stop)
        if start >= stop:
            continue
        path = shard_file(folder, step, held)
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  # it is no mapping
                    wanted = file.get_slice(name)[start - held.start : stop - held.start]
                    parts.setdefault(name, []).append(wanted)
        except (OSError, SafetensorError) as error:
            raise RowsError(
                f"{path}: cannot be read ({str(error)[:200]}): put it back, or delete the checkpoint to start anew."
            ) from error
    return {name: torch.cat(found) for name, found in parts.items()}


def delete_others(folder: Path, step: int) -> None:
    """Delete what other steps have left, and killed processes of files that they were writing."""
    for path in (folder / FOLDER).iterdir():
        if not path.name.startswith(f"{step}-"):
            path.unlink(missing_ok=True)


def take_out(checkpoint: dict[str, Any], head: ShardedHead, optimizer: Optimizer) -> None:
    """Of a checkpoint that Lightning is about to write: leave out this rank's rows, and say where all are."""
    learned = [each for group in optimizer.param_groups for each in group["params"]]
    index = next(number for number, each in enumerate(learned) if each is head.weight)
    checkpoint["shards"] = {"step": checkpoint["global_step"], "ranks": place()[0], "parameter": index}
    checkpoint["state_dict"] = {name: value for name, value in checkpoint["state_dict"].items() if name != WEIGHT}
    # Anew, since these are the tensors and dictionaries that the training goes on with.
    states = checkpoint["optimizer_states"][0]["state"]
    if index in states:
        states[index] = {name: value for name, value in states[index].items() if not _of_rows(value, head.weight)}
    if "average" in checkpoint:
        average = checkpoint["average"]
        tensors = {name: value for name, value in average["tensors"].items() if name != WEIGHT}
        checkpoint["average"] = {**average, "tensors": tensors}


def put_in(checkpoint: dict[str, Any], folder: Path, head: ShardedHead) -> None:
    """Of a checkpoint that Lightning has read: add the rows of this rank's classes.

    Raises:
        RowsError: a file is missing or damaged.
    """
    told = checkpoint["shards"]
    for name, value in load(folder, told["step"], head.num_classes, told["ranks"], head.rows).items():
        if name == "weight":
            checkpoint["state_dict"][WEIGHT] = value
        elif name == "average":
            checkpoint["average"]["tensors"][WEIGHT] = value
        else:
            state = checkpoint["optimizer_states"][0]["state"].setdefault(told["parameter"], {})
            state[name.removeprefix("optimizer/")] = value


def _of_rows(value: object, weight: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == weight.shape
