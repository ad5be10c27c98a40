"""`motion_map`: what moves by itself, one mask a frame (SparNet, Lu et al. 2019; FPAR, Planamente et al. 2021)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._base import Beside, Block, Files, Rows, Tracker
from ego.extractors.idt import IDT
from ego.sampling import Window
from ego.video import Array


@dataclass(frozen=True, kw_only=True)
class MotionMap(Tracker):
    """Every track of `idt` painted as discs at its points, each on its own frame; a map as large as idt's picture.

    `radius_pixels` is that of a picture 540 pixels high and grows with the height, not with a track's scale.
    `paint` may be `start`: only where and when each track begins.
    """

    lag_seconds: ClassVar[float | None] = 2.0

    window: Window = Window()
    idt: IDT = IDT()
    radius_pixels: float = 14.0
    paint: Literal["all", "start"] = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window != self.idt.window:
            raise BadRequest(
                f"got motion_map.window {self.window.describe()['fields']} and another for its idt, "
                f"{self.idt.window.describe()['fields']}; give both the same"
            )
        if self.radius_pixels < 0:
            raise BadRequest(f"got motion_map.radius_pixels = {self.radius_pixels:g}, expected 0 or above")

    def needs(self) -> dict[str, IDT]:
        """The tracks; no picture."""
        return {"tracks": self.idt}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (height, width) of idt's picture, true where something moves by itself; one row a frame."""
        return {"feature": Array((0, 0), "bool", "mask", compress=True)}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """Each frame's map as soon as no later track can touch it: `idt.length` frames later, or at the end."""
        from ego.extractors._discs import follow

        width, height = self.idt.needs()["frames"].pixels(beside.width, beside.height)
        yield from follow(self, blocks, width, height)
