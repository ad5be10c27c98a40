"""`googlenet`: Inception-v1 of single frames, or of stacked flow (Szegedy et al. 2015, torchvision's checkpoint)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.errors import BadRequest
from ego.extractors._backbone import check_one_frame
from ego.extractors._of_flow import OfFlow
from ego.extractors._published import WeightFile
from ego.layers import googlenet_plan as plan
from ego.sampling import Window

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors

FIRST = "conv1.conv.weight"


@dataclass(frozen=True, kw_only=True)
class GoogLeNet(OfFlow):
    """End points from `Conv2d_1a_7x7` to `Mixed_5c` (maps), `avg_pool` (1024) and `logits`, of one frame a row.

    They are named as those of `i3d`, which is this network inflated. With `sees`, an extractor of flow, a row is of as
    many fields as its window has frames, stacked: x1, y1, x2, y2 ..., cut at 20 pixels, in [-1, 1]. A file of pictures
    then loads too: its first convolution is its mean over the colours in every channel, its classifier is left out.
    """

    end_points: ClassVar[tuple[str, ...]] = plan.END_POINTS
    head: ClassVar[str] = "fc.bias"
    classes: ClassVar[int] = 1000
    published: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile(
            "googlenet-1378be20.pth",
            "https://download.pytorch.org/models/googlenet-1378be20.pth",
            "1378be20",
            "BSD-3-Clause (torchvision)",
            "ImageNet-1k, 69.8 % top-1",
        ),
    )

    window: Window = Window()
    taps: tuple[str, ...] = ("avg_pool",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sees is None:
            check_one_frame(self.name, self.window)
        elif self.sees.window == self.window:
            raise BadRequest(f"got one window for {self.name} and the flow it sees; set window.stride to another value")
        small = [tap for tap in self.taps if min(plan.shape(tap, self.size, 1)) < 1]
        if small:
            raise BadRequest(f"got {self.size} pixels for {small[0]} of {self.name}, expected at least 15; set size")

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C,) or (C, h, w)."""
        return plan.shape(tap, self.size, classes)

    def rename(self, found: "Tensors") -> "Tensors":
        """The file's tensors but those of its auxiliary classifiers; those of a network of pictures ready for flow."""
        own = {key: x for key, x in found.items() if not key.startswith(("aux1.", "aux2."))}
        first = own.get(FIRST)
        if self.sees is None or first is None or first.ndim != 4 or first.shape[1] != 3:
            return own
        kept = {key: x for key, x in own.items() if not key.startswith("fc.")}
        return kept | {FIRST: first.mean(dim=1, keepdim=True).repeat(1, self._channels, 1, 1)}

    def classes_of(self, found: "Tensors") -> int:
        """The classes of its classifier; 0 for a file without it."""
        return 0 if found and self.head not in found else super().classes_of(found)

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """Inception-v1 of three channels, or two for each field of flow."""
        from ego.layers.googlenet import GoogLeNet as Layers

        return Layers(self._channels, self.classes_of(found), after)

    def prepare_frames(self) -> "nn.Module":
        """The crop of the one frame in [-1, 1]: x / 255 * 2 - 1."""
        from torch import nn

        from ego.extractors._tapped import Normalise, OnlyFrame

        return nn.Sequential(Normalise(self.size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), OnlyFrame())

    def prepare(self) -> "nn.Module":
        """The crop of the frame, or of the fields, stacked."""
        from torch import nn

        from ego.extractors._tapped import Stacked

        return super().prepare() if self.sees is None else nn.Sequential(super().prepare(), Stacked(0.5, 0.5))

    @property
    def _channels(self) -> int:
        return 3 if self.sees is None else 2 * self.window.frames
