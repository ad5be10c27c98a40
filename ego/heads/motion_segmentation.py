"""Which cells of the frame move, told from an appearance map: SparNet's helping task (Planamente et al. 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks
from ego.heads._shapes import maps, positive
from ego.spec import late
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class MotionSegmentation(Head):
    """ReLU, a convolution to `channels`, ReLU, and a linear layer to every cell of the task, for each step of a map.

    The map is the first that it reads. `before` and `after` are what surrounds the convolution: FPAR's first code had
    a sigmoid before it and nothing after. Standing in the `motion` field of another head it learns beside that
    head's own tasks, from the same map or from one that its own `features` name. `standard` brings each channel of the
    map to one scale over the clips trained on.
    """

    channels: int = 100
    kernel: int = 1
    before: Literal["relu", "sigmoid", "none"] = "relu"
    after: Literal["relu", "none"] = "relu"
    standard: bool = late(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "channels", "kernel")
        if not self.kernel % 2:
            raise BadRequest(f"got motion_segmentation.kernel = {self.kernel}, expected an odd number")

    def lead(self, shapes: Mapping[str, Array]) -> str:
        """The first map it reads."""
        return next(iter(maps(self, shapes)))

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._motion import MotionModule

        for name, task in tasks.items():
            if not task.reads or len(task.shape) != 3:
                raise BadRequest(
                    f"got the task {name!r} of shape {list(task.shape)} for motion_segmentation, expected cells that "
                    "move, (classes, cells, cells) of each step, such as of the task motion"
                )
        feature = self.lead(shapes)
        outputs = {name: task.shape for name, task in tasks.items()}
        return MotionModule(
            feature, shapes[feature], self.before, self.after, self.kernel, self.channels, outputs, self.standard
        )
