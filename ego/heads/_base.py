"""What learns: a head takes rows of named features of a clip and predicts its tasks.

A head does not know where its features come from. Their names are the recipe's ("rgb", "flow").
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.spec import Spec, Weights, late
from ego.tasks._base import Task
from ego.video import Array

if TYPE_CHECKING:  # a spec is light: torch comes when `build` is called
    from torch import Tensor, nn

Tensors = Mapping[str, "Tensor"]
Tasks = Mapping[str, Task]


@dataclass(frozen=True)
class Batch:
    """Clips as a head sees them, each entry by name.

    `features` are (B, N, *shape), N rows of the clip's parts one after another, and `masks` (B, N)
    which of them are there. `labels` are (B, ...) as the task encodes them and `labelled` (B,)
    which clips have one.
    """

    features: Tensors
    masks: Tensors
    labels: Tensors
    labelled: Tensors

    def to(self, device: str) -> "Batch":
        """The same batch on a device; to a GPU through page-locked memory, without waiting for it."""
        if device == "cpu":
            return self
        moved = ({key: _moved(value, device) for key, value in part.items()} for part in self._parts)
        return Batch(*moved)

    @property
    def _parts(self) -> tuple[Tensors, Tensors, Tensors, Tensors]:
        return self.features, self.masks, self.labels, self.labelled


def _moved(value: "Tensor", device: str) -> "Tensor":
    if device.startswith("cuda") and value.device.type == "cpu":
        return value.pin_memory().to(device, non_blocking=True)
    return value.to(device)


@dataclass(frozen=True)
class Head(Spec, ABC):
    """Describes a module over named features; `features` are the ones it reads, none named: all.

    `tails` names extractors whose network goes on above what is stored of it (an end point such as `conv4`) and is
    trained with the head: the head then reads what comes out of that network, end points that `features` names beyond
    those stored (such as `rgb.pool`). `tail_norms` says whether that network's norms keep their statistics. `start`
    is the weights file of another run that training begins with.
    """

    features: tuple[str, ...] = ()
    tails: tuple[str, ...] = late(())
    tail_norms: Literal["frozen", "trained"] = late("frozen")
    start: Weights | None = late(None)

    @abstractmethod
    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module: forward(features, masks, tasks, labels=None) -> {task: (B, *task shape)}.

        `tasks` names those wanted in this call; `labels` are given in training, for heads whose
        input they are. Of a task of steps it is (B, S, *task shape), S = N * `steps` of the leading feature.
        """

    def lead(self, shapes: Mapping[str, Array]) -> str:
        """The feature on whose steps tasks of steps are predicted: the first that the head reads."""
        return wanted(self, shapes)[0]

    def loss(self, predictions: Tensors, labels: Tensors, labelled: Tensors, tasks: Tasks) -> "Tensor":
        """The weighted sum of the losses of the predicted tasks, a scalar."""
        losses = [
            tasks[name].weight * tasks[name].loss(prediction, labels[name], labelled[name])
            for name, prediction in predictions.items()
        ]
        return reduce(add, losses)

    def losses(self, predictions: Tensors, labels: Tensors, labelled: Tensors, tasks: Tasks) -> "Tensor":
        """(K,): `loss` of K settings, whose predictions lie on the last axis; of heads that `stacks`."""
        losses = [
            tasks[name].weight * tasks[name].losses(prediction, labels[name], labelled[name])
            for name, prediction in predictions.items()
        ]
        return reduce(add, losses)

    def slopes(
        self, predictions: Tensors, labels: Tensors, labelled: Tensors, tasks: Tasks
    ) -> tuple["Tensor", dict[str, "Tensor"]]:
        """`losses` and the gradient of each setting's loss by its own predictions, {task: (B, *shape, K)}."""
        losses, found = [], {}
        for name, prediction in predictions.items():
            weight = tasks[name].weight
            loss, slope = tasks[name].slopes(prediction, labels[name], labelled[name])
            losses.append(loss if weight == 1 else loss * weight)
            found[name] = slope if weight == 1 else slope * weight
        return reduce(add, losses), found

    @property
    def pooled(self) -> bool:
        """Whether the mean is all that it reads of a clip's rows: stored ones are then given as one row, their mean."""
        return False

    @property
    def stacks(self) -> bool:
        """Whether many settings may be trained at once: its module draws nothing and has no statistics of batches."""
        return False

    @property
    def solves(self) -> bool:
        """Whether there is a closed form: `solve` is asked before the loop."""
        return False

    def solve(self, whole: Batch, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module | None":
        """The trained module in closed form, from all training clips as one batch; None: the loop trains it."""
        return None


def wanted(head: Head, given: Mapping[str, object]) -> tuple[str, ...]:
    """The names of the features a head reads among those given; one that is not there is a BadRequest."""
    for name in head.features:
        if name not in given:
            raise BadRequest(f"head.features asks for {name!r}, the recipe extracts: {', '.join(given) or 'nothing'}")
    return head.features or tuple(given)


def steps(array: Array) -> int:
    """How many equal steps of time a row of a feature has: those of a map (C, T, h, w); 1 for all others."""
    shape = array.shape[1:] if array.views else array.shape
    return shape[1] if array.kind == "map" and len(shape) == 4 else 1


def slot(name: str) -> str:
    """The key of a named feature or task in a `ModuleDict`, which takes no dots and no names of its own methods."""
    return "of_" + name.replace(".", "/")
