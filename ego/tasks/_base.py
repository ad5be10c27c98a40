"""What there is to learn: a label space, a loss and the metrics that judge it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["vector", "map", "points", "boxes", "flow", "mask", "tokens"]
How = Literal["nearest", "first", "mean"]
"""`nearest`: the valid row nearest to the step's centre; `first`: the one on display when it begins; `mean`: of the
valid rows whose centres lie in it, or the nearest where rows are longer than steps. A step of which no row is valid is
masked."""


@dataclass(frozen=True, eq=False)
class Target:
    """Stored rows read as labels: `values` (rows, *shape), and `valid` (rows, *marks), which of them count.

    `marks` are leading axes of `shape`: the left hand may be there and the right one not. `kind` is that of
    `ego.video.Array` and says how values move into what a feature shows; with `sides` the first axis is (left, right).
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_]
    kind: Kind = "vector"
    sides: bool = False


@dataclass(frozen=True, eq=False)
class Judged:
    """What metrics are made of: n `predictions` (n, *shape), `labels` (n, ...) and `mask` (n, *marks), which count.

    Of a task of steps, n are the steps of all clips one after another. `clips` (n,) numbers the clip of each and
    `trained` are the labels trained on (None: not known).
    """

    predictions: NDArray[Any]
    labels: NDArray[Any]
    mask: NDArray[np.bool_]
    clips: NDArray[np.int64]
    trained: NDArray[Any] | None = None


@dataclass(frozen=True)
class Task(Spec, ABC):
    """One thing to learn; `weight` scales its loss among others.

    A task labels the clip (`encode`), or the steps of a clip (`reads` is not empty): then its labels are stored
    arrays, read on the time axis of the head's leading feature and moved into the part of the frame that it shows.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight < 0:
            raise BadRequest(f"got {self.name}.weight = {self.weight:g}, expected at least 0")

    @property
    def reads(self) -> tuple[str, ...]:
        """The stored arrays that hold the labels, named as features are ("gaze.point"); none: clips are labelled."""
        return ()

    @property
    def of(self) -> tuple[str, ...]:
        """The tasks whose predictions this one combines, with nothing of its own to train; none: it is trained."""
        return ()

    @property
    def how(self) -> How:
        """What a step takes of the rows of a target around it."""
        return "nearest"

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one prediction: of a clip, or of one step."""

    @abstractmethod
    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task with its label space filled in from a data set's class names by label."""

    def among(self, tasks: "Mapping[str, Task]") -> Self:
        """This task with what it takes from those it is `of`, all of them in `tasks`, by the recipe's names."""
        return self

    def fitted(self, labels: NDArray[Any]) -> Self:
        """This task knowing the labels trained on, (n, ...) as encoded: how often each class is among them."""
        return self

    def encode(self, labels: Mapping[str, Any]) -> NDArray[Any] | None:
        """The labels of one clip as the numbers that `loss` takes; None where the clip has none of this task."""
        return None

    @property
    def blank(self) -> NDArray[Any]:
        """The numbers of a clip without a label, of the shape and type that `encode` gives; masked everywhere."""
        return np.zeros((), np.float32)

    def target(self, stored: Mapping[str, NDArray[Any]]) -> Target:
        """The labels of stored rows: the arrays that it `reads`, as real numbers, each (rows, ...)."""
        raise NotImplementedError

    def encode_steps(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """(labels, mask) of targets (n, *shape) that are already on the head's steps and in the view it sees."""
        return values, valid

    def combine(self, predictions: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The predictions (n, *shape) that follow from those of the tasks it is `of`."""
        raise NotImplementedError

    def mix(self, looks: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[Any]:
        """The prediction of a clip from those of several looks at it (looks, *shape): their weighted mean."""
        return np.asarray(np.average(looks, axis=0, weights=weights))

    @abstractmethod
    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """The mean loss, a scalar, over what `mask` counts; 0 where that is nothing.

        Of clips: prediction (B, *shape), mask (B,). Of steps: prediction (B, S, *shape), mask (B, S, *marks).
        """

    def losses(self, predictions: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """(K,) losses of K predictions, which lie on the last axis."""
        from torch import vmap

        found: Tensor = vmap(lambda one: self.loss(one, label, mask), in_dims=-1)(predictions)
        return found

    def slopes(self, predictions: "Tensor", label: "Tensor", mask: "Tensor") -> tuple["Tensor", "Tensor"]:
        """`losses`, and the gradient of each by its own predictions, of their shape."""
        import torch

        with torch.enable_grad():
            given = predictions.detach().requires_grad_()
            losses = self.losses(given, label, mask)
            (slope,) = torch.autograd.grad(losses.sum(), given)
        return losses.detach(), slope

    @abstractmethod
    def metrics(self, judged: Judged) -> dict[str, float]:
        """Figures by name, over what the mask counts; the first one leads, and is better the higher it is."""

    def tables(self, judged: Judged) -> dict[str, NDArray[Any]]:
        """Figures that are no single number, by name: such as the confusion matrix, whose rows are the labels."""
        return {}

    def unlearnable(self, trained: NDArray[Any], tested: NDArray[Any]) -> str | None:
        """Why the tested labels cannot be learnt from those trained on; None where they can."""
        return None

    @abstractmethod
    def say(self, prediction: NDArray[Any]) -> Any:
        """One prediction in the words of the label space, as plain JSON."""

    def likeliest(self, prediction: NDArray[Any], count: int) -> list[tuple[Any, float]]:
        """What is likeliest in one prediction, in the same words, each with its probability, best first; at most so
        many, and none where there are no classes."""
        return []

    @abstractmethod
    def say_label(self, label: NDArray[Any]) -> Any:
        """One encoded label in the same words."""
