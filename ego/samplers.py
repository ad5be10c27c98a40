"""Which of n rows, or frames, a head is shown: the papers' samplers, in training and when it is tested.

All are pure functions of how many there are; indices count from 0. A clip's *look* is one set of rows that the head
sees at once. Where a clip is tested by several looks their predictions are averaged.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.spec import Spec, late

Indices = NDArray[np.int64]
Pick = Literal["even", "start", "ends", "middle", "consecutive", "each"]


@dataclass(frozen=True)
class Sampling(Spec):
    """How clips are looked at.

    Of each part of a clip the head sees `rows` rows (0: every row whose centre lies in it), by `pick`:

    - `even`: the nearest rows to the centres of `rows` equal pieces (TSN); with 0 all of them
    - `start`, `ends`: evenly from the first row, without the last (Ego-RNN) or with it (LSTA)
    - `middle`: evenly over the middle `window` rows (MFNet: 16 of 32)
    - `consecutive`: neighbours, in the middle (FPAR); `looks` of them from first to last are averaged in tests
    - `each`: every row by itself, a look each, averaged over time as frames are that several rows see (STAM)

    In training `draw` takes the same rows (of several looks a random one), with `jitter` a random row in each of the
    equal pieces, with `window` the window or neighbours from a random start, with `speed` MFNet's code: a window of
    half to one and a half times the length. `average` says what of several looks is averaged. Features of several
    `views` are seen whole (`axis`), or one view is drawn in training and all are averaged in tests (`draw`).

    `observe` shows the first share of each part alone. `anticipate` shows, instead of each part, the `before` seconds
    that end so many seconds before it starts. Either way no row is seen that ends later, or knows what comes later.

    Controls of what a run has learnt from: each clip takes the rows of the features named in `permuted` from another
    clip, and of tasks of steps named there, in training, the labels; `shuffled` puts a clip's rows out of order.
    """

    rows: int = 0
    pick: Pick = "even"
    window: int = 32
    looks: int = 1
    draw: Literal["same", "jitter", "window", "speed"] = "same"
    average: Literal["probabilities", "scores"] = "probabilities"
    views: Literal["axis", "draw"] = "axis"
    observe: float = 1.0
    anticipate: float | None = None
    before: float = 2.0
    permuted: tuple[str, ...] = late(())
    shuffled: bool = late(False)
    control_seed: int = late(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows < 0 or self.looks < 1 or self.before <= 0 or (self.anticipate is not None and self.anticipate < 0):
            raise BadRequest(
                f"got sampling.rows = {self.rows}, looks = {self.looks}, before = {self.before:g}, anticipate = "
                f"{self.anticipate}; expected at least 0, at least 1, above 0 and at least 0"
            )
        if self.control_seed < 0:
            raise BadRequest(f"got sampling.control_seed = {self.control_seed}, expected at least 0")
        if not 0 < self.observe <= 1:
            raise BadRequest(f"got sampling.observe = {self.observe:g}, expected a share above 0 and at most 1")
        if self.pick not in ("even", "each") and not self.rows:
            raise BadRequest(f"sampling.pick = {self.pick!r} needs to know how many: set sampling.rows")
        if self.looks > 1 and self.pick != "consecutive":
            raise BadRequest(f"got {self.looks} looks at {self.pick!r} rows, expected pick = 'consecutive'")
        if self.draw != "same" and not self.rows:
            raise BadRequest(f"sampling.draw = {self.draw!r} needs to know how many rows: set sampling.rows")
        if self.pick == "middle" and self.window < self.rows:
            raise BadRequest(f"got sampling.window = {self.window} for {self.rows} rows, expected at least as many")

    @property
    def causal(self) -> bool:
        """Whether clips are cut so that the head must not know what comes later."""
        return self.observe < 1 or self.anticipate is not None

    def spans(self, start: float, stop: float) -> tuple[float, float]:
        """The seconds of a part that are looked at."""
        if self.anticipate is not None:
            return start - self.anticipate - self.before, start - self.anticipate
        return start, start + self.observe * (stop - start)

    def tested(self, count: int) -> list[Indices]:
        """The looks at a part of `count` rows, at least one."""
        if self.pick == "each":
            return [np.array([place]) for place in range(count)]
        if self.pick == "consecutive":
            return (
                [first + np.arange(self.rows) for first in firsts(count, self.rows, self.looks)]
                if (count >= self.rows)
                else [ends(count, self.rows)]
            )
        if self.pick == "middle":
            return [middle(count, self.rows, self.window)]
        if self.pick == "even":
            return [segments(count, self.rows) if self.rows else np.arange(count)]
        return [(start if self.pick == "start" else ends)(count, self.rows)]

    def drawn(self, count: int, dice: NDArray[np.float64]) -> Indices:
        """The rows of a part of `count` rows in training, `draw` not being `same`; `dice` (rows + 1,) lie in [0, 1).

        Equal dice mean equal moments in features of other rates.
        """
        if self.draw == "jitter":
            return np.minimum(
                ((np.arange(self.rows) + dice[: self.rows]) * count / self.rows).astype(np.int64), count - 1
            )
        if self.draw == "speed":
            return speed(count, self.rows, dice)
        length = self.window if self.pick == "middle" else self.rows
        first = int(dice[0] * (max(count - length, 0) + 1))
        return first + segments_between(min(length, count), self.rows)


def start(count: int, rows: int) -> Indices:
    """`rows` of `count` evenly from the first, the end left out (Ego-RNN's loader)."""
    return np.floor(np.linspace(1, count, rows, endpoint=False)).astype(np.int64) - 1


def ends(count: int, rows: int) -> Indices:
    """`rows` of `count` evenly from the first to the last (LSTA's loader; FPAR's for short clips)."""
    return np.floor(np.linspace(1, count, rows)).astype(np.int64) - 1


def middle(count: int, rows: int, window: int) -> Indices:
    """`rows` evenly over the middle `window` of `count` (MFNet's test; its centre is count // 2)."""
    if count <= window:
        return np.linspace(0, count - 1, rows).astype(np.int64)
    centre = count // 2
    return np.linspace(centre - window // 2, centre + window // 2, rows).astype(np.int64)


def centred(count: int, length: int) -> int:
    """The first of `length` neighbours in the middle of `count` (Ego-RNN's flow, FPAR)."""
    return max(1, ceil((count - length) / 2)) - 1


def firsts(count: int, length: int, looks: int) -> list[int]:
    """The first rows of `looks` runs of `length` neighbours: one in the middle, several from first to last."""
    if looks == 1:
        return [centred(count, length)]
    step = max(count - length, 0) // (looks - 1)
    return [look * step for look in range(looks)]


def segments(count: int, rows: int, length: int = 1) -> Indices:
    """The first rows of `length` neighbours at the centres of `rows` equal pieces (TSN's test)."""
    tick = (count - length + 1) / rows
    places: Indices = np.floor(tick / 2 + tick * np.arange(rows)).astype(np.int64).clip(0, max(count - 1, 0))
    return places


def segments_checked(count: int, rows: int, length: int = 1) -> Indices:
    """As `segments`, zeros where there are too few rows for that many pieces (TSN's validation)."""
    return segments(count, rows, length) if count > rows + length - 1 else np.zeros(rows, np.int64)


def segments_between(count: int, rows: int) -> Indices:
    """`rows` of `count` from first to last, truncated; fewer are repeated."""
    return np.linspace(0, count - 1, rows).astype(np.int64)


def speed(count: int, rows: int, dice: NDArray[np.float64]) -> Indices:
    """`rows` over 2 * (rows - 1) * s frames from a random start, s drawn from 0.5 to 1.5 (MFNet's code).

    A clip of fewer than `rows` frames is one random frame, repeated.
    """
    if count < rows:
        return np.full(rows, int(dice[0] * count))
    reach = 2 * (rows - 1)
    span = reach * (0.5 + dice[1] * (min(1.5, (count - 1) / reach) - 0.5))
    first = dice[0] * (count - 1 - span)
    return np.linspace(first, first + span, rows).astype(np.int64)


def frame_by_frame(count: int, inputs: int = 16) -> list[tuple[Indices, Indices]]:
    """Blocks of (frames shown, frames counted) of MFNet's gaze test: each frame is shown twice, an output each.

    The last block ends with the last frame and counts those alone that no block before has counted.
    """
    half = inputs // 2
    found = [
        (np.repeat(np.arange(first, first + half), 2), np.arange(first, first + half))
        for first in range(0, count - half + 1, half)
    ]
    if count % half:
        shown = np.arange(count - half, count).clip(0)
        found.append((np.repeat(shown, 2), np.arange(count - count % half, count)))
    return found


def spread(seconds: float, clip: float, clips: int) -> list[tuple[float, float]]:
    """`clips` spans of `clip` seconds, evenly from the start to the end of a video (PyTorchVideo)."""
    step = max(seconds - clip, 0.0) / max(clips - 1, 1)
    return [(look * step, look * step + clip) for look in range(clips)]


def every(seconds: float, clip: float, stride: float | None = None, last: bool = False) -> list[tuple[float, float]]:
    """Spans of `clip` seconds every `stride` while they end in the video; `last` adds one that ends with it."""
    step = clip if stride is None else stride
    count = int((seconds - clip) / step + 1e-9) + 1 if seconds >= clip else 0
    found = [(place * step, place * step + clip) for place in range(count)]
    if (last or not found) and (not found or found[-1][1] < seconds - 1e-9):
        begin = max(seconds - clip, 0.0)
        found.append((begin, begin + clip))
    return found


def temporal_view(count: int, length: int, view: int, views: int, offset: bool = True) -> tuple[float, float]:
    """First and last frame of one of `views` clips of `length` frames (PySlowFast); without `offset` the older rule."""
    room = max(count - length, 0)
    if offset:
        step = room // 2 if views == 1 else room // (views - 1)
        first = float(step if views == 1 else view * step)
    else:
        first = room * view / views
    return first, first + length - 1


def runs(count: int, length: int, interval: int, views: int, beyond: Literal["loop", "hold"] = "loop") -> list[Indices]:
    """`views` runs of `length` frames, every `interval`-th, evenly from the first to the last (MMAction2's test).

    Past the end a run starts again, or holds its last frame.
    """
    room = max(count - (length - 1) * interval - 1, 0)
    first = [room // 2] if views == 1 else [round(view * room / (views - 1)) for view in range(views)]
    found = [start + np.arange(length) * interval for start in first]
    if beyond == "loop":
        return [one % count for one in found]
    return [np.minimum(one, one[one < count][-1]) for one in found]


def covered(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) weights, summing to 1, of rows (n, 3): a moment that several rows see is shared by them.

    The mean of rows so weighted is the mean over frames of the mean of the rows that see each.
    """
    edges = np.unique(time[:, [0, 2]])
    lengths, centres = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    inside = (time[:, :1] < centres) & (centres < time[:, 2:])
    seen = inside.sum(axis=0)
    weights = (inside * np.where(seen > 0, lengths / np.maximum(seen, 1), 0)).sum(axis=1)
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(time), 1 / len(time))
