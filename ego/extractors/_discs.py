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
"""Jitter is back where it was after so many; a hand that cuts or stirs is not."""

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
        self._radius, self._reach = spec.radius_pixels * height / 540, spec.reach_pixels * height / 540
        self._least = spec.support * ((2 * int(self._radius) + 1) / spec.idt.stride) ** 2
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
        moving = self._moving(tracks.arrays["own_pixels"], last - first)
        steps = 1 if self._spec.paint == "start" else points.shape[1]
        for row in range(len(starts)):
            step = row - first
            touched = moving & (step >= 0) & (step < steps) & (row <= last)
            if touched.any():
                count(self._open[row][2], points[touched, step[touched]])

    def _moving(self, own: NDArray[np.float32], steps: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) which tracks of so many steps each move by themselves for long enough and get somewhere."""
        moved = (np.hypot(own[..., 0], own[..., 1]) > self._spec.idt.camera_pixels).sum(axis=1)
        ways = np.cumsum(np.pad(own, ((0, 0), (1, 0), (0, 0))), axis=1)
        some = min(SOME_STEPS, own.shape[1])
        nets = ways[:, some:] - ways[:, :-some]
        reach = np.hypot(nets[..., 0], nets[..., 1]).max(axis=1)
        return np.asarray((moved >= self._spec.moving_share * steps - 1e-6) & (reach >= self._reach))


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
