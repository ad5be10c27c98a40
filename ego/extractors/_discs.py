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

SOME_STEPS = 5
"""Half a track: what is drawn now has moved within the last or the next few steps."""

MOST_GAIN = 2.0
"""What a step counts for at most: a still point over which a hand passes has one large gain."""

LEAST = 2
"""Points that support each other, itself too, whatever the size of the picture."""

Mask = NDArray[np.bool_]
Counts = NDArray[np.uint16]


def discs(marks: Mask, radius: float) -> Mask:
    """(h, w) true within `radius` pixels, in a straight line, of any pixel that is marked."""
    if not marks.any():
        return np.zeros_like(marks)
    far = cv2.distanceTransform((~marks).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(far <= np.float32(radius))


def count(counts: Counts, points: NDArray[np.float32]) -> None:
    """Counts points (n, 2), fractions of the picture, at the pixels they lie in; those outside it are left out."""
    height, width = counts.shape
    x, y = np.floor(points * np.array([width, height], np.float32)).astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    np.add.at(counts, (y[inside], x[inside]), 1)


def supported(counts: Counts, radius: float, least: float) -> Mask:
    """(h, w) the pixels with a point that has `least` points, itself too, in the square about its disc."""
    if not counts.any():
        return np.zeros(counts.shape, bool)
    side = 2 * int(radius) + 1
    near = cv2.boxFilter(counts.astype(np.float32), -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray((counts > 0) & (near >= np.float32(least - 0.5)))


class Canvas:
    """The frames that tracks may still touch, and the points on each."""

    def __init__(self, spec: "MotionMap", width: int, height: int) -> None:
        self._spec = spec
        self._shape = (height, width)
        self._radius = spec.radius_pixels * height / 540
        side = (2 * int(self._radius) + 1) / spec.idt.stride
        self._least = max(LEAST, spec.support * side**2) if spec.support else 0.0
        self._open: deque[tuple[NDArray[np.float64], NDArray[np.int64], Counts]] = deque()

    def add(self, block: Block) -> None:
        """Frames that tracks may touch from now on, and the tracks that end with them."""
        for time, source in zip(block.time, block.source, strict=True):
            self._open.append((time, source, np.zeros(self._shape, np.uint16)))
        if "tracks" in block.held:
            self._paint(block.held["tracks"])

    def take(self, keep: int) -> Rows | None:
        """The maps of all but the last `keep` frames."""
        done = [self._open.popleft() for _ in range(len(self._open) - keep)]
        if not done:
            return None
        maps = np.stack([discs(supported(one, self._radius, self._least), self._radius) for _, _, one in done])
        times, sources = np.stack([time for time, _, _ in done]), np.stack([source for _, source, _ in done])
        return Rows({"feature": maps}, times, sources)

    def _paint(self, tracks: Rows) -> None:
        starts = np.array([time[0] for time, _, _ in self._open])
        # a track's frames are known by when they begin and end: a frame may be shown on several rows
        first = np.searchsorted(starts, tracks.time[:, 0] - 1e-9)
        last = np.searchsorted(starts, tracks.time[:, 2] - 1e-9) - 1
        points = tracks.arrays["points"]
        moving = moves(self._spec, tracks.arrays["gain"])
        if self._spec.paint == "start":
            moving = np.asarray(moving.any(axis=1, keepdims=True))
        for row in range(len(starts)):
            step = row - first
            at = np.flatnonzero((step >= 0) & (step < moving.shape[1]) & (row <= last))
            at = at[moving[at, step[at]]]
            if len(at):
                count(self._open[row][2], points[at, step[at]])


def moves(spec: "MotionMap", gain: NDArray[np.float32]) -> Mask:
    """(n, L + 1) at which of its points each track moves by itself: those of five steps of enough gain (n, L)."""
    steps = gain.shape[1]
    if spec.moving_gain == 0:
        return np.ones((len(gain), steps + 1), bool)
    some = min(SOME_STEPS, steps)
    # what has gone by before each step: means over some steps are differences
    gone = np.cumsum(np.pad(gain.astype(np.float64).clip(-MOST_GAIN, MOST_GAIN), ((0, 0), (1, 0))), axis=1)
    begins = gone[:, some:] - gone[:, :-some] > spec.moving_gain * some
    found = np.zeros((len(gain), steps + 1), bool)
    for first in range(steps + 1 - some):
        found[:, first : first + some + 1] |= begins[:, first : first + 1]
    return found


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
