"""`mean_rgb`: the mean colour of each frame. The smallest whole extractor: copy it to begin your own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.extractors._base import Files, Network
from ego.sampling import Window
from ego.video import Array, Picture

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class MeanRgb(Network):
    """The mean of red, green and blue over the whole frame, each in [0, 1]."""

    window: Window = Window()

    def needs(self) -> dict[str, Picture]:
        """A small picture of the whole frame."""
        return {"frames": Picture("squash", 64)}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (3,): red, green, blue."""
        return {"feature": Array((3,), "float32")}

    def build(self, files: Files) -> "nn.Module":
        """A module without weights: (B, T, H, W, 3) uint8 -> (B, 3) float32."""
        from torch import nn  # here, not above: what only describes an extractor need not wait for torch

        class Mean(nn.Module):
            def forward(self, frames: "Tensor") -> "dict[str, Tensor]":
                return {"feature": frames.float().mean(dim=(1, 2, 3)) / 255}

        return Mean().eval()
