"""How an extractor that runs in a thread of its own gets its frames, and the rows of those it holds.

The feeding thread cuts a video into parts, the same for every inbox of a ride. A part is taken out
when the held rows that end with it have arrived: from networks and trackers of the same pass through a
`Stream`, from the store through `Stored`. Whoever waits here never holds up those it waits for.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ego.cache.store import FeatureStore
from ego.errors import BadVideo, BrokenEntry
from ego.extractors._base import Extractor, Network, Rows, Tracker
from ego.pipeline.needs import held_by, speaks_late, stands_beside
from ego.sampling import Row
from ego.video import Array

WAITING_PARTS = 2
SLACK_SECONDS = 1e-9

Barrier = Literal["count", "parts", "order", "end", "none"]
"""What tells that all held rows of a part have come: so many rows, word of their maker that it is done with
the part, a row that reaches as far, the end; or nothing, where the taker looks for itself."""


class Abandoned(Exception):
    """The video has failed or the run stops: nothing more comes."""


class Seen(NamedTuple):
    """One row of a rider: its frames' source, and what it is shown by need."""

    row: Row
    source: tuple[int, int, int, int]
    shown: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """The rows that end with a stretch of frames. `counts` says how many rows each network had sent out by then."""

    number: int
    stop: float
    rows: Sequence[Seen]
    counts: Mapping[str, int]
    last: bool = False


