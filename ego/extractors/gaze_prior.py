"""`gaze_prior`: a guess where the eyes look, for videos without an eye tracker: near the centre, or near the hands."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Beside, Block, Extractor, Files, Rows, Tracker
from ego.gaze import heatmap
from ego.sampling import Window
from ego.video import Array

Maps = NDArray[np.float64]


@dataclass(frozen=True)
class GazePrior(Tracker):
    """One map a frame that sums to 1, and its mean. It is a guess: nobody's eyes were tracked.

    Without `hands` every frame has the same map, a Gaussian at `centre` with `spread` (fractions of the frame; the
    defaults are the fixations of five sessions of EGTEA Gaze+). With `hands`, an extractor of `points`, `visible` and
    `score` for two hands such as `hands`, a share of up to `hand_weight` lies around the hands in sight, each by its
    score, `hand_spread` wide and moved by `hand_offset`: eyes lead hands (Li, Fathi and Rehg 2013).
    """

    hands: Extractor | None = None
    grid: Literal[7, 14, 28, 56, 64] = 14
    centre: tuple[float, float] = (0.51, 0.68)
    spread: tuple[float, float] = (0.11, 0.18)
    hand_offset: tuple[float, float] = (0.0, -0.05)
    hand_spread: float = 0.12
    hand_weight: float = 0.8
    window: Window = Window()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hands is not None and self.hands.window != self.window:
            raise BadRequest("got gaze_prior.window unlike that of its hands, expected a guess for each of their rows")
        if min(*self.spread, self.hand_spread) < 0.5 / self.grid:
            raise BadRequest(
                f"got gaze_prior.spread = {self.spread} and hand_spread = {self.hand_spread:g}, expected at least half "
                f"a cell, {0.5 / self.grid:.3g} of the frame"
            )
        if not 0 <= self.hand_weight <= 1:
            raise BadRequest(f"got gaze_prior.hand_weight = {self.hand_weight:g}, expected a share from 0 to 1")

    def needs(self) -> dict[str, Extractor]:
        """The hands, where they are to lead."""
        return {} if self.hands is None else {"hands": self.hands}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (grid, grid), `point` (2,) fractions of the frame."""
        return {
            "feature": Array((self.grid, self.grid), "float16", "map"),
            "point": Array((2,), "float32", "points"),
        }

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """The guess of each frame."""
        resting = self._around(np.array([self.centre]), self.spread)
        for block in blocks:
            if self.hands is None:
                maps, time, source = np.repeat(resting, len(block.time), axis=0), block.time, block.source
            else:
                led = block.held["hands"]
                maps, time, source = self._led(resting, led), led.time, led.source
            cells = (np.arange(self.grid) + 0.5) / self.grid
            point = np.stack([maps.sum(axis=1) @ cells, maps.sum(axis=2) @ cells], axis=1)
            yield Rows({"feature": maps.astype(np.float32), "point": point.astype(np.float32)}, time, source)

    def _led(self, resting: Maps, hands: Rows) -> Maps:
        """The resting map and one around each visible hand, in shares that sum to 1."""
        score = np.clip(hands.arrays["score"], 0.0, 1.0) * hands.arrays["visible"]
        point = np.clip(hands.arrays["points"] + np.array(self.hand_offset), 0.0, 1.0)
        spread = (self.hand_spread, self.hand_spread)
        around = [self._around(point[:, side], spread) * score[:, side, None, None] for side in range(2)]
        total = np.maximum(score.sum(axis=1), 1e-9)[:, None, None]
        share = self.hand_weight * score.max(axis=1)[:, None, None]
        led: Maps = (1 - share) * resting + share * (around[0] + around[1]) / total
        return led

    def _around(self, point: Maps, spread: tuple[float, float]) -> Maps:
        """(n, grid, grid) Gaussians that sum to 1, of another width than height where asked."""
        valid = np.ones(len(point), bool)
        across = heatmap(point, valid, (1, self.grid), spread[0] * self.grid, "prob").astype(np.float64)
        down = heatmap(point, valid, (self.grid, 1), spread[1] * self.grid, "prob").astype(np.float64)
        return np.asarray(across * down)
