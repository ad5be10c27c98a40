"""What there is to do: which extractors each video misses, told from which entries the store holds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor
from ego.pipeline.scan import Failure
from ego.video import Picture, Reading, Signal, Video

Readings = Mapping[str, Mapping[str, Reading]]
"""Signals beside the videos: by video digest, then by kind."""


@dataclass(frozen=True)
class Job:
    """One video and the extractors whose entries it misses; they share one decode."""

    video: Video
    extractors: tuple[Extractor, ...]
    readings: Mapping[str, Reading]

    def key(self, extractor: Extractor) -> FeatureKey:
        """The key of the entry that this extractor makes of this video."""
        return entry_key(self.video, extractor, self.readings)

    @property
    def seconds(self) -> float:
        """How much of the video there is to decode, as its container claims."""
        if self.video.part:
            return self.video.part[1] - self.video.part[0]
        return self.video.header.seconds_from_header if self.video.header else 0.0


@dataclass(frozen=True)
class Advance:
    """A running job has decoded this many seconds of its video."""

    video: Video
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """How one video ended: what was stored, or why it failed."""

    video: Video
    state: Literal["stored", "absent", "exists", "failed"]
    rows: Mapping[str, int]
    error: str | None
    wall_seconds: float
    about: Mapping[str, Any]


def entry_key(video: Video, extractor: Extractor, readings: Mapping[str, Reading]) -> FeatureKey:
    """(video, signals used, extractor): signals count only where the extractor asks for their kind."""
    asked = signals_of(extractor) if readings else ()
    used = tuple(sorted(readings[kind].digest for kind in asked if kind in readings))
    return FeatureKey(extractor.name, extractor.digest, video.digest, used)


def signals_of(extractor: Extractor) -> list[str]:
    """The kinds of signal an extractor asks for, in its needs or for where its rows lie."""
    kinds = {need.kind for need in extractor.needs().values() if isinstance(need, Signal)}
    if extractor.window.at != "grid":
        kinds.add(extractor.window.at)
    return sorted(kinds)


def asks_for_signals(extractors: Iterable[Extractor]) -> bool:
    """Whether any of these extractors asks for a signal."""
    return any(signals_of(extractor) for extractor in extractors)


def pictures_of(extractor: Extractor) -> dict[str, Picture]:
    """The pictures an extractor asks for, by the name it knows them by."""
    return {name: need for name, need in extractor.needs().items() if isinstance(need, Picture)}


def work(
    videos: Iterable[Video],
    extractors: Sequence[Extractor],
    store: FeatureStore,
    readings: Readings | None = None,
) -> list[Job]:
    """The jobs that remain, longest video first: one look at each entry of the store, none opened.

    Bytes that lie under several paths are done once. Two extractors with one digest are one.
    """
    _check(extractors)
    held = store.held()
    wanted = list({extractor.digest: extractor for extractor in extractors}.values())
    unique = {video.digest: video for video in reversed(list(videos))}
    jobs = []
    for video in reversed(list(unique.values())):
        beside = (readings or {}).get(video.digest, {})
        missing = tuple(one for one in wanted if entry_key(video, one, beside).path not in held)
        if missing:
            jobs.append(Job(video, missing, beside))
    return sorted(jobs, key=lambda job: -job.seconds)


def refuse(failure: Failure, extractors: Sequence[Extractor], store: FeatureStore) -> Outcome:
    """The outcome of a path that is no usable video, noted in the store where its bytes are known."""
    video = Video(failure.digest or "", failure.name, failure.path)
    if failure.digest is not None:
        for extractor in extractors:
            store.note_failure(
                FeatureKey(extractor.name, extractor.digest, failure.digest), failure.name, failure.error
            )
    return Outcome(video, "failed", {}, failure.error, 0.0, {})


def shares(jobs: Sequence[Job], share_seconds: float) -> Iterator[list[Job]]:
    """Jobs in the portions one worker takes: a long video alone, short ones until they fill minutes."""
    share: list[Job] = []
    total = 0.0
    for job in jobs:
        if share and total + job.seconds > share_seconds:
            yield share
            share, total = [], 0.0
        share.append(job)
        total += job.seconds
    if share:
        yield share


def spans_of(extractor: Extractor, readings: Mapping[str, Reading]) -> NDArray[np.float64] | None:
    """The spans that are an extractor's rows; None on the grid, empty where the signal is not there."""
    if extractor.window.at == "grid":
        return None
    reading = readings.get(extractor.window.at)
    return np.empty((0, 2)) if reading is None else reading.seconds


def _check(extractors: Sequence[Extractor]) -> None:
    if not extractors:
        raise BadRequest("got no extractor; name one with --with (`ego ls extractors` lists them) or in a recipe")
    for extractor in extractors:
        held = [name for name, need in extractor.needs().items() if isinstance(need, Extractor)]
        if held:
            raise BadRequest(f"{extractor.name} holds another extractor as {held[0]!r}, which this version cannot run")
        if not pictures_of(extractor):
            raise BadRequest(f"{extractor.name} asks for no picture, which this version cannot run")
