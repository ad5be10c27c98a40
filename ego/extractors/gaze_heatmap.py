"""`gaze_heatmap`: a small map around the point the eyes look at in each frame, as networks are taught with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ego.errors import BadRequest
from ego.extractors._base import Beside, Block, Files, Rows, Tracker
from ego.extractors.gaze import Gaze
from ego.gaze import SEEN, heatmap, kernel_heatmap
from ego.sampling import Window
from ego.video import Array

LEAST_SIGMA = 0.2
"""In cells: a narrower peak falls between two of them."""


@dataclass(frozen=True)
class GazeHeatmap(Tracker):
    """One map of `grid` x `grid` cells a frame of `gaze`, over the whole frame; zeros where no gaze is in it.

    `kind` is `peak` (1 at the point) or `prob` (sums to 1). `sigma` is in cells; left out it is half the grid, as
    STAM's. `centres` whole compares cell j with x * grid as STAM's released code does. With `kernel` cells the
    map is GLC's: a square Gaussian about the nearest corner of cells that sums to 1 (19 cells on a grid of 56).
    """

    gaze: Gaze = Gaze()
    grid: Literal[7, 14, 28, 56, 64] = 7
    sigma: float | None = None
    kind: Literal["peak", "prob"] = "peak"
    centres: Literal["half", "whole"] = "half"
    kernel: int = 0
    window: Window = Window()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window != self.gaze.window:
            raise BadRequest("got gaze_heatmap.window unlike that of its gaze, expected one map for each of its rows")
        if self.sigma is not None and self.sigma < LEAST_SIGMA:
            raise BadRequest(f"got gaze_heatmap.sigma = {self.sigma:g} cells, expected at least {LEAST_SIGMA:g}")
        if self.kernel and (self.kernel % 2 == 0 or self.kernel < 3):
            raise BadRequest(f"got gaze_heatmap.kernel = {self.kernel}, expected an odd number of cells from 3, or 0")
        if self.kernel and (self.kind, self.sigma, self.centres) != ("prob", None, "half"):
            raise BadRequest(
                "got gaze_heatmap.kernel beside another kind, sigma or centres, expected kind = 'prob' alone: "
                "the kernel has its own"
            )

    def needs(self) -> dict[str, Gaze]:
        """The gaze of each frame."""
        return {"gaze": self.gaze}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (grid, grid), `valid` (): whether the eyes look into the frame."""
        return {
            "feature": Array((self.grid, self.grid), "float16", "map"),
            "valid": Array((), "bool"),
        }

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """The map of each row of the gaze."""
        for block in blocks:
            seen = block.held["gaze"]
            valid = np.isin(seen.arrays["type"], SEEN)
            shape = (self.grid, self.grid)
            if self.kernel:
                maps = kernel_heatmap(seen.arrays["point"], valid, shape, self.kernel)
            else:
                maps = heatmap(seen.arrays["point"], valid, shape, self.sigma, self.kind, self.centres)
            yield Rows({"feature": maps, "valid": valid}, seen.time, seen.source)
