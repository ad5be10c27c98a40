"""Tracks painted as discs: what `motion_map` does with the rows of `idt`."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._base import Block, Rows

if TYPE_CHECKING:
    from ego.extractors.motion_map import MotionMap

Mask = NDArray[np.bool_]


def discs(marks: Mask, radius: float) -> Mask:
    """(h, w) true within `radius` pixels, in a straight line, of any pixel that is marked."""
    if not marks.any():
        return np.zeros_like(marks)
    far = cv2.distanceTransform((~marks).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(far <= np.float32(radius))


def mark(marks: Mask, points: NDArray[np.float32]) -> None:
    """Marks the pixels that points (n, 2), fractions of the picture, lie in; those outside it are left out."""
    height, width = marks.shape
    x, y = np.floor(points * np.array([width, height], np.float32)).astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    marks[y[inside], x[inside]] = True


class Canvas:
    """The frames that tracks may still touch, and the points on each."""

    def __init__(self, spec: "MotionMap", width: int, height: int) -> None:
        self._spec = spec
        self._shape = (height, width)
        self._radius = spec.radius_pixels * height / 540
        self._open: deque[tuple[NDArray[np.float64], NDArray[np.int64], Mask]] = deque()

    def add(self, block: Block) -> None:
        """Frames that tracks may touch from now on, and the tracks that end with them."""
        for time, source in zip(block.time, block.source, strict=True):
            self._open.append((time, source, np.zeros(self._shape, bool)))
        if "tracks" in block.held:
            self._paint(block.held["tracks"])

    def take(self, keep: int) -> Rows | None:
        """The maps of all but the last `keep` frames."""
        done = [self._open.popleft() for _ in range(len(self._open) - keep)]
        if not done:
            return None
        maps = np.stack([discs(marks, self._radius) for _, _, marks in done])
        times, sources = (np.stack([one[place] for one in done]) for place in range(2))  # type: ignore[index]
        return Rows({"feature": maps}, times, sources)

    def _paint(self, tracks: Rows) -> None:
        starts = np.array([time[0] for time, _, _ in self._open])
        # a track's frames are known by when they begin and end: a frame may be shown on several rows
        first = np.searchsorted(starts, tracks.time[:, 0] - 1e-9)
        last = np.searchsorted(starts, tracks.time[:, 2] - 1e-9) - 1
        points = tracks.arrays["points"]
        steps = 1 if self._spec.paint == "start" else points.shape[1]
        for row in range(len(starts)):
            step = row - first
            touched = (step >= 0) & (step < steps) & (row <= last)
            if touched.any():
                mark(self._open[row][2], points[touched, step[touched]])


def follow(spec: "MotionMap", blocks: Iterable[Block], width: int, height: int) -> Iterator[Rows]:
    """One row a frame, in order: each when `idt.length` frames have followed, the rest at the end."""
    canvas = Canvas(spec, width, height)
    for block in blocks:
        canvas.add(block)
        rows = canvas.take(spec.idt.length)
        if rows is not None:
            yield rows
    rows = canvas.take(0)
    if rows is not None:
        yield rows
