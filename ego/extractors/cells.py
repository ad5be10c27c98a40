"""`cells`: the maps of another extractor averaged over a coarse grid, so that a clip fits into some numbers a row."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network
from ego.sampling import Window
from ego.video import Array, Box

if TYPE_CHECKING:
    from torch import nn

PARTS = 4
"""Of flow: right, left, down, up."""


@dataclass(frozen=True, kw_only=True)
class Cells(Network):
    """A row of `maps` as the means of `grid` x `grid` cells, `channels` of them one after another.

    Of flow the channels are the means of its parts to the right, to the left, down and up, in pixels a step: as
    histograms of optical flow do (Laptev et al. 2008), so that a hand that goes and one that comes do not cancel. Of
    a mask it is the share of the cell that is true, of other maps each channel's mean. As a `vector` places are kept
    apart by heads that average maps, as a `map` heads that follow maps take it.
    """

    window: Window = Window()
    maps: Extractor
    grid: int = 4
    kind: Literal["vector", "map"] = "vector"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window != self.maps.window:
            raise BadRequest(
                f"got cells.window {self.window.describe()['fields']} and another for its maps, "
                f"{self.maps.window.describe()['fields']}; give both the same"
            )
        if self.grid < 1:
            raise BadRequest(f"got cells.grid = {self.grid}, expected at least 1")

    def needs(self) -> dict[str, Extractor]:
        """The maps."""
        return {"maps": self.maps}

    def box(self, width: int, height: int) -> Box:
        """What the maps show."""
        return self.maps.box(width, height)

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (channels, grid, grid), as a vector flat."""
        own = self._seen(files)
        shape = (_channels(own), self.grid, self.grid)
        if self.kind == "map":
            return {"feature": Array(shape, "float16", "map", box=own.box)}
        return {"feature": Array((shape[0] * shape[1] * shape[2],), "float16")}

    def build(self, files: Files) -> "nn.Module":
        """(B, *shape of a row of the maps) -> (B, *shape)."""
        from ego.extractors._cells import CellMeans

        return CellMeans(self.grid, parted=self._seen(files).kind == "flow", flat=self.kind == "vector").eval()

    def _seen(self, files: Files) -> Array:
        held = self.maps.rows(files)
        if "feature" not in held:
            raise BadRequest(f"got {self.maps.name} as the maps of cells, which gives: {', '.join(held)}")
        own = held["feature"]
        if own.views or own.kind not in ("flow", "mask", "map") or not 2 <= len(own.shape) <= 3:
            raise BadRequest(
                f"got {self.maps.name} as the maps of cells, whose rows are {own.kind} {list(own.shape)}; expected "
                "flow, a mask or a map (channels, height, width)"
            )
        return own


def _channels(array: Array) -> int:
    if array.kind == "flow":
        return PARTS
    return array.shape[0] if len(array.shape) == 3 else 1
