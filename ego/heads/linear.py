"""The mean of a clip's rows and one linear layer: the plainest probe of what features know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.heads._base import Head, Tasks, wanted
from ego.heads._shapes import of_clips, pooled_width, share
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Linear(Head):
    """A linear layer for each task over the concatenated means of the named features.

    Rows of a clip are averaged, maps over their positions too. `norm` puts each feature on one
    scale first, with nothing learnt: `layer` by the mean and deviation within each clip, `batch` by
    those of each number over clips (as linear probes of self-supervised networks do).
    """

    norm: Literal["layer", "batch", "none"] = "layer"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)

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
        from ego.heads._linear import LinearModule

        features = wanted(self, shapes)
        widths = {name: pooled_width(shapes[name], self.name) for name in features}
        return LinearModule(self.norm, self.dropout, widths, of_clips(self, tasks))
