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

    A track is painted on the frames on which it moves: those of any five steps of which at least `moving_share` move
    by themselves, by more than `moving_pixels`, and which together take it `reach_pixels` away from where the camera
    alone would. One large step, which is enough for `idt`, is also what a still point does when a hand passes over
    it, and the noise of a flow trembles. Of these points one is painted if the square about its disc holds at least
    two and `support` times as many as idt's finest level samples there: what moves is larger than a disc, a mistake
    of the flow is alone. With all three 0 every track of `idt` is painted at all its points, as published.
    All pixels are those of a picture 540 pixels high and grow with the height, not with a track's scale. `paint` may
    be `start`: only where and when each track that moves begins.
    """

    lag_seconds: ClassVar[float | None] = 15.0
    """More than a track is long at any rate that shows motion."""

    window: Window = Window()
    idt: IDT = IDT()
    moving_pixels: float = 1.5
    moving_share: float = 0.6
    reach_pixels: float = 12.0
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
        if min(self.radius_pixels, self.moving_pixels, self.reach_pixels, self.support) < 0:
            raise BadRequest(
                f"got radius_pixels = {self.radius_pixels:g}, moving_pixels = {self.moving_pixels:g}, reach_pixels = "
                f"{self.reach_pixels:g} and support = {self.support:g} for motion_map, expected each from 0"
            )
        if not 0 <= self.moving_share <= 1:
            raise BadRequest(f"got moving_share = {self.moving_share:g} for motion_map, expected 0 to 1")

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
