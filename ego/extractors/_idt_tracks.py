"""Points of `idt` as they are sampled, moved with the flow and judged."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ego.extractors._idt_flow import Field

if TYPE_CHECKING:
    from ego.extractors.idt import IDT

Points = NDArray[np.float32]
Places = NDArray[np.int64]


class Ended(NamedTuple):
    """Tracks that have their length, of one level."""

    points: Points
    """(n, L + 1, 2) x and y in pixels of the level."""
    own: Points
    """(n, L, 2) how far the stabilised flow moved each in each step, in pixels of the finest level."""
    places: Places
    """(n,) where each lay among the live ones; what is kept beside them is found there."""


class Tracks:
    """The live points of one level: a place for each, kept until it ends, and the last L + 1 positions of all.

    Memory grows with the points alive at once, never with the video.
    """

    def __init__(self, size: tuple[int, int], factor: tuple[float, float], length: int, stride: int) -> None:
        self._size = size
        self._factor = np.array(factor, np.float32)
        self.length, self._stride = length, stride
        self._grid = (size[1] // stride, size[0] // stride)
        room = max(1, self._grid[0] * self._grid[1])
        self._history = np.zeros((length + 1, room, 2), np.float32)
        self._born = np.zeros(room, np.int64)
        self._live = np.zeros(room, bool)
        self._own = np.zeros((length + 1, room, 2), np.float32)
        self.sampled = 0
        self._time = -1

    @property
    def room(self) -> int:
        """How many places there are."""
        return len(self._live)

    @property
    def positions(self) -> tuple[Places, Points, NDArray[np.int64]]:
        """(n,) places, (n, 2) positions and (n,) steps taken of the points that are alive."""
        places = np.flatnonzero(self._live)
        return places, self._history[self._time % len(self._history)][places], self._time - self._born[places]

    def advance(self, flow: Field, stable: Field) -> None:
        """Moves every point by the ordinary flow at its nearest pixel; one that leaves the picture is dropped.

        Beside it, the stabilised flow at that pixel is what the point itself moved.
        """
        places, points, _ = self.positions
        self._time += 1
        width, height = self._size
        pixels = np.minimum((points + np.float32(0.5)).astype(np.int64), (width - 1, height - 1))
        index = pixels[:, 1] * width + pixels[:, 0]
        moved = points + flow.at(index)
        slot = self._time % len(self._history)
        self._own[slot, places] = stable.at(index) * self._factor
        self._history[slot, places] = moved
        x, y = moved[:, 0], moved[:, 1]
        inside = (x > 0) & (y > 0) & (x < width) & (y < height)
        self._live[places[~inside]] = False

    def end(self, length: int) -> Ended:
        """Takes out the points that have this many steps."""
        places = np.flatnonzero(self._live & (self._time - self._born == length))
        self._live[places] = False
        slots = np.arange(self._time - length, self._time + 1) % len(self._history)
        points = self._history[slots[:, None], places].swapaxes(0, 1)
        own = self._own[slots[1:, None], places].swapaxes(0, 1)
        return Ended(np.ascontiguousarray(points), np.ascontiguousarray(own), places)

    def sample(self, eigenvalues: NDArray[np.float32], quality: float) -> Places:
        """Puts a point at the centre of each cell that has none and is textured; gives their places."""
        if self._time < 0:
            self._time = 0
        (rows, columns), stride = self._grid, self._stride
        _, points, _ = self.positions
        cells = (points / np.float32(stride)).astype(np.int64)
        cells = cells[(cells[:, 0] < columns) & (cells[:, 1] < rows)]
        free = np.ones((rows, columns), bool)
        free[cells[:, 1], cells[:, 0]] = False
        centres = eigenvalues[stride // 2 :: stride, stride // 2 :: stride][:rows, :columns]
        free &= centres > quality * float(eigenvalues.max(initial=0.0))
        row, column = np.nonzero(free)
        self.sampled += len(row)
        places = self._places(len(row))
        self._history[self._time % len(self._history), places, 0] = column * stride + stride // 2
        self._history[self._time % len(self._history), places, 1] = row * stride + stride // 2
        self._born[places], self._live[places] = self._time, True
        return places

    def _places(self, count: int) -> Places:
        """`count` places that nobody has; more are made where there are too few."""
        free = np.flatnonzero(~self._live)
        if len(free) < count:
            more = max(count - len(free), self.room)
            self._history = np.concatenate([self._history, np.zeros((len(self._history), more, 2), np.float32)], 1)
            self._own = np.concatenate([self._own, np.zeros((len(self._own), more, 2), np.float32)], 1)
            self._born = np.resize(self._born, self.room + more)
            self._live = np.concatenate([self._live, np.zeros(more, bool)])
            free = np.flatnonzero(~self._live)
        return free[:count]


def survives(points: Points, own: Points, spec: "IDT") -> NDArray[np.bool_]:
    """(n,) which tracks are kept: points (n, L + 1, 2) and own motion (n, L, 2) in pixels of the picture.

    Neither still, nor wandering at random, nor jumping, nor moved by the camera alone.
    """
    kept = np.hypot(own[..., 0], own[..., 1]).max(axis=1) > np.float32(spec.camera_pixels)
    points = points[kept]  # few are left
    spread = points.std(axis=1)
    steps = np.hypot(*np.moveaxis(np.diff(points, axis=1), 2, 0))
    longest, total = steps.max(axis=1), steps.sum(axis=1)
    still = (spread < np.float32(spec.static_pixels)).all(axis=1)
    random = (spread > np.float32(spec.random_pixels)).any(axis=1)
    jump = (longest > np.float32(spec.jump_pixels)) & (longest > np.float32(spec.jump_share) * total)
    kept[kept] = ~still & ~random & ~jump
    return np.asarray(kept)
