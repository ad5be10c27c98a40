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

    A track counts that moves by itself in at least `moving_share` of its steps, by more than `idt.camera_pixels`:
    one such step, which is enough for `idt`, is also what still points do when a hand passes over them. And it gets
    `reach_pixels` away in some five steps: the noise of a flow trembles. A point is painted if the square about its
    disc holds enough such points: `support` times as many as idt's finest level samples there. What moves is larger
    than a disc, a mistake of the flow is alone. With all three 0 every track of `idt` is painted, as published.
    `radius_pixels` and `reach_pixels` are those of a picture 540 pixels high and grow with the height, not with a
    track's scale. `paint` may be `start`: only where and when each track begins.
    """

    lag_seconds: ClassVar[float | None] = 15.0
    """More than a track is long at any rate that shows motion."""

    window: Window = Window()
    idt: IDT = IDT()
    moving_share: float = 0.6
    reach_pixels: float = 20.0
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
        if min(self.radius_pixels, self.reach_pixels, self.support) < 0 or not 0 <= self.moving_share <= 1:
            raise BadRequest(
                f"got radius_pixels = {self.radius_pixels:g}, reach_pixels = {self.reach_pixels:g}, support = "
                f"{self.support:g} and moving_share = {self.moving_share:g} for motion_map, expected the last in 0 "
                "to 1 and the others from 0"
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
