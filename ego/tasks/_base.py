"""What there is to learn: a label space, a loss and the metrics that judge it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from ego.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Task(Spec, ABC):
    """One thing to learn of a clip; `weight` scales its loss among others."""

    weight: float = 1.0

    @property
    def target(self) -> Spec | None:
        """The extractor whose stored rows are the labels; None where the clip itself is labelled."""
        return None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one prediction."""

    @abstractmethod
    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task with its label space filled in from a data set's class names by label."""

    @abstractmethod
    def encode(self, labels: Mapping[str, Any]) -> NDArray[Any] | None:
        """The labels of one clip as the numbers that `loss` takes; None where the clip has none of this task."""

    @property
    @abstractmethod
    def blank(self) -> NDArray[Any]:
        """The numbers of a clip without a label, of the shape and type that `encode` gives; masked everywhere."""

    @abstractmethod
    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """The mean loss, a scalar, over the clips whose `mask` (B,) is true; 0 where there is none."""

    @abstractmethod
    def metrics(self, predictions: NDArray[Any], labels: NDArray[Any]) -> dict[str, float]:
        """Figures over labelled clips, (n, *shape) predictions against n labels, by name; the first one leads."""

    def unlearnable(self, trained: NDArray[Any], tested: NDArray[Any]) -> str | None:
        """Why the tested labels cannot be learnt from those trained on; None where they can."""
        return None

    @abstractmethod
    def say(self, prediction: NDArray[Any]) -> Any:
        """One prediction in the words of the label space, as plain JSON."""

    @abstractmethod
    def say_label(self, label: NDArray[Any]) -> Any:
        """One encoded label in the same words."""