class Source(ABC):
    """The rows of one held extractor, taken out in order."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays

    @abstractmethod
    def ready(self, part: Part) -> bool:
        """Whether every row that ends with this part can be taken."""

    @abstractmethod
    def take(self, part: Part, loose: bool) -> Rows:
        """The rows not yet taken that end with this part, as real numbers; `loose`: those that have come."""

    def _real(self, rows: Rows) -> Rows:
        return Rows({name: self._arrays[name].real(rows.arrays[name]) for name in self._arrays}, rows.time, rows.source)


class Stream(Source):
    """Rows made in this pass: put in by the collecting thread."""

    def __init__(self, arrays: Mapping[str, Array], digest: str, barrier: Barrier, moved: threading.Condition) -> None:
        super().__init__(arrays)
        self._digest, self._barrier, self._moved = digest, barrier, moved
        self._rows: deque[Rows] = deque()
        self._count, self._reach, self._ended = 0, -np.inf, False
        self._done: dict[int, int] = {}

    def put(self, rows: Rows) -> None:
        """Takes in finished rows."""
        with self._moved:
            self._rows.append(rows)
            self._count += len(rows.time)
            if len(rows.time):
                self._reach = float(rows.time[-1, 2])
            self._moved.notify_all()

    def done(self, part: int, count: int) -> None:
        """Its maker is done with a part, when so many rows in all have come."""
        with self._moved:
            self._done[part] = count
            self._moved.notify_all()

    def end(self) -> None:
        """No more rows come."""
        with self._moved:
            self._ended = True
            self._moved.notify_all()

    def ready(self, part: Part) -> bool:
        """See `Source`; always where its maker has ended."""
        if self._ended or part.last or self._barrier in ("end", "none"):
            return self._ended or (self._barrier == "none" and not part.last)
        if self._barrier == "count":
            return self._count >= part.counts[self._digest]
        if self._barrier == "parts":
            return part.number in self._done and self._count >= self._done[part.number]
        return self._reach >= part.stop - SLACK_SECONDS

    def take(self, part: Part, loose: bool) -> Rows:
        """See `Source`."""
        with self._moved:
            self._done.pop(part.number, None)
            come = joined(list(self._rows))
            self._rows.clear()
        if loose or part.last or come is None:
            return self._real(come) if come is not None else nothing(self._arrays)
        over = come.time[:, 2] <= part.stop + SLACK_SECONDS
        if not over.all():
            with self._moved:
                self._rows.appendleft(_only(come, ~over))
        return self._real(_only(come, over))


class Stored(Source):
    """Rows that lie in the store, read as they are asked for."""

    def __init__(self, store: FeatureStore, path: str) -> None:
        self._store, self._entry = store, store.entry(path)
        super().__init__(self._entry.marker.arrays)
        with store.guard(self._entry):
            self._time = self._entry.time()
        self._waiting = np.arange(len(self._time))

    def ready(self, part: Part) -> bool:
        """Always."""
        return True

    def take(self, part: Part, loose: bool) -> Rows:
        """See `Source`; an entry that is damaged is a BadVideo, which other videos do not mind."""
        waiting = self._waiting
        if part.last:
            chosen = np.ones(len(waiting), bool)
        else:
            near = np.searchsorted(self._time[waiting, 0], part.stop, side="right")
            chosen = np.arange(len(waiting)) < near
            if not loose:
                chosen[:near] = self._time[waiting[:near], 2] <= part.stop + SLACK_SECONDS
        picked, self._waiting = waiting[chosen], waiting[~chosen]
        try:
            with self._store.guard(self._entry):
                arrays = {name: self._entry.pick(name, picked) for name in self._arrays}
                source = self._entry.pick("source", picked)
        except BrokenEntry as error:
            raise BadVideo(f"what it holds cannot be read: {error}") from error
        return self._real(Rows(arrays, self._time[picked], source))


@dataclass
class Inbox:
    """Parts for one rider in order, each with the held rows that end with it.

    At most two parts wait, unless a held extractor speaks later than its frames: then as many seconds more.
    """

    sources: Mapping[str, Source]
    ahead_seconds: float
    loose: bool
    moved: threading.Condition = field(default_factory=threading.Condition)
    _parts: deque[Part] = field(default_factory=deque)
    _cancelled: bool = False

    def offer(self, part: Part, patience_seconds: float) -> bool:
        """Puts a part in; False where there is no room in time. A cancelled inbox takes all and keeps none."""
        with self.moved:
            if not self.moved.wait_for(lambda: self._cancelled or self._has_room(part), patience_seconds):
                return False
            if not self._cancelled:
                self._parts.append(part)
                self.moved.notify_all()
            return True

    def cancel(self) -> None:
        """Nothing more is wanted here: whoever waits is let go."""
        with self.moved:
            self._cancelled = True
            self._parts.clear()
            self.moved.notify_all()

    def parts(self) -> Iterator[tuple[Part, dict[str, Rows]]]:
        """Every part up to the last, with its held rows by need; Abandoned where the inbox is cancelled."""
        last = False
        while not last:
            with self.moved:
                self.moved.wait_for(lambda: self._cancelled or self._front_is_ready())
                if self._cancelled:
                    raise Abandoned
                part = self._parts.popleft()
                self.moved.notify_all()
            last = part.last
            yield part, {need: source.take(part, self.loose) for need, source in self.sources.items()}

    def _has_room(self, part: Part) -> bool:
        return len(self._parts) < WAITING_PARTS or part.stop - self._parts[0].stop <= self.ahead_seconds

    def _front_is_ready(self) -> bool:
        return bool(self._parts) and all(source.ready(self._parts[0]) for source in self.sources.values())


def barrier_of(taker: Extractor, held: Extractor) -> Barrier:
    """How a taker knows that a held extractor's rows of a part have all come."""
    if speaks_late(held):
        return "end"
    if isinstance(held, Tracker):
        return "order" if held.lag_seconds else "parts"
    if not held_by(held):
        return "count"
    beside = isinstance(held, Network) and all(stands_beside(held, below) for below in held_by(held).values())
    return "parts" if beside else "none"


def ahead_of(extractor: Extractor) -> float:
    """How many seconds of frames wait for the rows of those it holds, at the most."""
    if any(speaks_late(held) for held in held_by(extractor).values()):
        return np.inf
    lags = [ahead_of(held) + _lag(held) for held in held_by(extractor).values()]
    return max(lags, default=0.0)


def _lag(extractor: Extractor) -> float:
    return (extractor.lag_seconds or 0.0) if isinstance(extractor, Tracker) else 0.0


def joined(parts: Sequence[Rows]) -> Rows | None:
    """Rows one after the other; None of none."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    names = parts[0].arrays
    return Rows(
        {name: np.concatenate([part.arrays[name] for part in parts]) for name in names},
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.source for part in parts]),
    )


def nothing(arrays: Mapping[str, Array]) -> Rows:
    """No rows of these arrays."""
    empty: dict[str, NDArray[Any]] = {name: np.empty((0, *one.shape), one.dtype) for name, one in arrays.items()}
    return Rows(empty, np.empty((0, 3)), np.empty((0, 4), np.int64))


def _only(rows: Rows, chosen: NDArray[np.bool_]) -> Rows:
    return Rows({name: array[chosen] for name, array in rows.arrays.items()}, rows.time[chosen], rows.source[chosen])
