"""Which frames a row sees and when: pure arithmetic in seconds, streamed or all at once.

A `Window` picks frames on ticks. With `fps` a tick is a moment `start + k / fps`, and the frame on
display then is taken; without, a tick is a frame of the video. Row r takes `frames` ticks, every
`interval`-th from tick `r * stride`:

    ticks      0   1   2   3   4   5   6   7   8 | end
    row 0      x   x   x   x                             frames = 4, stride = 3
    row 1                  x   x   x   x
    row 2                              x   x   x   8     repeat: the last frame again, nothing is lost

A row's time is start of its first tick, stop of its last and the centre between them.
"""

from collections import deque
from dataclasses import dataclass
from math import lcm
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.spec import Spec
from ego.video import Timeline, slack_seconds


@dataclass(frozen=True)
class Window(Spec):
    """The frames a row sees: how many, how far apart, how often, and where.

    `stride` and `interval` are in ticks. `edge` says what happens at the end of the video: `repeat`
    pads by repeating the video's last frame so that nothing is lost, `drop` keeps whole windows only, `align`
    moves the last row back so that it ends with the video.
    `at` is `grid`, or the kind of a signal whose spans are the rows: `frames` evenly spaced moments
    of each, or `frames` ticks from its start where `fps` is given.
    """

    frames: int = 1
    stride: int = 1
    interval: int = 1
    fps: float | None = None
    edge: Literal["repeat", "drop", "align"] = "repeat"
    at: str = "grid"

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.frames, self.stride, self.interval) < 1 or (self.fps is not None and self.fps <= 0):
            raise BadRequest(
                f"got a window of frames={self.frames}, stride={self.stride}, interval={self.interval}, "
                f"fps={self.fps}; expected each to be above 0"
            )

    @property
    def span(self) -> int:
        """Ticks from a row's first to one past its last."""
        return (self.frames - 1) * self.interval + 1

    @property
    def overlaps(self) -> bool:
        """Whether two rows may see one frame."""
        return self.at != "grid" or lcm(self.stride, self.interval) < self.span

    def count(self, ticks: int) -> int:
        """How many rows a video of so many ticks has, on the grid."""
        if ticks == 0 or (self.edge == "drop" and ticks < self.span):
            return 0
        if self.edge == "drop":
            return (ticks - self.span) // self.stride + 1
        reach = -(-max(ticks - self.span, 0) // self.stride) + 1
        return reach if self.edge == "align" else min(reach, -(-ticks // self.stride))

    def uses(self, tick: int) -> bool:
        """Whether some row of an endless grid looks at this tick."""
        if self.edge == "align" or (self.interval == 1 and self.span >= self.stride):
            return True
        first = max(0, -(-(tick - self.span + 1) // self.stride))
        return any((tick - row * self.stride) % self.interval == 0 for row in range(first, tick // self.stride + 1))

    def rows(self, timeline: Timeline, spans: NDArray[np.float64] | None = None) -> "list[Row]":
        """Every row of a video whose timeline is known; the same rows as its `cutter` gives."""
        cut = cutter(self, slack_seconds(timeline.time_base), spans)
        seconds = timeline.seconds
        found = [row for i in range(len(timeline)) for row in cut.push(i, float(seconds[i]), float(seconds[i + 1]))]
        return found + cut.finish()


@dataclass(frozen=True)
class Row:
    """One row: the frames it sees, in order and with repeats, and its start, centre and stop in seconds."""

    frames: tuple[int, ...]
    start: float
    stop: float

    @property
    def time(self) -> tuple[float, float, float]:
        """(start, centre, stop) in seconds."""
        return self.start, (self.start + self.stop) / 2, self.stop


class Ticks:
    """Assigns ticks to frames as they come: `push` returns the range of ticks a frame serves."""

    def __init__(self, fps: float | None, slack: float) -> None:
        self._fps, self._slack = fps, slack
        self._next = 0
        self._origin: float | None = None

    def seconds(self, tick: int) -> float:
        """When a tick of a rate begins."""
        assert self._fps is not None
        assert self._origin is not None
        return self._origin + tick / self._fps

    def push(self, start: float, stop: float) -> range:
        """The ticks on which the frame shown from `start` to `stop` seconds is on display."""
        if self._origin is None:
            self._origin = start
        first = self._next
        if self._fps is None:
            self._next += 1
        else:
            while self.seconds(self._next) < stop - self._slack:
                self._next += 1
        return range(first, self._next)


def cutter(window: Window, slack: float, spans: NDArray[np.float64] | None = None) -> "GridCutter | SpanCutter":
    """What cuts a stream of frames into the rows of a window; memory is what its rows still need.

    Feed every frame in order: ask `wants(start, stop)` first where only wanted frames are kept, then
    `push(frame, start, stop)` gives the rows now complete, and `finish()` those the end completes.
    `oldest` is the oldest frame a later row may still look at.
    """
    if (spans is None) != (window.at == "grid"):
        raise BadRequest(f"got {'no ' if spans is None else ''}spans for rows at {window.at!r}")
    return GridCutter(window, slack) if spans is None else SpanCutter(window, slack, spans)


class GridCutter:
    """Cuts rows on the regular grid of a window."""

    def __init__(self, window: Window, slack: float) -> None:
        self._window, self._slack = window, slack
        self._ticks, self._ahead = Ticks(window.fps, slack), Ticks(window.fps, slack)
        self._seen: deque[tuple[int, float, float]] = deque()  # (frame, start, stop) of each tick kept
        self._first = 0  # the tick of _seen[0]
        self._row = self._total = self._last = 0
        self._end = 0.0
        self.oldest = 0

    def wants(self, start: float, stop: float) -> bool:
        """Whether any row may look at the frame shown from `start` to `stop` (the last one always may)."""
        return any(self._window.uses(tick) for tick in self._ahead.push(start, stop))

    def push(self, frame: int, start: float, stop: float) -> list[Row]:
        """The rows that are complete once this frame is known."""
        self._end = stop
        self._last = frame
        for tick in self._ticks.push(start, stop):
            self._seen.append((frame, *self._interval(tick, start, stop)))
            self._total = tick + 1
        if self._first < self._row * self._window.stride:
            self._forget()
        found = []
        window = self._window
        while (self._row * window.stride + window.span) <= self._total and self._whole(window, stop):
            found.append(self._take())
        return found

    def finish(self) -> list[Row]:
        """The rows that only the end of the video completes: padded with its last frame, or dropped."""
        if self._window.edge == "drop":
            return []
        found = []
        while self._row < self._window.count(self._total):
            found.append(self._take())
        return found

    def _interval(self, tick: int, start: float, stop: float) -> tuple[float, float]:
        if self._window.fps is None:
            return start, stop
        return self._ticks.seconds(tick), self._ticks.seconds(tick + 1)

    def _whole(self, window: Window, known_until: float) -> bool:
        """Whether the next row's last tick has passed in full: only then may `drop` keep it.

        For `repeat` this delays a row until its stop is known to lie inside the video.
        """
        if window.fps is None:
            return True
        last = self._row * window.stride + window.span - 1
        return self._ticks.seconds(last + 1) <= known_until + self._slack

    def _take(self) -> Row:
        window = self._window
        base = self._row * window.stride
        if window.edge == "align" and base + window.span > self._total:
            base = max(self._total - window.span, 0)
        # past the end the last frame stays on display, as it does in a player
        held = (self._last, self._end, self._end)
        ticks = [base + step * window.interval for step in range(window.frames)]
        picked = [self._seen[tick - self._first] if tick < self._total else held for tick in ticks]
        self._row += 1
        self._forget()
        return Row(tuple(one[0] for one in picked), picked[0][1], min(picked[-1][2], self._end))

    def _forget(self) -> None:
        """Drops ticks that no later row looks at."""
        needed = self._row * self._window.stride
        if self._window.edge == "align":  # the last row may reach back
            needed = min(needed, self._total - self._window.span)
        while self._seen and self._first < needed:
            self._seen.popleft()
            self._first += 1
        self.oldest = self._seen[0][0] if self._seen else self._last


class SpanCutter:
    """Cuts one row for each span of a signal, in the order of their starts."""

    def __init__(self, window: Window, slack: float, spans: NDArray[np.float64]) -> None:
        ordered = sorted((float(start), float(stop)) for start, stop in spans)
        self._spans = ordered
        self._moments = [_moments(window, start, stop) for start, stop in ordered]
        self._picked: list[list[int]] = [[] for _ in ordered]
        self._slack = slack
        self._row = 0
        self._started = False
        self._last = 0
        self.oldest = 0

    def wants(self, start: float, stop: float) -> bool:
        """Whether any row may look at the frame shown from `start` to `stop` (the last one always may)."""
        low = start - self._slack if self._started else -np.inf  # a span before the first frame sees the first
        self._started = True
        return any(
            ((moments >= low) & (moments < stop - self._slack)).any()
            for (begin, _), moments in zip(self._spans[self._row :], self._moments[self._row :], strict=True)
            if begin < stop
        )

    def push(self, frame: int, start: float, stop: float) -> list[Row]:
        """The rows that are complete once this frame is known."""
        self._last = frame
        for index in range(self._row, len(self._spans)):
            if self._spans[index][0] >= stop:
                break
            picked, moments = self._picked[index], self._moments[index]
            due = int(np.searchsorted(moments, stop - self._slack, side="left"))
            picked.extend([frame] * (due - len(picked)))
        return self._complete()

    def finish(self) -> list[Row]:
        """The rows whose span reaches past the end: its last frame again."""
        for picked, moments in zip(self._picked[self._row :], self._moments[self._row :], strict=True):
            picked.extend([self._last] * (len(moments) - len(picked)))
        return self._complete()

    def _complete(self) -> list[Row]:
        found = []
        while self._row < len(self._spans) and len(self._picked[self._row]) == len(self._moments[self._row]):
            found.append(Row(tuple(self._picked[self._row]), *self._spans[self._row]))
            self._row += 1
        self.oldest = min((picked[0] for picked in self._picked[self._row :] if picked), default=self._last)
        return found


def _moments(window: Window, start: float, stop: float) -> NDArray[np.float64]:
    """When a span is looked at: at its window's rate from the start, else at the centres of equal parts."""
    steps = np.arange(window.frames)
    if window.fps is None:
        return start + (steps + 0.5) * (stop - start) / window.frames
    return np.minimum(start + steps * window.interval / window.fps, max(start, stop - 1e-9))
