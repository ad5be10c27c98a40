"""A ConvLSTM over maps: Ego-RNN (Sudhakaran and Lanz 2018) and SparNet (Planamente et al. 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.heads._base import Head, Tasks
from ego.heads._beside import attention, lead_of, motion_map, own_maps, parted
from ego.heads._shapes import of_clips, positive, share
from ego.heads.motion_segmentation import MotionSegmentation
from ego.spec import late
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ConvLSTM(Head):
    """Maps (C, h, w), step after step, through a ConvLSTM of 3 x 3; its last cell state is averaged over places.

    Several maps stand side by side. A map (h, w) beside them, such as resnet's `cam`, weights each step's maps: with
    `nbn` and `cam` it is Ego-RNN's RGB stream, with `conv5_x` alone SparNet's. `pool` is what is averaged: the cell
    state c, as both papers' code does, or what it shows, h. `motion` learns to segment motion beside it. `standard`
    brings each channel of the maps to one scale over the clips trained on.
    """

    channels: int = 512
    pool: Literal["c", "h"] = "c"
    dropout: float = 0.7
    motion: MotionSegmentation | None = None
    standard: bool = late(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        positive(self, "channels")

    def lead(self, shapes: Mapping[str, Array]) -> str:
        """The map that motion is predicted from; without it the first map."""
        return lead_of(self, self.motion, shapes)

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._convlstm import ConvLSTMModule

        clips, dense = parted(self, self.motion, tasks)
        beside = None
        if self.motion is not None and dense:
            seen = motion_map(self, self.motion, shapes)
            beside = self.motion.build({seen: shapes[seen]}, dense)
        return ConvLSTMModule(
            shapes,
            own_maps(self, self.motion, shapes),
            attention(self, shapes),
            self.channels,
            self.pool,
            self.dropout,
            of_clips(self, clips),
            beside,
            self.standard,
        )
