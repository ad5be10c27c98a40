"""What a trained head makes of each clip just before it decides: the vectors that maps of clips are drawn from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.heads._base import Batch
from ego.heads._train import Clips
from ego.pipeline.cached import CachedClips
from ego.pipeline.clips import Indices, Problem
from ego.tasks._base import Task

BATCH = 64
MOST = 4096
"""The widest vector that is kept; wider ones are averaged down to it."""
LARGEST = float(np.finfo(np.float16).max)


def of_tested(
    module: nn.Module, clips: CachedClips, problem: Problem, fold: str, device: str
) -> tuple[Indices, NDArray[np.float16]] | None:
    """The clips that a fold does not train on, by their numbers, and a vector of each; see `embeddings`."""
    some = [clips for split, clips in problem.folds[fold].items() if split != "train"]
    chosen = np.concatenate([np.empty(0, np.int64), *some])
    found = embeddings(module, clips.only(chosen), problem.tasks, device)
    return None if found is None else (chosen, found)


def embeddings(
    module: nn.Module, clips: Clips, tasks: Mapping[str, Task], device: str = "cpu"
) -> NDArray[np.float16] | None:
    """(n, D) of every clip: what goes into the last linear layer of the first task that labels clips.

    Of a head without one it is the mean of the clip's features; None where no task labels clips.
    """
    name = next((name for name, task in tasks.items() if not task.reads and not task.of), None)
    if name is None or not len(clips):
        return None
    module.to(device).eval()
    layer = _last(module, int(np.prod(tasks[name].shape)))
    found: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        found.append(inputs[0].detach())

    parts = []
    handle = layer.register_forward_pre_hook(keep) if layer is not None else None
    try:
        with torch.inference_mode():
            for start in range(0, len(clips), BATCH):
                batch = clips.batch(np.arange(start, min(start + BATCH, len(clips)))).to(device)
                found.clear()
                module(batch.features, batch.masks, (name,))
                size = len(next(iter(batch.masks.values())))
                seen = found[-1] if found and len(found[-1]) == size else _mean(batch)
                parts.append(_narrow(seen.float().flatten(1)).clamp(-LARGEST, LARGEST).cpu().numpy())
    finally:
        if handle is not None:
            handle.remove()
    return np.concatenate(parts).astype(np.float16)


def _last(module: nn.Module, classes: int) -> nn.Module | None:
    """The last layer with an output for each class."""
    layers = [one for one in module.modules() if isinstance(one, nn.Linear) and one.out_features == classes]
    return layers[-1] if layers else None


def _mean(batch: Batch) -> Tensor:
    """(B, D) masked means of all features side by side."""
    means: Sequence[Tensor] = [
        (rows.float().flatten(2) * batch.masks[name][..., None]).sum(1)
        / batch.masks[name].sum(1, keepdim=True).clamp(1)
        for name, rows in batch.features.items()
    ]
    return torch.cat([_narrow(mean) for mean in means], dim=1)


def _narrow(vectors: Tensor) -> Tensor:
    """(B, D) of at most `MOST` numbers, neighbours averaged."""
    return vectors if vectors.shape[1] <= MOST else nn.functional.adaptive_avg_pool1d(vectors, MOST)
