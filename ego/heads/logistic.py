"""Logistic regression on the mean of a clip's rows, by scikit-learn: the probe whose optimum is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.heads._base import Batch, Head, Tasks, wanted
from ego.heads._shapes import of_clips, pooled_width
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn

    from ego.heads._linear import LinearModule


@dataclass(frozen=True)
class Logistic(Head):
    """Multinomial logistic regression of the pooled rows (as `linear` pools them), solved by L-BFGS.

    `strength` is scikit-learn's C: how much the clips' loss counts against |weight|^2 / 2. A class without a training
    clip is never predicted. The `norm` is that of `ridge`.
    """

    norm: Literal["layer", "batch", "equal", "none"] = "layer"
    strength: float = 1.0
    iterations: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.strength <= 0 or self.iterations < 1:
            raise BadRequest(
                f"got logistic.strength = {self.strength:g} and iterations = {self.iterations}, expected more than 0"
            )

    @property
    def pooled(self) -> bool:
        """It reads means alone."""
        return True

    @property
    def solves(self) -> bool:
        """Always: scikit-learn does."""
        return True

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "LinearModule":
        """The module before it is told its weights."""
        from ego.heads._linear import LinearModule

        outputs = of_clips(self, tasks)
        for name, shape in outputs.items():
            if len(shape) != 1 or shape[0] < 2:
                raise BadRequest(f"got the task {name!r} of shape {list(shape)} for logistic, expected classes")
        widths = {name: pooled_width(shapes[name], self.name) for name in wanted(self, shapes)}
        return LinearModule(self.norm, 0.0, widths, outputs)

    def solve(self, whole: Batch, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module with the weights of all training clips."""
        from ego.heads._logistic import solve

        module = self.build(shapes, tasks)
        solve(module, whole, {name: task.shape[0] for name, task in tasks.items()}, self.strength, self.iterations)
        return module.eval()
