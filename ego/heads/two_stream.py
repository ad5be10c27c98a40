"""Two heads made one: late fusion of scores, or joint training of both vectors (Sudhakaran and Lanz 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks, Tensors
from ego.heads._shapes import share
from ego.heads.linear import Linear
from ego.video import Array

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class TwoStream(Head):
    """The heads `first` and `second`, each of its own `features`, which together are those of this one.

    `fuse` averages their `softmax` or their `logits`, each stream learning by its own loss; or puts their vectors side
    by side, `joint`: first, second, dropout, a linear layer a task. Tasks of steps are the first one's. The streams'
    own classes are not used, nor made, when they are joined.
    """

    first: Head = Linear()
    second: Head = Linear()
    fuse: Literal["softmax", "logits", "joint"] = "softmax"
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        if not self.features and self.first.features and self.second.features:
            read = dict.fromkeys((*self.first.features, *self.second.features))
            object.__setattr__(self, "features", tuple(read))

    def lead(self, shapes: Mapping[str, Array]) -> str:
        """That of the first stream."""
        return self._stream(self.first, "first", shapes).lead(shapes)

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._two_stream import TwoStreamModule

        clips = {name: task for name, task in tasks.items() if not task.reads}
        for name, task in clips.items():
            if len(task.shape) != 1:
                raise BadRequest(f"got the task {name!r} of shape {list(task.shape)} for two_stream, expected classes")
        dense = {name: task for name, task in tasks.items() if task.reads}
        own = {} if self.fuse == "joint" else clips
        first = self._stream(self.first, "first", shapes).build(shapes, {**own, **dense})
        second = self._stream(self.second, "second", shapes).build(shapes, own)
        widths = [getattr(one, "width", 0) for one in (first, second)]
        if self.fuse == "joint" and not all(hasattr(one, "embed") for one in (first, second)):
            raise BadRequest(
                f"got {self.first.name} and {self.second.name} for two_stream with fuse = 'joint', which needs heads "
                "of one vector a clip: linear, mlp, convlstm, lsta, stam, lstm, tcn or attentive_probe"
            )
        outputs = {name: task.shape for name, task in clips.items()}
        return TwoStreamModule(first, second, self.fuse, (widths[0], widths[1]), self.dropout, outputs, tuple(dense))

    def loss(self, predictions: Tensors, labels: Tensors, labelled: Tensors, tasks: Tasks) -> "Tensor":
        """The weighted sum of the tasks' losses, of each stream by itself where they are fused late."""
        from torch import stack

        losses = []
        for said, prediction in predictions.items():
            name = said.partition("@")[0]
            losses.append(tasks[name].weight * tasks[name].loss(prediction, labels[name], labelled[name]))
        return stack(losses).sum()

    def _stream(self, stream: Head, field: str, shapes: Mapping[str, Array]) -> Head:
        """A stream that says what it reads; one that does not is a BadRequest where there is a choice."""
        if stream.features:
            return stream
        if len(shapes) > 1:
            raise BadRequest(
                f"got no features for head.{field}, the recipe extracts: {', '.join(shapes)}; say which it reads with "
                f'head.{field} = {{ name = "{stream.name}", features = [...] }}'
            )
        return replace(stream, features=tuple(shapes))
