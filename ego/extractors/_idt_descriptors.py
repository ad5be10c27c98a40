"""What `idt` says of each track besides its path: HOG, HOF and MBH along it (Wang and Schmid 2013, released code)."""

from collections.abc import Iterable
from math import prod

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._idt_flow import Field, Pixels
from ego.extractors._idt_tracks import Places, Points, Tracks

PATCH = 32
"""Side of the square about a point, in pixels of its level."""

CELLS = 2
"""Cells of that square along each side."""

TIMES = 3
"""Parts of a track in time; steps beyond three equal ones are left out."""

BINS = {"hog": 8, "hof": 9, "mbhx": 8, "mbhy": 8}
"""Directions over the full circle; the ninth of HOF counts the still."""

STILL_PIXELS = 0.4
"""Flow that is no faster counts as still, in pixels of the level."""

EPSILON = 0.05


def width_of(name: str, length: int) -> int:
    """How many numbers a descriptor of a track of `length` steps has."""
    return 2 * length if name == "trajectory" else TIMES * CELLS**2 * BINS[name]


def trajectory(points: Points) -> Points:
    """(n, 2L) the steps x, y in turn of tracks (n, L + 1, 2), over the length of the whole path."""
    steps = np.diff(points, axis=1)
    total = np.hypot(steps[..., 0], steps[..., 1]).sum(axis=1)
    shares = steps / np.maximum(total, 1e-9)[:, None, None]
    return np.asarray(shares.reshape(len(points), 2 * steps.shape[1]), np.float32)


class Described:
    """The descriptors of one level's live points, summed as they move; nothing is kept of past pictures."""

    def __init__(self, names: Iterable[str], tracks: Tracks) -> None:
        self._tracks = tracks
        self._part = max(1, tracks.length // TIMES)
        self._sums = {name: self._empty(name, tracks.room) for name in names if name in BINS}

    def see(self, grey: Pixels, stable: Field) -> None:
        """Adds what lies about each point before it moves: the earlier picture and the stabilised flow."""
        if not self._sums:
            return
        places, points, steps = self._tracks.positions
        inside = steps // self._part < TIMES
        places, points, parts = places[inside], points[inside], steps[inside] // self._part
        flow = stable.pixels if set(self._sums) - {"hog"} else None
        for name, sums in self._sums.items():
            x, y = _gradient(name, grey, flow)
            boxed = _cell_sums(x, y, BINS[name], name == "hof")
            sums[places, parts] += _normalised(_patches(boxed, points)) / self._part

    def begin(self, places: Places) -> None:
        """Fresh points: nothing is known of them."""
        for name, sums in self._sums.items():
            if len(sums) < self._tracks.room:
                sums = self._sums[name] = np.concatenate([sums, self._empty(name, self._tracks.room - len(sums))])
            sums[places] = 0

    def of(self, places: Places) -> dict[str, Points]:
        """(n, width) each, of points that have ended."""
        return {name: sums[places].reshape(len(places), prod(sums.shape[1:])) for name, sums in self._sums.items()}

    def _empty(self, name: str, room: int) -> Points:
        return np.zeros((room, TIMES, CELLS**2 * BINS[name]), np.float32)


def _gradient(name: str, grey: Pixels, flow: NDArray[np.float32] | None) -> tuple[Points, Points]:
    """x and y of the field whose directions the descriptor counts."""
    if name == "hof":
        assert flow is not None
        return np.ascontiguousarray(flow[..., 0]), np.ascontiguousarray(flow[..., 1])
    if name == "hog":
        source: NDArray[np.float32] | Pixels = grey
    else:
        assert flow is not None
        source = np.ascontiguousarray(flow[..., 0 if name == "mbhx" else 1])
    across, down = (cv2.Sobel(source, cv2.CV_32F, 1 - axis, axis, ksize=1) for axis in range(2))
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _cell_sums(x: Points, y: Points, bins: int, still: bool) -> NDArray[np.float32]:
    """(h, w, bins) the histogram of the cell whose top left corner each pixel is.

    A magnitude is shared by the two nearest directions; with `still` the last bin counts what hardly moves.
    """
    directions = bins - still
    size, degrees = cv2.cartToPolar(x, y, angleInDegrees=True)
    place = np.asarray(degrees).ravel() / np.float32(360 / directions)
    low = place.astype(np.int64)
    share = place - low
    size = np.asarray(size).ravel()
    counts = np.zeros((size.size, bins), np.float32)
    every = np.arange(size.size)
    quiet = size <= STILL_PIXELS if still else np.zeros(size.size, bool)
    strength = np.where(quiet, 0, size)
    counts[every, low % directions] = strength * (1 - share)
    counts[every, (low + 1) % directions] += strength * share
    if still:
        counts[quiet, bins - 1] = 1
    side = PATCH // CELLS
    maps = counts.reshape(*x.shape, bins)
    boxed = [
        cv2.boxFilter(
            np.ascontiguousarray(maps[..., one]), -1, (side, side), anchor=(0, 0), normalize=False,
            borderType=cv2.BORDER_CONSTANT,
        )
        for one in range(bins)
    ]  # fmt: skip
    return np.stack(boxed, axis=-1)


def _patches(boxed: NDArray[np.float32], points: Points) -> Points:
    """(n, CELLS * CELLS * bins) the cells of the square about each point, kept inside; columns first."""
    height, width = boxed.shape[:2]
    corner = np.floor(points + np.float32(0.5)).astype(np.int64) - PATCH // 2
    corner = np.clip(corner, 0, np.maximum(0, (width - PATCH, height - PATCH)))
    side = PATCH // CELLS
    cells = [boxed[corner[:, 1] + j * side, corner[:, 0] + i * side] for i in range(CELLS) for j in range(CELLS)]
    return np.concatenate(cells, axis=1)


def _normalised(patches: Points) -> Points:
    """The root of each vector's share of its sum (RootSIFT: Arandjelovic and Zisserman 2012)."""
    full = np.maximum(patches, 0) + np.float32(EPSILON)
    return np.asarray(np.sqrt(full / full.sum(axis=1, keepdims=True)), np.float32)
