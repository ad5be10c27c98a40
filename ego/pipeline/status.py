"""What a store holds and what it misses, entry by entry and in sum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ego.cache.key import FeatureKey
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

    With only one of the two named, what the store knows of them. Opens the markers of stored entries.
    """
    if videos is not None and extractors is not None:
        listing = store.listing()
        failures = store.failures()
        for video in videos:
            for extractor in extractors:
                key = entry_key(video, extractor, (readings or {}).get(video.digest, {}))
                yield _describe(store, key, listing.state(key), video.name, failures.get(key.path))
        return
    wanted_videos = None if videos is None else {video.digest for video in videos}
    wanted = None if extractors is None else {extractor.digest for extractor in extractors}
    for found in _all(store):
        key, _ = found
        if (wanted_videos is None or key.video in wanted_videos) and (wanted is None or key.extractor in wanted):
            yield found[1]


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
