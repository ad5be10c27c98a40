"""What a trained module says of clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.heads._deal import Clips


@dataclass(frozen=True, eq=False)
class Predicted:
    """Of each clip, in order, (n, *shape) float32 `predictions`, `labels` and what of them counts, `mask`.

    Of a task of steps these are (n, S, ...), clips of fewer steps masked at their ends.
    """

    predictions: NDArray[Any]
    labels: NDArray[Any]
    mask: NDArray[np.bool_]


def predict(module: nn.Module, clips: Clips, tasks: Sequence[str], device: str = "cpu") -> dict[str, Predicted]:
    """What the module says of every clip, and what is known of it, by task; of steps without labels nothing is."""
    module.to(device).eval()
    found: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {name: [] for name in tasks}
    with torch.inference_mode():
        for start in range(0, len(clips), 64):
            batch = clips.batch(np.arange(start, min(start + 64, len(clips)))).to(device)
            for name, prediction in module(batch.features, batch.masks, tasks).items():
                none = torch.zeros(prediction.shape[:2], dtype=torch.bool)
                label, mask = batch.labels.get(name, none), batch.labelled.get(name, none)
                found[name].append((prediction.float(), label, mask))
    return {
        name: Predicted(*(_joined(some) for some in zip(*parts, strict=True))) for name, parts in found.items() if parts
    }


def _joined(parts: Sequence[Tensor]) -> NDArray[Any]:
    """Batches one after another; where their second axes are steps of different numbers, zeros at the ends."""
    arrays = [part.cpu().numpy() for part in parts]
    if len({array.shape[1:] for array in arrays}) > 1:
        steps = max(array.shape[1] for array in arrays)
        arrays = [np.pad(one, [(0, 0), (0, steps - one.shape[1])] + [(0, 0)] * (one.ndim - 2)) for one in arrays]
    return np.concatenate(arrays)
