"""One class a clip, by cross-entropy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.tasks import _metrics as figures
from ego.tasks._base import Judged, Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Classify(Task):
    """Which of `classes` the clip's `label` is; without `classes`, those of the data set in its order.

    The metrics are accuracy, mean class accuracy and accuracy among the `top` highest scores. Tested
    clips of a class without a training clip are refused, or with `unseen = "count"` count as errors.
    """

    label: str = ""
    classes: tuple[str, ...] = ()
    top: tuple[int, ...] = (5,)
    unseen: Literal["refuse", "count"] = "refuse"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.label:
            raise BadRequest("classify needs a value for: label; it names a label of the data set's clips")
        if len(set(self.classes)) != len(self.classes):
            raise BadRequest(f"got a class of {self.label!r} twice in classify.classes")
        if any(top < 1 for top in self.top):
            raise BadRequest(f"got classify.top = {list(self.top)}, expected numbers of at least 1")

    @property
    def shape(self) -> tuple[int, ...]:
        """One score a class, before softmax."""
        return (len(self.classes),)

    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task over the data set's classes of its label; classes of its own stay."""
        if self.label not in classes:
            raise BadRequest(f"got the label {self.label!r}, the data set has: {', '.join(classes) or 'none'}")
        return self if self.classes else replace(self, classes=tuple(classes[self.label]))

    def encode(self, labels: Mapping[str, Any]) -> NDArray[Any] | None:
        """The index of the clip's class; a class outside the label space is a BadRequest."""
        if self.label not in labels:
            return None
        try:
            return np.asarray(self.classes.index(labels[self.label]), np.int64)
        except ValueError:
            choices = ", ".join(map(repr, self.classes))
            raise BadRequest(f"got {labels[self.label]!r} as {self.label!r}, expected one of: {choices}") from None

    @property
    def blank(self) -> NDArray[Any]:
        """Class 0, masked."""
        return np.asarray(0, np.int64)

    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """Cross-entropy, averaged over the labelled clips."""
        from torch.nn import functional

        each = functional.cross_entropy(prediction.float(), label, reduction="none")
        return (each * mask).sum() / mask.sum().clamp(min=1)

    def mix(self, looks: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[Any]:
        """The logarithm of the weighted mean of the looks' probabilities."""
        from scipy.special import softmax

        each = softmax(looks.astype(np.float64), axis=1)
        return np.asarray(np.log(np.maximum(np.average(each, axis=0, weights=weights), 1e-30)))

    def metrics(self, judged: Judged) -> dict[str, float]:
        """Accuracy first, then mean class accuracy and each top-k, all in [0, 1]."""
        predictions, labels = judged.predictions[judged.mask], judged.labels[judged.mask]
        if not len(labels):
            return {}
        found = {
            "accuracy": figures.accuracy(predictions, labels),
            "mean_class_accuracy": figures.mean_class_accuracy(predictions, labels),
        }
        return found | {f"top{top}_accuracy": figures.top_accuracy(predictions, labels, top) for top in self.top}

    def unlearnable(self, trained: NDArray[Any], tested: NDArray[Any]) -> str | None:
        """The classes that are tested and have no training clip, unless they count."""
        new = [self.classes[index] for index in sorted(set(tested.tolist()) - set(trained.tolist()))]
        if not new or self.unseen == "count":
            return None
        words = ", ".join(map(repr, new))
        return f"tests {words} without a training clip; ignore these classes or set unseen = 'count' to count errors"

    def say(self, prediction: NDArray[Any]) -> str:
        """The class of the highest score."""
        return self.classes[int(np.argmax(prediction))]

    def say_label(self, label: NDArray[Any]) -> str:
        """The class of an index."""
        return self.classes[int(label)]
