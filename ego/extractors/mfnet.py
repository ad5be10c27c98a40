"""`mfnet`: MFNet-3D trained on Kinetics-400, one row a clip (Chen et al. 2018; Kapidis et al. 2019)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.extractors._backbone import Backbone
from ego.layers import mfnet_plan as plan
from ego.sampling import Window
from ego.video import Picture

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors

MEAN = (124 / 255, 117 / 255, 104 / 255)
STD = {"kinetics": (1 / (0.0167 * 255),) * 3, "imagenet": (0.229, 0.224, 0.225)}
HEADS = ("classifier_list.", "coord_layers.")


@dataclass(frozen=True, kw_only=True)
class MFNet(Backbone):
    """End points `conv2` to `conv5` and `tail` (maps of half as many moments as frames), `pool` (768) and `logits`.

    16 frames, every second one; the frame is squashed to 256x256. `std` is what the published weights were
    trained with (0.23482 for every colour), or ImageNet's, which the multitask networks were trained with. Of
    a multitask file the trunk is taken, without its heads.
    """

    end_points: ClassVar[tuple[str, ...]] = plan.TAPS
    head: ClassVar[str] = "classifier.bias"
    classes: ClassVar[int] = 400

    window: Window = Window(frames=16, stride=32, interval=2)
    taps: tuple[str, ...] = ("pool",)
    picture: Picture = Picture("squash", 256)
    std: Literal["kinetics", "imagenet"] = "kinetics"

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C,) or (C, T / 2, h, w)."""
        return plan.shape(tap, self.window.frames, self.size, classes)

    def rename(self, found: "Tensors") -> "Tensors":
        """The tensors of the trunk and of its classifier, where it has one."""
        return {key: tensor for key, tensor in found.items() if not key.startswith(HEADS)}

    def classes_of(self, found: "Tensors") -> int:
        """The classes of the one classifier; 0 for a file without it."""
        return 0 if found and self.head not in found else super().classes_of(found)

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """MFNet-3D of 16 fibres."""
        from ego.layers.mfnet import MFNet3d

        return MFNet3d(self.classes_of(found), after)

    def prepare(self) -> "nn.Module":
        """The crop, less its mean, over its deviation."""
        from ego.extractors._tapped import Normalise

        return Normalise(self.size, MEAN, STD[self.std])
