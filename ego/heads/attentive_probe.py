"""Cross-attention pooling of frozen tokens, as today's video models are probed (V-JEPA; Bardes et al. 2024)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks, wanted
from ego.heads._shapes import of_clips, positive, share, step_width
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class AttentiveProbe(Head):
    """A learnt query attends to every place and moment of all rows; a layer of GELU and a linear one a task follow.

    Each feature has a norm of its own and, where its width is not `width`, a linear layer. `width` 0 is that of the
    first feature.
    """

    width: int = 0
    heads: int = 8
    ratio: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        positive(self, "heads", "ratio")

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._attentive_probe import ProbeModule

        widths = {name: step_width(shapes[name], self.name) for name in wanted(self, shapes)}
        width = self.width or next(iter(widths.values()))
        if width % self.heads:
            raise BadRequest(
                f"got {self.heads} heads for a width of {width}, expected a divisor of it; set head.heads or head.width"
            )
        return ProbeModule(shapes, widths, width, self.heads, self.ratio, self.dropout, of_clips(self, tasks))
