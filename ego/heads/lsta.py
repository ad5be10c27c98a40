"""Long Short-Term Attention over maps (Sudhakaran, Escalera and Lanz 2019), RGB stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks
from ego.heads._beside import attention, lead_of, motion_map, own_maps, parted
from ego.heads._shapes import of_clips, positive, share
from ego.heads.motion_segmentation import MotionSegmentation
from ego.spec import late
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LSTA(Head):
    """A map (C, h, w) and its class activations (h, w) before any softmax: resnet's `nbn` and `cam_raw`.

    Attention is carried from step to step, and the output gate sees the memory as the likeliest of `pool_classes`
    weights it. That choice has no gradient and its second matrix, `coupling_fc`, is not trained, as in the authors'
    code; with `soft_pool` the classes are weighted by softmax and it is. `motion` learns to segment motion beside it.
    `standard` brings each channel of the map, and the class activations, to one scale over the clips trained on.
    """

    pool_classes: int = 100
    soft_pool: bool = False
    dropout: float = 0.7
    motion: MotionSegmentation | None = None
    standard: bool = late(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.name, "dropout", self.dropout)
        positive(self, "pool_classes")

    def lead(self, shapes: Mapping[str, Array]) -> str:
        """The map that motion is predicted from; without it the first map."""
        return lead_of(self, self.motion, shapes)

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> "nn.Module":
        """The module, on the CPU, freshly initialised from torch's global generator."""
        from ego.heads._lsta import LSTAModule

        clips, dense = parted(self, self.motion, tasks)
        beside = None
        if self.motion is not None and dense:
            seen = motion_map(self, self.motion, shapes)
            beside = self.motion.build({seen: shapes[seen]}, dense)
        own, cam = own_maps(self, self.motion, shapes), attention(self, shapes)
        if len(own) != 1 or not cam:
            raise BadRequest(
                f"got the maps {', '.join(own)} and {cam or 'no'} attention for lsta, expected a map and its class "
                'activations; name features such as ["rgb.nbn", "rgb.cam_raw"]'
            )
        return LSTAModule(
            shapes,
            own[0],
            cam,
            self.pool_classes,
            self.soft_pool,
            self.dropout,
            of_clips(self, clips),
            beside,
            self.standard,
        )
