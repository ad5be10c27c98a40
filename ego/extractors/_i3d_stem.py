"""The stem of I3D for one moment: what overlapping windows have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.extractors._base import Files, Network
from ego.layers import inception_plan as plan
from ego.sampling import Window
from ego.video import Array, Picture

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Stem(Network):
    """One moment of the stem a row, of the seven frames it sees; `of` is I3D of one frame with the stem as its tap."""

    window: Window = Window(plan.CONVOLUTIONS[plan.END_POINTS[0]][0][0])
    of: Network

    def needs(self) -> dict[str, Picture]:
        """The frames of I3D."""
        return {name: need for name, need in self.of.needs().items() if isinstance(need, Picture)}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (64, 1, h, w)."""
        return self.of.rows(files)

    def build(self, files: Files) -> "nn.Module":
        """forward(frames (B, 7, H, W, 3) uint8, there (B, 7) bool); what is not there is padding."""
        from ego.extractors._tapped import Moment, Tapped

        whole = self.of.build(files)
        assert isinstance(whole, Tapped)
        return Moment(whole).eval()
