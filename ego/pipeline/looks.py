"""The rows of a pack that each look at each clip sees: as tested, and drawn anew in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ego.cache.pack import Pack
from ego.errors import BadRequest
from ego.extractors._base import Extractor, Tracker
from ego.pipeline.clips import Indices, rows_of
from ego.samplers import Sampling, covered
from ego.video import Clip

SLACK_SECONDS = 1e-6


@dataclass(frozen=True, eq=False)
class Ragged:
    """Lists of numbers, one after another: list i is values[starts[i]] to values[starts[i] + counts[i] - 1]."""

    values: Indices
    starts: Indices
    counts: Indices

    @classmethod
    def of(cls, lists: Sequence[Indices]) -> "Ragged":
        """These lists."""
        counts = np.array([len(one) for one in lists], np.int64)
        return cls(np.concatenate([np.empty(0, np.int64), *lists]), np.cumsum(counts) - counts, counts)

    def __getitem__(self, place: int) -> Indices:
        start = self.starts[place]
        return self.values[start : start + self.counts[place]]

    def padded(self, places: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """(B, N) values of these lists, 0 where one is shorter than the longest, and which are there."""
        steps = np.arange(max(1, int(self.counts[places].max(initial=0))))
        there = steps < self.counts[places][:, None]
        if not len(self.values):
            return np.zeros(there.shape, np.int64), there
        return self.values[np.where(there, self.starts[places][:, None] + steps, 0)], there


@dataclass(frozen=True, eq=False)
class Looks:
    """How clips are cut into looks: clip i has looks first[i] to first[i + 1] - 1, whose `weights` sum to 1.

    `views` is how many views of features are averaged in tests: each look is there once for each, view by view.
    """

    first: Indices
    weights: NDArray[np.float64]
    views: int = 1

    def counts(self, clips: Indices) -> Indices:
        """How many looks each of these clips has, all views together."""
        return (self.first[clips + 1] - self.first[clips]) * self.views

    def of(self, clips: Indices) -> tuple[Indices, Indices, Indices, NDArray[np.float64]]:
        """(look, view, place of its clip among these, weight), each (L,), of all looks at these clips, in order."""
        place = np.repeat(np.arange(len(clips)), self.counts(clips))
        within = np.arange(len(place)) - np.repeat(
            np.cumsum(self.counts(clips)) - self.counts(clips), self.counts(clips)
        )
        look, view = self.first[clips[place]] + within // self.views, within % self.views
        return look, view, place, self.weights[look] / self.views

    def any_of(self, clips: Indices, dice: NDArray[np.float64]) -> Indices:
        """One look at each of these clips, by dice (B,) in [0, 1)."""
        first: Indices = self.first[clips]
        if self.one_each:
            return first
        return np.asarray(first + (dice * (self.first[clips + 1] - first)).astype(np.int64))

    @cached_property
    def one_each(self) -> bool:
        """Whether no clip has several looks."""
        return bool((np.diff(self.first) == 1).all())


@dataclass(frozen=True, eq=False)
class Seen:
    """The rows of a pack that are seen: `looks` of every look as tested, `inside` of every part of every clip.

    Clip i has parts part[i] to part[i + 1] - 1.
    """

    looks: Ragged
    inside: Ragged
    part: Indices

    def drawn(self, sampling: Sampling, clips: Indices, dice: NDArray[np.float64]) -> tuple[Indices, NDArray[np.bool_]]:
        """(B, N) rows of these clips as drawn in training, and which are there; `dice` (B, rows + 1) in [0, 1)."""
        found = []
        for clip, some in zip(clips, dice, strict=True):
            parts = [self.inside[place] for place in range(self.part[clip], self.part[clip + 1])]
            rows = [part[sampling.drawn(len(part), some)] for part in parts if len(part)]
            found.append(np.concatenate([np.empty(0, np.int64), *rows]))
        ragged = Ragged.of(found)
        return ragged.padded(np.arange(len(clips)))


def look(
    clips: Sequence[Clip], packs: Mapping[str, tuple[Pack, Mapping[str, int]]], sampling: Sampling, lead: str
) -> tuple[Looks, dict[str, Seen]]:
    """The looks at each clip, and what they see of each pack.

    `packs` are the packs by name and the place of each video's entry in them. With `pick = "each"` the rows of
    `lead` are the looks, and of the others it is what lies in the same seconds.
    """
    times = {name: [_time(packed, places, clip) for clip in clips] for name, (packed, places) in packs.items()}
    inside = {name: [_inside(time, clip, sampling) for clip, time in zip(clips, some, strict=True)]
              for name, some in times.items()}  # fmt: skip
    cut = [_looks(sampling, inside[lead][i], times[lead][i]) for i in range(len(clips))]
    first = np.concatenate([[0], np.cumsum([len(weights) for weights, _ in cut])])
    looks = Looks(first.astype(np.int64), np.concatenate([weights for weights, _ in cut]))
    part = np.concatenate([[0], np.cumsum([len(parts) for parts in inside[lead]])]).astype(np.int64)
    seen = {}
    for name, (packed, places) in packs.items():
        rows, starts = [], [packed.rows(places[clip.video.digest]).start for clip in clips]
        for i, (_, spans) in enumerate(cut):
            seconds = spans or _seconds(clips[i], times[name][i])
            rows += [starts[i] + one for one in _rows(sampling, inside[name][i], times[name][i], seconds)]
        parts = [starts[i] + part for i, some in enumerate(inside[name]) for part in some]
        seen[name] = Seen(Ragged.of(rows), Ragged.of(parts), part)
    return looks, seen


def _time(packed: Pack, places: Mapping[str, int], clip: Clip) -> NDArray[np.float64]:
    return packed.time[packed.rows(places[clip.video.digest])]


def _seconds(clip: Clip, time: NDArray[np.float64]) -> Sequence[tuple[float, float]]:
    """The parts of a clip, of one without any all of its video."""
    return clip.parts or (((float(time[0, 0]), float(time[-1, 2])),) if len(time) else ((0.0, 0.0),))


def _inside(time: NDArray[np.float64], clip: Clip, sampling: Sampling) -> list[Indices]:
    """The rows of each part of a clip, of a video whose rows are at `time` (rows, 3)."""
    found = []
    for part in _seconds(clip, time):
        start, stop = sampling.spans(*part)
        if not sampling.causal:
            found.append(rows_of(time, [(start, stop)], 0))
            continue
        centred = (time[:, 1] >= start) & (time[:, 1] < stop) & (time[:, 2] <= stop + SLACK_SECONDS)
        found.append(np.flatnonzero(centred))
    return found


def _looks(
    sampling: Sampling, parts: Sequence[Indices], time: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[tuple[float, float]]]:
    """The weights of the looks at one clip, and of `each` their seconds."""
    if sampling.pick != "each":
        return np.full(sampling.looks, 1 / sampling.looks), []
    rows = np.concatenate(parts)
    if not len(rows):
        return np.ones(1), [(0.0, 0.0)]
    return covered(time[rows]), [(float(start), float(stop)) for start, stop in time[rows][:, [0, 2]]]


def _rows(
    sampling: Sampling, parts: Sequence[Indices], time: NDArray[np.float64], spans: Sequence[tuple[float, float]]
) -> list[Indices]:
    """What each look at a clip sees of one feature; `spans` are the clip's parts, or with `each` the looks'."""
    if sampling.pick == "each":
        centres = [(start + stop) / 2 for start, stop in spans]
        rows = np.concatenate(parts)
        return [_within(rows, time, span, centre) for span, centre in zip(spans, centres, strict=True)]
    if sampling.pick == "even" and not sampling.causal:
        return [rows_of(time, spans, sampling.rows)]
    if sampling.pick == "even":
        return [np.concatenate([_even(part, time, sampling.rows) for part in parts])]
    looks = [sampling.tested(len(part)) if len(part) else [part] * sampling.looks for part in parts]
    return [
        np.concatenate([part[some[number]] if len(part) else part for part, some in zip(parts, looks, strict=True)])
        for number in range(sampling.looks)
    ]


def _even(part: Indices, time: NDArray[np.float64], count: int) -> Indices:
    """`count` rows of a part nearest to the centres of equal pieces of its time; 0: all of them."""
    if not count or not len(part):
        return part
    span = (float(time[part[0], 0]), float(time[part[-1], 2]))
    return np.asarray(part[rows_of(time[part], [span], count)])


def _within(rows: Indices, time: NDArray[np.float64], span: tuple[float, float], centre: float) -> Indices:
    """The rows whose centres lie in a span, of those that are exactly it that one alone; of none the nearest."""
    if not len(rows):
        return rows
    own = rows[(time[rows, 0] == span[0]) & (time[rows, 2] == span[1])]
    if len(own):
        return np.asarray(own[:1])
    inside: Indices = rows[(time[rows, 1] >= span[0]) & (time[rows, 1] < span[1])]
    nearest = np.abs(time[rows, 1] - centre).argmin()
    return inside if len(inside) else np.asarray(rows[nearest : nearest + 1])


def check_causal(own: str, extractor: Extractor, sampling: Sampling) -> None:
    """Nothing, or a BadRequest where clips are cut in time and a row of the extractor may know what comes later."""
    if sampling.causal and (extractors := _ahead(extractor)):
        raise BadRequest(
            f"sampling.observe and sampling.anticipate hide what comes later, and {own!r} may know it: "
            f"{', '.join(extractors)} looks ahead; leave it out of head.features"
        )


def _ahead(extractor: Extractor) -> list[str]:
    """The names of the trackers in an extractor whose rows come late, so that they may know what follows them."""
    own = [extractor.name] if isinstance(extractor, Tracker) and extractor.lag_seconds != 0 else []
    held = [one for one in extractor.needs().values() if isinstance(one, Extractor)]
    return own + [name for one in held for name in _ahead(one)]
