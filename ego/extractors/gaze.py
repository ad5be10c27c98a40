"""`gaze`: where the eyes look in each frame, from what an eye tracker wrote beside the video."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Beside, Block, Files, Rows, Tracker
from ego.gaze import FIXATION, SACCADE, SEEN, UNKNOWN, by_frame
from ego.sampling import Window
from ego.video import Array, Reading, Signal

BEYOND = 0.5
"""The share of samples outside the video above which they are taken for another video's."""


@dataclass(frozen=True)
class Gaze(Tracker):
    """One row a frame: the point, its type and whether the eyes blink.

    `label` says how a frame's samples become one: their `median`, the `nearest` one or folded `pairwise` (see
    `ego.gaze.by_frame`). Samples whose tracker is less sure than `least_confidence` are untracked, where it says how
    sure it is. A lost point is held for `hold_frames` frames, as of unknown type.
    """

    window: Window = Window()
    label: Literal["median", "nearest", "pairwise"] = "median"
    least_confidence: float = 0.6
    hold_frames: int = 0
    still: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hold_frames < 0 or self.still < 0 or not 0 <= self.least_confidence <= 1:
            raise BadRequest(
                f"got gaze.hold_frames = {self.hold_frames}, gaze.still = {self.still:g} and gaze.least_confidence = "
                f"{self.least_confidence:g}, expected 0 or more, and a confidence from 0 to 1"
            )

    def needs(self) -> dict[str, Signal]:
        """The gaze beside the video; no picture."""
        return {"gaze": Signal("gaze")}

    def rows(self, files: Files) -> dict[str, Array]:
        """`point` (2,) fractions of the frame, `type` () code of `ego.gaze`, `blink` ()."""
        return {
            "point": Array((2,), "float32", "points"),
            "type": Array((), "int8"),
            "blink": Array((), "bool"),
        }

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """The value of each frame; gaze of another video or clock is a BadVideo."""
        reading = beside.signals["gaze"]
        _check_clock(reading)
        first, stop = None, 0.0
        held, eyes = Held(self.hold_frames), Eyes(self.still, beside.height / max(beside.width, 1))
        for block in blocks:
            first = float(block.time[0, 0]) if first is None else first
            stop = float(block.time[-1, 2])
            edges = np.append(block.time[:, 0], stop)
            point, kinds, blink = by_frame(reading, edges, self.label, self.least_confidence)
            point, kinds = held.fill(point, eyes.tell(point, kinds, blink))
            arrays: dict[str, NDArray[Any]] = {"point": point.astype(np.float32), "type": kinds, "blink": blink}
            yield Rows(arrays, block.time, block.source)
        if beside.whole and first is not None:
            _check_extent(reading, first, stop)


class Eyes:
    """Tells at rest from moving by how far the point goes from frame to frame."""

    def __init__(self, still: float, height: float) -> None:
        self._still, self._scale = still, np.array([1.0, height])
        self._last: tuple[NDArray[np.float64], bool] = (np.zeros(2), False)

    def tell(self, point: NDArray[np.float64], kinds: NDArray[np.int8], blink: NDArray[np.bool_]) -> NDArray[np.int8]:
        """The types of frames that follow those before; one whose frame before has no point keeps its own."""
        if not self._still or not len(kinds):
            return kinds
        seen = np.isin(kinds, SEEN) & ~blink
        before = np.concatenate([self._last[0][None], point[:-1]])
        known = np.concatenate([[self._last[1]], seen[:-1]]) & seen & (kinds == UNKNOWN)
        far = np.linalg.norm((point - before) * self._scale, axis=1) > self._still
        self._last = (point[-1].copy(), bool(seen[-1]))
        return np.where(known, np.where(far, SACCADE, FIXATION), kinds).astype(np.int8)


class Held:
    """Holds a lost point for some frames."""

    def __init__(self, frames: int) -> None:
        self._frames, self._left = frames, 0
        self._point: NDArray[np.float64] = np.zeros(2)

    def fill(self, point: NDArray[np.float64], kinds: NDArray[np.int8]) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """(point, type) of frames that follow those before."""
        if not self._frames:
            return point, kinds
        point, kinds = point.copy(), kinds.copy()
        for row in range(len(kinds)):
            if kinds[row] in SEEN:
                self._point, self._left = point[row].copy(), self._frames
            elif self._left:
                point[row], kinds[row] = self._point, UNKNOWN
                self._left -= 1
        return point, kinds


def _check_clock(reading: Reading) -> None:
    """Times before 0, or that run backwards, are on no video's clock."""
    seconds = reading.seconds[:, 0]
    if len(seconds) and seconds.min() < 0:
        where = _where(reading, int(np.argmin(seconds)))
        raise BadVideo(
            f"the gaze beside this video begins {-seconds.min():g} s before it{where}, expected times on the video's "
            "own clock, at or after 0"
        )
    back = np.flatnonzero(np.diff(seconds) < 0)
    if len(back):
        row = int(back[0]) + 1
        raise BadVideo(
            f"the gaze beside this video goes back from {seconds[row - 1]:g} to {seconds[row]:g} s"
            f"{_where(reading, row)}, expected samples in the order of time"
        )


def _check_extent(reading: Reading, first: float, stop: float) -> None:
    """Samples that lie mostly outside the video belong to another one."""
    seconds = reading.seconds[:, 0]
    outside = (seconds < first - 1.0) | (seconds > stop + 1.0)
    if len(seconds) and outside.mean() > BEYOND:
        raise BadVideo(
            f"{int(outside.sum())} of {len(seconds)} gaze samples lie outside this video of {stop - first:.2f} s (they "
            f"reach from {seconds[0]:g} to {seconds[-1]:g} s), expected the gaze of this video; look at which file "
            "lies beside it"
        )


def _where(reading: Reading, row: int) -> str:
    return f" ({reading.sources[row]})" if reading.sources else ""
