"""What the optical-flow extractors share: two frames go in, pixels of motion come out, x then y."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.extractors._base import Files, Network
from ego.sampling import Window
from ego.video import Array, Picture

if TYPE_CHECKING:
    from torch import nn

BOUND = 20.0


@dataclass(frozen=True, kw_only=True)
class Flow(Network):
    """Dense flow between the two frames of a window, in pixels of `picture`; row t is frames (t, t + 1).

    `stored` as `float16` keeps every length (to 0.008 px below 32 px); as `int8` it cuts at +- `bound` pixels and
    keeps 127 steps to each side, half the bytes, zero exact.
    """

    window: Window = Window(frames=2, edge="drop")
    picture: Picture = Picture("height", 240)
    stored: Literal["float16", "int8"] = "float16"
    bound: float = BOUND

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window.frames != 2:
            raise BadRequest(
                f"got a window of {self.window.frames} frames for {self.name}, which sees two; set window.frames=2"
            )
        if self.stored == "float16" and self.bound != BOUND:
            raise BadRequest(f"got bound = {self.bound:g} for {self.name}, whose float16 has none; set stored='int8'")
        if self.bound <= 0:
            raise BadRequest(f"got bound = {self.bound:g} for {self.name}, expected pixels above 0")

    def needs(self) -> dict[str, Picture]:
        """The frames."""
        return {"frames": self.picture}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (2, height, width): x right, then y down."""
        return {"feature": flow_array(self.stored, self.bound)}

    @abstractmethod
    def engine(self, files: Files) -> "nn.Module":
        """What computes it: forward(frames (B, 2, H, W, 3) uint8) -> (B, 2, H, W) float32 pixels."""

    def build(self, files: Files) -> "nn.Module":
        """(B, 2, H, W, 3) uint8 -> (B, 2, H, W) float32 pixels, cut where `int8` cuts."""
        from ego.extractors._flow_engines import Bounded

        return Bounded(self.engine(files), self.bound if self.stored == "int8" else None).eval()


def flow_array(stored: Literal["float16", "int8"], bound: float, compress: bool = False) -> Array:
    """What a row of flow is, of whatever origin.

    int8 is compressed, to an eighth of its bytes in less than a millisecond a pair; float16 is not, unless asked: the
    last bits of real numbers are noise (docs/performance.md).
    """
    eight = stored == "int8"
    return Array((2, 0, 0), stored, "flow", bound / 127 if eight else 1.0, compress=compress or eight)
