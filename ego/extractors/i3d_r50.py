"""`i3d_r50`: ResNet-50 inflated to three dimensions, 8x8, trained on Kinetics-400 (Wang et al. 2018; PySlowFast)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.errors import BadRequest
from ego.extractors._published import WeightFile
from ego.extractors._slowfast import Residual, zoo_file
from ego.layers import slowfast_plan as plan

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors


@dataclass(frozen=True, kw_only=True)
class I3DR50(Residual):
    """End points `stem`, `res2` to `res5` (maps), `tokens` (T / 2, 2048), `pool` (2048) and `logits`.

    After `res2` every two frames are pooled into one.
    """

    arch: ClassVar[plan.Arch] = "i3d"
    end_points: ClassVar[tuple[str, ...]] = (*plan.STEPS, "tokens", "pool", "logits")
    published: ClassVar[tuple[WeightFile, ...]] = (zoo_file("I3D_8x8_R50.pyth", "I3D ResNet-50 8x8, 73.3 % top-1"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window.frames < 2:
            raise BadRequest(f"got a window of 1 frame for {self.name}, which pools two; set window.frames=8")

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """One pathway whose blocks see three frames in turn."""
        from ego.layers.slowfast import SlowFast

        return SlowFast(self.arch, 50, self.heads(found), after)
