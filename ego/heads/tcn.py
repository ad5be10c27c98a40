"""Dilated convolutions over a clip's rows: dense labels, one for each step (as in MS-TCN; Abu Farha and Gall 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.heads._base import Head, Tasks, wanted
from ego.heads._shapes import positive, share, step_width, vectors
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TCN(Head):
    """`layers` of residual convolutions over three steps, the reach doubling from layer to layer.

    Features are taken as `lstm` takes them. A task of steps is told by each step, a clip by the mean of all.
    With `causal` no step sees a later one.
    """

    width: int = 64
    layers: int = 6
    causal: bool = False
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        positive(self, "width", "layers")

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._sequence import TCNModule

        widths = {name: step_width(shapes[name], self.name) for name in wanted(self, shapes)}
        steps = vectors(self, tasks)
        outputs = {name: task.shape for name, task in tasks.items()}
        return TCNModule(shapes, widths, self.width, self.layers, self.causal, self.dropout, outputs, steps)
