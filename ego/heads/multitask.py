"""Several tasks from one map: classes of the clip and points of each moment (Kapidis et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks, wanted
from ego.heads._shapes import maps, pooled_width, share, step_width
from ego.spec import late
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Multitask(Head):
    """For each task of clips a linear layer on the mean of the map; for each task of points a heat-map a step.

    The first map (C, T, h, w) or (C, h, w) leads: a point is the 1x1 convolution of its places, without bias and
    before any softmax, on the map's own cells whatever the task says. Other features join the mean. A task of steps
    that is no map, such as the class of each moment, has a linear layer on the mean over places. Weights begin Xavier
    uniform, biases at 0.

    With `pieces` the layers of clips also see where the points are: the heat-maps of every task of points, each of sum
    1, times their cells, averaged over so many equal pieces of the clip, places and pieces apart. A class that is told
    by where hands go, and when, then learns from a tail that the points have taught to find hands.
    """

    dropout: float = 0.0
    pieces: int = late(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        if self.pieces < 0:
            raise BadRequest(f"got multitask.pieces = {self.pieces}, expected at least 0")

    def lead(self, shapes: Mapping[str, Array]) -> str:
        """The first map it reads."""
        return next(iter(maps(self, shapes)))

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._multitask import MultitaskModule

        lead = self.lead(shapes)
        names = (lead, *(name for name in wanted(self, shapes) if name != lead))
        widths = {name: step_width(shapes[name], self.name) for name in names}
        widths[lead] = pooled_width(shapes[lead], self.name)
        dense = {name: task.shape for name, task in tasks.items() if task.reads}
        if self.pieces and not any(len(shape) > 1 for shape in dense.values()):
            raise BadRequest(
                f"got multitask.pieces = {self.pieces} and no task of points, whose places classes would see; add one, "
                "with weight 0 if it is not to teach"
            )
        clips = {name: task.shape for name, task in tasks.items() if not task.reads}
        return MultitaskModule(shapes, lead, widths, self.dropout, clips, dense, self.pieces)
