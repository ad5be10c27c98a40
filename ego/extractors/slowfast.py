"""`slowfast`: SlowFast 8x8, ResNet-50 or -101, trained on Kinetics-400 or Ego4D (Feichtenhofer et al. 2019)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._published import WeightFile
from ego.extractors._slowfast import Residual, zoo_file
from ego.layers import slowfast_plan as plan
from ego.sampling import Window

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors

TOKENS = ("tokens_slow", "tokens_fast")


@dataclass(frozen=True, kw_only=True)
class SlowFast(Residual):
    """The fast pathway sees every frame of the window, the slow one a quarter of them.

    End points: `stem` and `res2` to `res5`, maps of both pathways, the slow one's channels first, then the
    fast one's, with the four frames that stand beside a slow one folded into its channels (2048 + 256 * 4 in
    `res5`); `tokens_slow` (8, 2048) and `tokens_fast` (32, 256), means over space; `pool` (2304) and `logits`.

    The slow frames are spread evenly over the window, its first and last among them. Where `clips` windows
    are joined before the slow frames are picked (long-term anticipation), this is number `clip` of them.
    """

    arch: ClassVar[plan.Arch] = "slowfast"
    end_points: ClassVar[tuple[str, ...]] = (*plan.STEPS, *TOKENS, "pool", "logits")
    published: ClassVar[tuple[WeightFile, ...]] = (
        zoo_file("SLOWFAST_8x8_R50.pyth", "SlowFast 8x8, 76.9 % top-1", (("depth", 50),)),
        zoo_file("SLOWFAST_8x8_R101.pyth", "SlowFast 8x8, 77.9 % top-1", (("depth", 101),)),
    )

    window: Window = Window(frames=32, stride=64, interval=2, fps=30.0)
    depth: Literal[50, 101] = 50
    clip: int = 1
    clips: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window.frames % plan.ALPHA or not 1 <= self.clip <= self.clips:
            raise BadRequest(
                f"got {self.window.frames} frames, clip {self.clip} of {self.clips} for {self.name}, expected a "
                f"multiple of {plan.ALPHA} frames and a clip of 1 to clips"
            )

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C, T, h, w), tokens (T, C), (2304,) or (classes,)."""
        slow, fast = plan.WIDTHS[-1], plan.WIDTHS[-1] // plan.BETA
        frames = self.window.frames
        own = {"tokens_slow": (frames // plan.ALPHA, slow), "tokens_fast": (frames, fast), "pool": (slow + fast,)}
        return own[tap] if tap in own else super().shape(tap, classes)

    def above(self, tap: str) -> tuple[str, ...]:
        """What follows from both pathways' maps, or from `pool`; nothing follows from the tokens of one."""
        return () if tap in TOKENS else super().above(tap)

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """Both pathways; how many frames a lateral connection sees is that of the file."""
        from ego.layers.slowfast import SlowFast as Layers

        seen = [x.shape[2] for key, x in found.items() if key.endswith("_fuse.conv_f2s.weight") and x.ndim == 5]
        lateral = seen[0] if seen else plan.LATERAL[self.depth]
        picked = plan.slow_frames(self.window.frames, self.clip, self.clips)
        return Layers(self.arch, self.depth, self.heads(found), after, picked, lateral)
