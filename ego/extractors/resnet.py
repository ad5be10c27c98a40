"""`resnet`: ResNet-18, -34 or -50 trained on ImageNet, one row a frame (He et al. 2016, torchvision's checkpoints)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.extractors._backbone import Backbone, Kind, check_one_frame
from ego.extractors._published import WeightFile
from ego.layers import resnet_plan as plan

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _torchvision(depth: int, prefix: str, size: int | None, note: str) -> WeightFile:
    name = f"resnet{depth}-{prefix}.pth"
    url = f"https://download.pytorch.org/models/{name}"
    return WeightFile(name, url, prefix, "BSD-3-Clause (torchvision)", note, size, (("depth", depth),))


@dataclass(frozen=True, kw_only=True)
class ResNet(Backbone):
    """End points `conv2_x` to `conv5_x` (maps), `pool` (512 or 2048) and `logits`, of one frame a row.

    At size 224 the maps of `conv3_x`, `conv4_x` and `conv5_x` are 28, 14 and 7 cells wide. For attention by
    class activation (Ego-RNN) there are `bn`, which is `conv5_x`, `nbn`, the same without its last norm and
    ReLU, and `cam` (7, 7), the softmax over the cells of the likeliest class's activation `cam_raw` (LSTA). Of an
    Ego-RNN file (keys that begin with `resNet.`) the ResNet is taken.
    """

    end_points: ClassVar[tuple[str, ...]] = (*plan.TAPS, *plan.ATTENTION)
    head: ClassVar[str] = "fc.bias"
    classes: ClassVar[int] = 1000
    published: ClassVar[tuple[WeightFile, ...]] = (
        _torchvision(18, "f37072fd", 46_830_571, "ImageNet-1k, 69.8 % top-1"),
        _torchvision(34, "b627a593", None, "ImageNet-1k, 73.3 % top-1"),
        _torchvision(50, "0676ba61", 102_530_333, "ImageNet-1k, first recipe, 76.1 % top-1"),
        _torchvision(50, "11ad3fa6", None, "ImageNet-1k, second recipe, 80.9 % top-1"),
    )

    taps: tuple[str, ...] = ("pool",)
    depth: Literal[18, 34, 50] = 18

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_frame(self.name, self.window)

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C,) or (C, h, w)."""
        return plan.shape(self.depth, tap, self.size, classes)

    def kind(self, tap: str, shape: tuple[int, ...]) -> Kind:
        """A class activation is a map, though of one channel."""
        return "map" if tap in ("cam", "cam_raw") else super().kind(tap, shape)

    def above(self, tap: str) -> tuple[str, ...]:
        """What follows from a stage's map: the stages above it, then all that the last map gives."""
        return plan.above(tap)

    def rename(self, found: "Tensors") -> "Tensors":
        """The tensors of the ResNet, whatever stands beside it."""
        own = {key.removeprefix("resNet."): x for key, x in found.items() if key.startswith("resNet.")}
        return own or found

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """ResNet of this depth; that the picture has its channels last in memory makes it run so throughout."""
        from ego.layers.resnet import ResNet as Layers

        return Layers(self.depth, self.classes_of(found), after)

    def prepare(self) -> "nn.Module":
        """The crop of the one frame with ImageNet's mean and deviation."""
        from torch import nn

        from ego.extractors._tapped import Normalise, OnlyFrame

        return nn.Sequential(Normalise(self.size, MEAN, STD), OnlyFrame())
