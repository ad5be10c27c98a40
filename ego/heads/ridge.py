"""Ridge regression on the mean of a clip's rows: solved at once, for all strengths."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.heads._base import Batch, Head, Tasks, wanted
from ego.heads._shapes import of_clips, pooled_width
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn

    from ego.heads._ridge import RidgeModule


@dataclass(frozen=True)
class Ridge(Head):
    """The linear map of the pooled rows (as `linear` pools them) that minimises |error|^2 + strength |weight|^2.

    Classes are learnt as one-hot rows. Of `strengths` each task takes the one of least mean square error: by leaving
    out each clip in turn, or with `held_out` > 0 on the last share of the training clips, in their order.

    The `norm` is that of `linear`, or `equal`: `batch` over the root of a feature's width, so that features count
    alike, however many numbers each has (the mean of their normalised kernels).
    """

    norm: Literal["layer", "batch", "equal", "none"] = "layer"
    strengths: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)
    held_out: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.strengths or min(self.strengths) <= 0:
            raise BadRequest(f"got ridge.strengths = {list(self.strengths)}, expected one or more above 0")
        if not 0 <= self.held_out < 1:
            raise BadRequest(f"got ridge.held_out = {self.held_out:g}, expected 0 <= held_out < 1")

    @property
    def pooled(self) -> bool:
        """It reads means alone."""
        return True

    @property
    def solves(self) -> bool:
        """Always: there is a closed form."""
        return True

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "RidgeModule":
        """The module before it is told its weights."""
        from ego.heads._ridge import RidgeModule

        widths = {name: pooled_width(shapes[name], self.name) for name in wanted(self, shapes)}
        return RidgeModule(self.norm, widths, of_clips(self, tasks))

    def solve(self, whole: Batch, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module with the weights of all training clips."""
        from ego.heads._ridge import solve

        module = self.build(shapes, tasks)
        solve(module, whole, of_clips(self, tasks), self.strengths, self.held_out)
        return module.eval()
