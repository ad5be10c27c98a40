"""What there is to do: which extractors each video misses, told from which entries the store holds."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor
from ego.pipeline.needs import check, held_by, in_order, signals_of
from ego.pipeline.scan import Failure
from ego.video import Reading, Video

Readings = Mapping[str, Mapping[str, Reading]]
"""Signals beside the videos: by video digest, then by kind."""


State = Literal["stored", "absent", "exists", "failed"]


@dataclass(frozen=True)
class Job:
    """One video and the extractors whose entries it misses; they share one decode.

    `passing` are held by them and stored nowhere: they are computed beside them and not kept; `lent` are
    kept for the next pass over the video only. What else they hold is read from the store.
    """

    video: Video
    extractors: tuple[Extractor, ...]
    readings: Mapping[str, Reading]
    passing: tuple[Extractor, ...] = ()
    lent: tuple[Extractor, ...] = ()

    @property
    def riding(self) -> tuple[Extractor, ...]:
        """Every extractor that is computed, each after those that it holds."""
        return tuple(in_order((*self.passing, *self.lent, *self.extractors), only=True))

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
    state: State
    rows: Mapping[str, int]
    error: str | None
    wall_seconds: float
    about: Mapping[str, Any]


def entry_key(video: Video, extractor: Extractor, readings: Mapping[str, Reading]) -> FeatureKey:
    """(video, signals used, extractor): signals count only where the extractor asks for their kind."""
    asked = signals_of(extractor) if readings else ()
    used = tuple(sorted(readings[kind].digest for kind in asked if kind in readings))
    return FeatureKey(extractor.name, extractor.digest, video.digest, used)


def work(
    videos: Iterable[Video],
    extractors: Sequence[Extractor],
    store: FeatureStore,
    readings: Readings | None = None,
) -> list[Job]:
    """The jobs that remain, longest video first: one look at each entry of the store, none opened.

    Bytes that lie under several paths are done once. Two extractors with one digest are one.
    """
    if not extractors:
        raise BadRequest("got no extractor; name one with --with (`ego ls extractors` lists them) or in a recipe")
    check(extractors)
    held = store.held()
    wanted = list({extractor.digest: extractor for extractor in extractors}.values())
    unique = {video.digest: video for video in reversed(list(videos))}
    jobs = []
    for video in reversed(list(unique.values())):
        beside = (readings or {}).get(video.digest, {})
        missing = tuple(one for one in wanted if entry_key(video, one, beside).path not in held)
        if missing:
            passing = computed_for(missing, partial(_is_stored, held, video, beside))
            jobs.append(Job(video, missing, beside, passing))
    return sorted(jobs, key=lambda job: -job.seconds)


def _is_stored(held: Collection[str], video: Video, readings: Mapping[str, Reading], extractor: Extractor) -> bool:
    return entry_key(video, extractor, readings).path in held


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


def computed_for(extractors: Sequence[Extractor], stored: Callable[[Extractor], bool]) -> tuple[Extractor, ...]:
    """What these extractors hold, near or far, that must be computed beside them because it is not stored."""
    wanted = {extractor.digest for extractor in extractors}
    found: dict[str, Extractor] = {}

    def visit(extractor: Extractor) -> None:
        for held in held_by(extractor).values():
            if held.digest not in wanted and held.digest not in found and not stored(held):
                visit(held)
                found[held.digest] = held

    for extractor in extractors:
        visit(extractor)
    return tuple(found.values())
