"""`flow_resnet`: ResNet-34 over stacked fields of warp flow, Ego-RNN's motion stream (Sudhakaran and Lanz 2018)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.errors import BadRequest
from ego.extractors._of_flow import OfFlow
from ego.layers import resnet_plan as plan
from ego.sampling import Window

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors

DEPTH = 34
POOLED = 7
"""Cells a side of the windows that are pooled."""
MEAN, STD = 0.449, 0.226
"""Of the three colours of ImageNet together."""


@dataclass(frozen=True, kw_only=True)
class FlowResNet(OfFlow):
    """End points `conv2_x` to `conv5_x` (maps), `pool` (512) and `logits`, of five consecutive fields a row.

    `sees` is the flow, such as `warp_flow`; each field is two channels, x before y, cut at 20 pixels and taken
    as a grey picture is: (v - 0.449) / 0.226, v from 0 to 1. A file of a ResNet-34 of pictures loads too: its
    first convolution is its mean over the colours in every channel, its classifier is left out. `pool` is the mean
    over windows of 7x7 cells, so that of a map of 8x8 (a crop of 225 to 256) the last row and column are not seen.
    """

    version: ClassVar[int] = 2
    end_points: ClassVar[tuple[str, ...]] = plan.TAPS
    head: ClassVar[str] = "fc_action.bias"
    classes: ClassVar[int] = 61

    window: Window = Window(frames=5, stride=5)
    taps: tuple[str, ...] = ("pool",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sees is None:
            raise BadRequest(f"got no flow for {self.name}; name one in its field `sees`, such as warp_flow")
        if self.sees.window == self.window:
            raise BadRequest(f"got one window for {self.name} and the flow it sees; set window.stride to another value")

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C,) or (C, h, w)."""
        return plan.shape(DEPTH, tap, self.size, classes)

    def rename(self, found: "Tensors") -> "Tensors":
        """The file's tensors; those of a network of pictures made ready for flow."""
        first = found.get("conv1.weight")
        if first is None or first.ndim != 4 or first.shape[1] != 3:
            return found
        kept = {key: x for key, x in found.items() if not key.startswith("fc.")}
        return kept | {"conv1.weight": first.mean(dim=1, keepdim=True).repeat(1, 2 * self.window.frames, 1, 1)}

    def classes_of(self, found: "Tensors") -> int:
        """The classes of its classifier; 0 for a file without it."""
        return 0 if found and self.head not in found else super().classes_of(found)

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """ResNet-34 of two channels a field."""
        from ego.layers.resnet import ResNet

        return ResNet(DEPTH, self.classes_of(found), after, 2 * self.window.frames, "fc_action", POOLED)

    def prepare(self) -> "nn.Module":
        """The crop of the fields, stacked."""
        from torch import nn

        from ego.extractors._tapped import Stacked

        return nn.Sequential(super().prepare(), Stacked(MEAN, STD))
