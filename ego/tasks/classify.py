"""One class a clip, by cross-entropy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.spec import late
from ego.tasks import _metrics as figures
from ego.tasks._base import Judged, Task

if TYPE_CHECKING:
    from torch import Tensor

LISTED = 20
"""How many classes a message names."""
NARROW = 64


@dataclass(frozen=True)
class Classify(Task):
    """Which of `classes` the clip's `label` is; without `classes`, those of the data set in its order.

    `class_weights` weigh the clips of each class in the loss: given in the order of `classes`, or `balanced` by how
    rare a class is among the labels trained on. `smoothing` moves that share of each label to all classes alike,
    `focal` is the exponent of focal loss (Lin et al. 2017), 0 for none.

    The metrics are accuracy, mean class accuracy and accuracy among the `top` highest scores. With `absent` zero the
    mean is over all classes and those without a tested clip count 0. `many` adds precision and recall averaged over
    the classes of more than so many training clips; `rounded` rounds what is averaged as published code does (see
    `ego.tasks._metrics.per_class`). Tested clips of a class without a training clip are refused, or with
    `unseen = "count"` count as errors.
    """

    label: str = ""
    classes: tuple[str, ...] = ()
    top: tuple[int, ...] = (5,)
    unseen: Literal["refuse", "count"] = "refuse"
    class_weights: Literal["none", "balanced"] | tuple[float, ...] = late("none")
    smoothing: float = late(0.0)
    focal: float = late(0.0)
    absent: Literal["skip", "zero"] = late("skip")
    many: int = late(0)
    rounded: bool = late(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.label:
            raise BadRequest("classify needs a value for: label; it names a label of the data set's clips")
        if len(set(self.classes)) != len(self.classes):
            raise BadRequest(f"got a class of {self.label!r} twice in classify.classes")
        if any(top < 1 for top in self.top):
            raise BadRequest(f"got classify.top = {list(self.top)}, expected numbers of at least 1")
        if not 0 <= self.smoothing < 1 or self.focal < 0 or self.many < 0:
            raise BadRequest(
                f"got classify.smoothing = {self.smoothing:g}, focal = {self.focal:g} and many = {self.many}, expected "
                "a share below 1 and numbers of at least 0"
            )
        if self.smoothing and self.focal:
            raise BadRequest("got classify.smoothing and classify.focal, expected one of them; set the other to 0")
        self._check_weights()

    def _check_weights(self) -> None:
        if isinstance(self.class_weights, str):
            return
        if min(self.class_weights, default=0.0) < 0 or not any(self.class_weights):
            raise BadRequest(
                f"got classify.class_weights = {list(self.class_weights)}, expected numbers of at least 0, one above it"
            )
        if self.classes and len(self.class_weights) != len(self.classes):
            raise BadRequest(
                f"got {len(self.class_weights)} classify.class_weights for the {len(self.classes)} classes of "
                f"{self.label!r}, expected one each"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """One score a class, before softmax."""
        return (len(self.classes),)

    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task over the data set's classes of its label; classes of its own stay."""
        if self.label not in classes:
            raise BadRequest(f"got the label {self.label!r}, the data set has: {', '.join(classes) or 'none'}")
        return self if self.classes else replace(self, classes=tuple(classes[self.label]))

    def fitted(self, labels: NDArray[Any]) -> Self:
        """With `balanced` weights as numbers: clips / (classes trained on * clips of the class), 0 for none."""
        if self.class_weights != "balanced":
            return self
        counts = np.bincount(labels, minlength=len(self.classes))
        seen = counts > 0
        weights = np.where(seen, len(labels) / (max(int(seen.sum()), 1) * np.maximum(counts, 1)), 0.0)
        return replace(self, class_weights=tuple(float(one) for one in weights) if seen.any() else "none")

    def encode(self, labels: Mapping[str, Any]) -> NDArray[Any] | None:
        """The index of the clip's class; a class outside the label space is a BadRequest."""
        if self.label not in labels:
            return None
        try:
            return np.asarray(self.classes.index(labels[self.label]), np.int64)
        except ValueError:
            raise BadRequest(
                f"got {labels[self.label]!r} as {self.label!r}, expected one of: {listed(self.classes)}"
            ) from None

    @property
    def blank(self) -> NDArray[Any]:
        """Class 0, masked."""
        return np.asarray(0, np.int64)

    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """Cross-entropy, averaged over the labelled clips by the weights of their classes."""
        return self._mean(prediction, label, mask)

    def losses(self, predictions: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """The same of (B, classes, K), for each of the K; torch is quick where classes do not come last."""
        return self._mean(predictions.contiguous(), label[:, None].expand(-1, predictions.shape[-1]), mask[:, None])

    def slopes(self, predictions: "Tensor", label: "Tensor", mask: "Tensor") -> tuple["Tensor", "Tensor"]:
        """Losses (K,) and their gradients: each probability less the label's, by the clip's share of the mean."""
        import torch

        if self.focal or not isinstance(self.class_weights, str) or self.class_weights == "balanced":
            return super().slopes(predictions, label, mask)
        count, classes, settings = predictions.shape
        # (settings, classes, clips): torch is slow along a short last axis
        known = predictions.float().permute(2, 1, 0).contiguous().log_softmax(1)
        each = known.gather(1, label.expand(settings, 1, count))[:, 0]
        wanted = torch.eye(classes, device=label.device).index_select(1, label)
        if self.smoothing:
            each = each * (1 - self.smoothing) + known.mean(1) * self.smoothing
            wanted = wanted * (1 - self.smoothing) + self.smoothing / classes
        slope = known.exp_().sub_(wanted)
        if mask.device.type == "cpu" and bool(mask.all()):
            return -each.mean(1), slope.mul_(1 / count).permute(2, 1, 0)  # the same in fewer steps
        share = mask / mask.sum().clamp(min=1)
        return -(each @ share), slope.mul_(share).permute(2, 1, 0)

    def _mean(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        import torch
        from torch.nn import functional

        if self.class_weights == "balanced":
            raise BadRequest("balanced class weights are not known before the labels trained on; call fitted first")
        scores = prediction.float()
        weights = None if isinstance(self.class_weights, str) else scores.new_tensor(self.class_weights)
        # along a short last axis torch is slow
        narrow = scores.ndim == 2 and scores.shape[1] <= NARROW and len(scores) >= 256
        given = (scores.t()[None], label[None]) if narrow else (scores, label)
        each = functional.cross_entropy(*given, weight=weights, reduction="none", label_smoothing=self.smoothing)
        each = each.squeeze(0) if narrow else each
        if self.focal:
            chance = torch.softmax(scores, dim=1).gather(1, label.unsqueeze(1)).squeeze(1)
            each = each * (1 - chance).clamp(min=0) ** self.focal
        if weights is None and mask.device.type == "cpu" and bool(mask.all()):
            return each.mean(0)  # the same in fewer steps
        if weights is None:
            return (each * mask).sum(0) / mask.sum().clamp(min=1)
        total = (weights[label] * mask).sum(0)
        return (each * mask).sum(0) / torch.where(total > 0, total, torch.ones_like(total))

    def mix(self, looks: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[Any]:
        """The logarithm of the weighted mean of the looks' probabilities."""
        from scipy.special import softmax

        each = softmax(looks.astype(np.float64), axis=1)
        return np.asarray(np.log(np.maximum(np.average(each, axis=0, weights=weights), 1e-30)))

    def metrics(self, judged: Judged) -> dict[str, float]:
        """Accuracy first, then mean class accuracy, each top-k and the many-shot figures, all in [0, 1]."""
        predictions, labels = judged.predictions[judged.mask], judged.labels[judged.mask]
        if not len(labels):
            return {}
        found = {
            "accuracy": figures.accuracy(predictions, labels),
            "mean_class_accuracy": figures.mean_class_accuracy(
                predictions, labels, self.absent == "zero", self.rounded
            ),
        }
        found |= {f"top{top}_accuracy": figures.top_accuracy(predictions, labels, top) for top in self.top}
        if not self.many or judged.trained is None:
            return found
        classes = figures.many_shot(judged.trained, self.many)
        found["many_shot_classes"] = len(classes)
        return found | figures.many_shot_figures(labels, predictions.argmax(axis=1), classes, self.rounded)

    def tables(self, judged: Judged) -> dict[str, NDArray[Any]]:
        """`confusion`: clips of each class (row) by the class found (column)."""
        found = judged.predictions[judged.mask].argmax(axis=1)
        return {"confusion": figures.confusion(found, judged.labels[judged.mask], len(self.classes))}

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

    def likeliest(self, prediction: NDArray[Any], count: int) -> list[tuple[Any, float]]:
        """Classes with their shares by softmax."""
        shares = np.exp(prediction.astype(np.float64) - prediction.max())
        shares /= shares.sum()
        return [(self.classes[i], float(shares[i])) for i in np.argsort(-shares, kind="stable")[:count]]

    def say_label(self, label: NDArray[Any]) -> str:
        """The class of an index."""
        return self.classes[int(label)]


def listed(classes: Sequence[str]) -> str:
    """Classes in words, the first of many."""
    more = f" and {len(classes) - LISTED} more" if len(classes) > LISTED else ""
    return ", ".join(map(repr, classes[:LISTED])) + more
