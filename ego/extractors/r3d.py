"""`r3d`: R3D-18 or R(2+1)D-18 trained on Kinetics-400, one row a clip (Tran et al. 2018, torchvision's files)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.extractors._backbone import Backbone
from ego.extractors._published import WeightFile
from ego.layers import r3d_plan as plan
from ego.sampling import Window
from ego.video import Picture

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors

MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)


def _torchvision(name: str, digits: str, note: str, variant: str) -> WeightFile:
    file = f"{name}-{digits}.pth"
    url = f"https://download.pytorch.org/models/{file}"
    return WeightFile(
        file, url, digits, "BSD-3-Clause (torchvision)", f"Kinetics-400, {note}", when=(("variant", variant),)
    )


@dataclass(frozen=True, kw_only=True)
class R3D(Backbone):
    """End points `conv2_x` to `conv5_x` (maps), `pool` (512) and `logits`.

    `variant` is `r3d`, whose convolutions are 3x3x3, or `r2plus1d`, which factors each into one over space and
    one over time. 16 frames at 15 a second, of 112x112 pixels.
    """

    end_points: ClassVar[tuple[str, ...]] = plan.TAPS
    head: ClassVar[str] = "fc.bias"
    classes: ClassVar[int] = 400
    published: ClassVar[tuple[WeightFile, ...]] = (
        _torchvision("r3d_18", "b3b3357e", "R3D-18", "r3d"),
        _torchvision("r2plus1d_18", "91a641e6", "R(2+1)D-18", "r2plus1d"),
    )

    window: Window = Window(frames=16, stride=16, fps=15.0)
    taps: tuple[str, ...] = ("pool",)
    picture: Picture = Picture("short", 128)
    size: int = 112
    variant: Literal["r3d", "r2plus1d"] = "r3d"

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C,) or (C, T', h, w); the frames are halved three times."""
        return plan.shape(tap, self.window.frames, self.size, classes)

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """Eighteen layers, whole or factored."""
        from ego.layers.r3d import R3D as Layers

        return Layers(self.variant == "r2plus1d", self.classes_of(found), after)

    def prepare(self) -> "nn.Module":
        """The crop with Kinetics' mean and deviation."""
        from ego.extractors._tapped import Normalise

        return Normalise(self.size, MEAN, STD)
