"""`slow_layer5`: the state-change networks of Ego4D, one token a frame (Grauman et al. 2022; EgoT2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._slowfast import Residual
from ego.layers import slowfast_plan as plan
from ego.sampling import Window
from ego.video import Picture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ego.extractors._weights import Tensors


@dataclass(frozen=True, kw_only=True)
class SlowLayer5(Residual):
    """End points `stem`, `res2` to `res5` (maps), `tokens` (T, 8192), their mean `pool` (8192) and `logits`.

    The head is the file's: of keyframe localisation (PNR) a logit a frame, (T,); of state-change detection
    (OSCC) two of the mean. Random weights have the first. The 16 frames are spread over 8 s, the picture is
    squashed to 225x225: 2x2 windows of 7x7 cells, each frame's 8192 numbers in the order row, column, channel.
    `scaling` is `byte` (0 to 255, as the released weights take it) or `kinetics` ((x / 255 - 0.45) / 0.225).
    """

    arch: ClassVar[plan.Arch] = "slow_layer5"
    end_points: ClassVar[tuple[str, ...]] = (*plan.STEPS, "tokens", "pool", "logits")
    classes: ClassVar[int] = 1

    window: Window = Window(frames=16, stride=16, fps=2.0)
    taps: tuple[str, ...] = ("tokens",)
    picture: Picture = Picture("squash", 225)
    size: int = 225
    scaling: Literal["byte", "kinetics"] = "byte"

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C, T, h, w), (T, C), (C,), or logits (T,) or (classes,)."""
        width = plan.WIDTHS[-1] * self._cells**2
        if tap in ("tokens", "pool"):
            return (self.window.frames, width) if tap == "tokens" else (width,)
        return super().shape(tap, classes)

    def heads(self, found: "Tensors") -> dict[str, int]:
        """The one head of a file and its classes; one logit a frame counts as so many classes."""
        if not found:
            return {plan.KEYFRAME_HEAD: self.classes}
        biases = {head: f"{head}.projection.bias" for head in (plan.KEYFRAME_HEAD, plan.STATE_HEAD)}
        return {head: len(found[bias]) for head, bias in biases.items() if bias in found}

    def classes_of(self, found: "Tensors") -> int:
        """How many logits a row has."""
        frames = self.window.frames
        return sum(n * frames if head == plan.KEYFRAME_HEAD else n for head, n in self.heads(found).items())

    def arrange(self, x: "Tensor") -> "Tensor":
        """As it is: tokens have their frames first already."""
        return x

    def restore(self, tap: str, rows: "Tensor") -> "Tensor":
        """As they are."""
        return rows

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """One pathway whose every block sees three frames."""
        from ego.layers.slow_layer5 import SlowLayer5 as Layers

        head, classes = next(iter(self.heads(found).items()), (None, 0))
        if after == "pool" and head == plan.KEYFRAME_HEAD:
            raise BadRequest(
                f"got tap 'pool' of {self.name} with the head of keyframe localisation, which gives a logit for each "
                "frame and not for their mean; name the tap tokens"
            )
        return Layers(head, classes, self._cells, after)

    def prepare(self) -> "nn.Module":
        """The crop in its scaling."""
        from ego.extractors._tapped import Normalise

        if self.scaling == "kinetics":
            return super().prepare()
        return Normalise(self.size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), white=1.0)

    @property
    def _cells(self) -> int:
        return plan.cells(plan.shape(self.arch, "res5", self.window.frames, self.size)[-1])
