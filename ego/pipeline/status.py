"""What a store holds and what it misses, entry by entry and in sum."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ego.cache.notes import Failure
from ego.cache.store import FeatureStore
from ego.errors import BrokenEntry
from ego.extractors._base import Extractor
from ego.pipeline.jobs import Readings, entry_key
from ego.video import Video

State = Literal["stored", "absent", "failed", "broken", "missing"]


@dataclass(frozen=True)
class EntryState:
    """One video under one extractor: how it stands; `rows` and `seconds` only where it is stored."""

    video: str
    extractor: str
    digest: str
    rows: int | None
    seconds: float | None
    state: State
    error: str | None


def entries(
    store: FeatureStore,
    videos: Sequence[Video] | None = None,
    extractors: Sequence[Extractor] | None = None,
    readings: Readings | None = None,
) -> Iterator[EntryState]:
    """Every entry and failure of the store; with videos and extractors named, those pairs, `missing` ones too.

    With videos alone, under each extractor that the store knows; with extractors alone, every video it
    knows. Opens the markers of stored entries;
    `seconds` is from the first row's start to the last one's stop.
    """
    listing, failures, notes = store.listing(), store.failures(), store.video_notes()
    names = {digest[:16]: note.name for digest, note in notes.items()}
    if videos is not None and extractors is not None:
        for video in videos:
            for extractor in extractors:
                key = entry_key(video, extractor, (readings or {}).get(video.digest, {}))
                state = listing.state(key)
                yield _describe(store, key.path, state, video.name, extractor.name, extractor.digest, failures)
        return
    meant = None if videos is None else {video.digest[:16]: video.name for video in videos}
    wanted = None if extractors is None else {extractor.digest[:16] for extractor in extractors}
    found: set[tuple[str, str]] = set()
    for group, entry, state in listing.entries():
        name, _, digest = group.rpartition("-")
        if wanted is not None and digest not in wanted:
            continue
        found.add((group, entry[:16]))
        if meant is None or entry[:16] in meant:
            called = (meant or names).get(entry[:16], entry[:16])
            yield _describe(store, f"{group}/{entry}", state, called, name, digest, failures)
    for group in sorted({group for group, _ in found}):
        name, _, digest = group.rpartition("-")
        for video_digest, called in (meant or {}).items():
            if (group, video_digest) not in found:
                yield EntryState(called, name, digest, None, None, "missing", None)


def _describe(
    store: FeatureStore,
    path: str,
    state: State,
    video: str,
    extractor: str,
    digest: str,
    failures: Mapping[str, Failure],
) -> EntryState:
    """One entry's line; a marker that does not check makes it broken."""
    failure = failures.get(path)
    if state == "failed" and failure is not None:
        return EntryState(failure.video, failure.key.name, failure.key.extractor, None, None, state, failure.error)
    if state in ("failed", "missing"):
        return EntryState(video, extractor, digest, None, None, state, None)
    try:
        marker = store.marker(path)
    except BrokenEntry as error:
        return EntryState(video, extractor, digest, None, None, "broken", str(error))
    seconds = marker.seconds[1] - marker.seconds[0] if marker.seconds else 0.0
    name, key = marker.video_name or video, marker.key
    return EntryState(name, key.name, key.extractor, marker.rows, seconds, state, marker.reason or None)


@dataclass(frozen=True)
class Sum:
    """How many videos of an extractor stand how."""

    extractor: str
    digest: str
    counts: dict[State, int]


def summary(store: FeatureStore) -> list[Sum]:
    """One Sum for each extractor of the store, from its listing alone: no entry and no marker is opened."""
    sums: dict[str, Sum] = {}
    for group, _, state in store.listing().entries():
        name, _, digest = group.rpartition("-")
        counts = sums.setdefault(group, Sum(name, digest, {})).counts
        counts[state] = counts.get(state, 0) + 1
    return [sums[group] for group in sorted(sums)]
