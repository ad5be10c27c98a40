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
    """The tracks of `idt` painted as discs at their points, each on its own frame; a map as large as idt's picture.

    A track is painted on the frames on which it moves: those of any five steps whose mean gain, what `idt` says of
    how much better its own motion explains the pictures than the camera's alone, is above `moving_gain` times the
    noise. Beside a hand the flow moves still points too, and noise moves any, but there is nothing to gain. Of these
    points one is painted if the square about its disc holds at least two and `support` times as many as idt's finest
    level samples there: what moves is larger than a disc, a mistake of the flow is alone. With both 0 every track of
    `idt` is painted at all its points, as published. Discs grow with the height of the picture, not with a track's
    scale: their radius is in pixels of a picture 540 high. `paint` may be `start`: only where and when each track
    that moves begins.
    """

    version: ClassVar[int] = 2

    lag_seconds: ClassVar[float | None] = 15.0
    """More than a track is long at any rate that shows motion."""

    window: Window = Window()
    idt: IDT = IDT()
    moving_gain: float = 0.6
    support: float = 0.15
    radius_pixels: float = 14.0
    paint: Literal["all", "start"] = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window != self.idt.window:
            raise BadRequest(
                f"got motion_map.window {self.window.describe()['fields']} and another for its idt, "
                f"{self.idt.window.describe()['fields']}; give both the same"
            )
        if self.window.fps is not None and self.idt.length / self.window.fps > 15.0 - 1:
            raise BadRequest(
                f"got window.fps = {self.window.fps:g} for motion_map, where {self.idt.length} frames last longer than "
                "14 s; give it a higher rate"
            )
        if min(self.radius_pixels, self.moving_gain, self.support) < 0:
            raise BadRequest(
                f"got radius_pixels = {self.radius_pixels:g}, moving_gain = {self.moving_gain:g} and support = "
                f"{self.support:g} for motion_map, expected each from 0"
            )

    def needs(self) -> dict[str, IDT]:
        """The tracks; no picture."""
        return {"tracks": self.idt}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (height, width) of idt's picture, true where something moves by itself; one row a frame."""
        return {"feature": Array((0, 0), "bool", "mask", compress=True)}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """Each frame's map as soon as no later track can touch it: `idt.length` frames later, or at the end."""
        from ego.extractors._discs import follow

        width, height = self.idt.picture.pixels(beside.width, beside.height)
        yield from follow(self, blocks, width, height)
