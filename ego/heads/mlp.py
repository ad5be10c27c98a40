"""The mean of a clip's rows through hidden layers: what a probe finds that need not be a straight line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks, wanted
from ego.heads._shapes import of_clips, pooled_width, share
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class MLP(Head):
    """`linear` with `hidden` layers of GELU, shared by all tasks, below each task's own linear layer.

    `norm` is that of `linear`; `dropout` follows every hidden layer.
    """

    hidden: tuple[int, ...] = (512,)
    norm: Literal["layer", "batch", "none"] = "layer"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        if not self.hidden or min(self.hidden) < 1:
            raise BadRequest(f"got mlp.hidden = {list(self.hidden)}, expected one width or more of at least 1")

    @property
    def pooled(self) -> bool:
        """It reads means alone."""
        return True

    @property
    def stacks(self) -> bool:
        """Without dropout and batch statistics."""
        return not self.dropout and self.norm != "batch"

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._mlp import MLPModule

        widths = {name: pooled_width(shapes[name], self.name) for name in wanted(self, shapes)}
        return MLPModule(self.norm, self.hidden, self.dropout, widths, of_clips(self, tasks))
