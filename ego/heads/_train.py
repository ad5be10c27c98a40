"""The one training loop: steps over streams of clips, one batch from each, gradients summed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import Batch, Head, Tasks
from ego.heads._training import Training
from ego.video import Array


class Clips(Protocol):
    """Clips that can be drawn by index: from the store, or live from decoded windows."""

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.int64], draw: np.random.Generator | None = None) -> Batch:
        """These clips as one batch on the CPU: as they are tested, or with `draw` as they are trained on."""


@dataclass(frozen=True)
class Stream:
    """Clips and the tasks they label. `cycle` starts again while others go on; else its end ends the epoch."""

    clips: Clips
    tasks: tuple[str, ...]
    cycle: bool = False


@dataclass(frozen=True)
class Step:
    """One step of training: its place among `total` steps, its epoch (from 1) and its loss, a scalar tensor."""

    step: int
    total: int
    epoch: int
    loss: Tensor


def begin(head: Head, shapes: Mapping[str, Array], tasks: Tasks, training: Training) -> nn.Module:
    """The head's module with the initial values of the seed; torch's own generator stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(training.seed % 2**63)
        return head.build(shapes, tasks)


def train(
    module: nn.Module, head: Head, tasks: Tasks, streams: Sequence[Stream], training: Training, device: str = "cpu"
) -> Iterator[Step]:
    """Trains the module in place and yields every step; the same seed gives the same weights, bit for bit.

    A loss that is not finite at the end of an epoch is a BadRequest.
    """
    module.to(device)
    per_epoch = _steps(streams, training.batch)
    total = min(per_epoch * training.epochs, training.steps or per_epoch * training.epochs)
    optimiser = _optimiser(module, training)
    for step in range(total):
        epoch, place = divmod(step, per_epoch)
        for group in optimiser.param_groups:
            group["lr"] = training.lr * _share(training, step / total)
        optimiser.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=device)
        with torch.random.fork_rng():  # dropout of a step depends on seed and step alone
            torch.manual_seed((training.seed * 1_000_003 + step) % 2**63)
            module.train()
            for number, stream in enumerate(streams):
                draw = np.random.default_rng([training.seed, number, step])
                one = _loss(module, head, tasks, stream, _deal(stream, number, training, epoch, place), draw, device)
                torch.autograd.backward(one)
                loss += one.detach()
        optimiser.step()
        if place == per_epoch - 1 or step == total - 1:
            _check_finite(loss, step, training)
        yield Step(step + 1, total, epoch + 1, loss)
    module.eval()


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


def _loss(
    module: nn.Module,
    head: Head,
    tasks: Tasks,
    stream: Stream,
    indices: NDArray[np.int64],
    draw: np.random.Generator,
    device: str,
) -> Tensor:
    batch = stream.clips.batch(indices, draw).to(device)
    predictions = module(batch.features, batch.masks, stream.tasks, batch.labels)
    return head.loss(predictions, batch.labels, batch.labelled, tasks)


def _batches(stream: Stream, size: int) -> int:
    return ceil(len(stream.clips) / size)


def _steps(streams: Sequence[Stream], size: int) -> int:
    """How many steps an epoch has: until a stream that does not cycle ends; all cycle: until the longest has."""
    if not streams or any(len(stream.clips) == 0 for stream in streams):
        raise BadRequest("got no clip to train on; look at the data set's split")
    ends = [_batches(stream, size) for stream in streams if not stream.cycle]
    return min(ends) if ends else max(_batches(stream, size) for stream in streams)


def _deal(stream: Stream, number: int, training: Training, epoch: int, place: int) -> NDArray[np.int64]:
    """The clips of one batch: those of a pass shuffled by seed, stream, epoch and pass, dealt evenly."""
    batches = _batches(stream, training.batch)
    turn, place = divmod(place, batches)
    order = np.random.default_rng([training.seed, number, epoch, turn]).permutation(len(stream.clips))
    return np.array_split(order, batches)[place]


def _optimiser(module: nn.Module, training: Training) -> torch.optim.Optimizer:
    learnt = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not learnt:
        raise BadRequest("the head has nothing to learn; choose another head or feature")
    if training.optimiser == "sgd":
        return torch.optim.SGD(learnt, training.lr, training.momentum, weight_decay=training.weight_decay)
    return torch.optim.AdamW(learnt, training.lr, weight_decay=training.weight_decay)


def _share(training: Training, done: float) -> float:
    """The part of the rate that is left when `done` of all steps are taken."""
    return 1.0 if training.schedule == "constant" else 0.5 * (1 + float(np.cos(np.pi * done)))


def _check_finite(loss: Tensor, step: int, training: Training) -> None:
    if not bool(torch.isfinite(loss)):
        raise BadRequest(f"the loss became {float(loss)} by step {step + 1}; set training.lr below {training.lr:g}")
