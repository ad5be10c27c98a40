"""Attention over the last map of a video network, supervised by gaze or not: STAM (Lu et al., ICCV workshops 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks
from ego.heads._shapes import maps, share
from ego.spec import late
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class STAM(Head):
    """Weights every cell of a map (C, T, h, w), such as I3D's `Mixed_5c`, by an attention map and averages it.

    A task of heat-maps, (h, w) a step, is predicted by the attention itself: with it gaze supervises (weight 0.1 in
    the paper). `attention` is how the raw map comes into [0, 1], over each row: by its least and greatest value, as
    the paper says; less its least value alone, as the authors' code does (`release`); by `sigmoid` before its ReLU;
    or `none`, all ones, the plain network. The weighted mean is not divided by the weights, but with `normalised`.
    A map (C, h, w) of one frame is attended to by itself: the spatial form (SAN). `standard` brings each channel of
    the map to one scale over the clips trained on.
    """

    attention: Literal["minmax", "release", "sigmoid", "none"] = "minmax"
    normalised: bool = False
    dropout: float = 0.5
    standard: bool = late(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)

    def lead(self, shapes: Mapping[str, Array]) -> str:
        """The first map it reads."""
        return next(iter(maps(self, shapes)))

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._stam import STAMModule

        seen = self.lead(shapes)
        dense = {name: task.shape for name, task in tasks.items() if task.reads}
        for name, shape in dense.items():
            if len(shape) != 2:
                raise BadRequest(
                    f"got the task {name!r} of shape {list(shape)} for stam, which predicts a map (h, w) a step; use "
                    "the task heatmap"
                )
        clips = {name: task.shape for name, task in tasks.items() if not task.reads}
        return STAMModule(
            seen, shapes[seen], self.attention, self.normalised, self.dropout, clips, tuple(dense), self.standard
        )
