"""What is stored for the moment that a video shows: its rows, read a little ahead."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.cache.entry import overlapping
from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.media.decode import Decoder, Look
from ego.sampling import Window
from ego.video import Array, Picture, Video

AHEAD_SECONDS = 1.0
Pixels = NDArray[np.uint8]


class Around:
    """The rows of one entry about a time that moves on; of each only a second is held."""

    def __init__(self, store: FeatureStore, key: FeatureKey) -> None:
        self._store, self._entry = store, store.entry(key)
        self.name = key.name
        self.arrays: Mapping[str, Array] = self._entry.marker.arrays
        with store.guard(self._entry):
            self._time = self._entry.time()
        self._span = (np.inf, -np.inf)
        self._rows: Mapping[str, NDArray[Any]] = {}
        self._held = np.empty(0, np.int64)

    def at(self, seconds: float) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.float64]]:
        """({array: rows}, times) of the rows that last over this second, as real numbers."""
        if not self._span[0] <= seconds < self._span[1]:
            self._span = (seconds, seconds + AHEAD_SECONDS)
            self._held = overlapping(self._time, self._span)
            self._rows = self._read(self._held)
        time = self._time[self._held]
        now = (time[:, 0] <= seconds) & (seconds < time[:, 2])
        return {name: rows[now] for name, rows in self._rows.items()}, time[now]

    def between(self, start: float, stop: float) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.float64]]:
        """({array: rows}, times) of the rows that overlap these seconds, as real numbers."""
        rows = overlapping(self._time, (start, stop))
        return self._read(rows), self._time[rows]

    def _read(self, rows: NDArray[np.int64]) -> Mapping[str, NDArray[Any]]:
        with self._store.guard(self._entry):
            return {name: array.real(self._entry.pick(name, rows)) for name, array in self.arrays.items()}


@dataclass(frozen=True, eq=False)
class Shown:
    """One frame: when it is shown and its picture (h, w, 3)."""

    start: float
    stop: float
    picture: Pixels


def frames(video: Video, decoder: Decoder, picture: Picture, moments: Sequence[float] | None = None) -> Iterator[Shown]:
    """Every frame of a video, or those on display at some moments, in order, as one picture each."""
    wanted = sorted(moments) if moments is not None else None
    for frame in decoder.frames(video, [Look(picture, Window())]):
        if wanted is None or (wanted and frame.start <= wanted[0] < frame.stop):
            yield Shown(frame.start, frame.stop, frame.pictures[picture].copy())
        if wanted is not None:
            while wanted and wanted[0] < frame.stop:
                wanted.pop(0)
            if not wanted:
                return
