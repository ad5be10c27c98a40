"""`slow`: the slow pathway alone, ResNet-50 or -101 trained on Kinetics-400 (Feichtenhofer et al. 2019)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.extractors._published import WeightFile
from ego.extractors._slowfast import Residual, zoo_file
from ego.layers import slowfast_plan as plan

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors


@dataclass(frozen=True, kw_only=True)
class Slow(Residual):
    """Slow 8x8: end points `stem` and `res2` to `res5` (maps), `tokens` (T, 2048), `pool` (2048) and `logits`."""

    arch: ClassVar[plan.Arch] = "slow"
    end_points: ClassVar[tuple[str, ...]] = (*plan.STEPS, "tokens", "pool", "logits")
    alone: ClassVar[str | None] = "res3"
    published: ClassVar[tuple[WeightFile, ...]] = (
        zoo_file("SLOW_8x8_R50.pyth", "Slow 8x8, 74.6 % top-1", (("depth", 50),)),
    )

    depth: Literal[50, 101] = 50

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """One pathway whose stages 4 and 5 see three frames at a time."""
        from ego.layers.slowfast import SlowFast

        return SlowFast(self.arch, self.depth, self.heads(found), after)
