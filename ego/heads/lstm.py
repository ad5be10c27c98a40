"""An LSTM over a clip's rows: order counts, and every step may be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.heads._base import Head, Tasks, wanted
from ego.heads._shapes import positive, share, step_width, vectors
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LSTM(Head):
    """`layers` of LSTM over the steps of the first feature; others stand beside it, each step's nearest in the clip.

    Maps are averaged over places, a row's tokens over themselves. `pool` is what a clip is told by: the last step or
    the mean of all. A task of steps, such as the class of each moment, is told by each. Rows that are masked are
    passed over.
    """

    width: int = 512
    layers: int = 1
    bidirectional: bool = False
    pool: Literal["last", "mean"] = "last"
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        positive(self, "width", "layers")

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._sequence import LSTMModule

        widths = {name: step_width(shapes[name], self.name) for name in wanted(self, shapes)}
        steps = vectors(self, tasks)
        outputs = {name: task.shape for name, task in tasks.items()}
        return LSTMModule(
            shapes, widths, self.width, self.layers, self.bidirectional, self.pool, self.dropout, outputs, steps
        )
