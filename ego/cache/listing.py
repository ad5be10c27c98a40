"""What a store holds, from the names in its folders alone: no file opened, no zarr."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ego.cache.key import FeatureKey
from ego.cache.marker import MARKER
from ego.cache.notes import VIDEOS, Notes
from ego.cache.place import Folder

State = Literal["stored", "absent", "broken", "failed", "missing"]

_GROUP = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)-(?P<digest>[0-9a-f]{16})")
_ENTRY = re.compile(r"(?P<video>[0-9a-f]{16})(?:\+[0-9a-f]{16})?")
_RANK = ("stored", "absent", "broken", "failed", "missing")
_BARE = frozenset({MARKER, "zarr.json", "time", "source"})


@dataclass(frozen=True)
class Listing:
    """The states of every entry at one moment, by `group/entry`; `videos` holds the digest16s noted."""

    states: Mapping[str, State]
    videos: frozenset[str]

    def state(self, key: FeatureKey) -> State:
        """`stored`, `absent`, `broken`, `failed` or `missing`."""
        return self.states.get(key.path, "missing")

    def entries(self) -> Iterator[tuple[str, str, State]]:
        """(group, entry, state) of everything that is stored, absent, broken or failed."""
        for path, state in self.states.items():
            group, _, entry = path.partition("/")
            yield group, entry, state

    def __len__(self) -> int:
        return len(self.states)


def group_name(name: str) -> "re.Match[str] | None":
    """`name` and `digest` of a folder that holds an extractor's entries; None for any other."""
    return _GROUP.fullmatch(name)


def entry_name(name: str) -> "re.Match[str] | None":
    """`video` of an entry's folder; None for any other."""
    return _ENTRY.fullmatch(name)


def groups(place: Folder) -> list[str]:
    """The folders of a place that hold an extractor's entries."""
    return sorted(name for name in place.names() or [] if _GROUP.fullmatch(name))


def list_places(places: Sequence[Folder]) -> Listing:
    """Lists every place; of an entry in several the soundest state counts."""
    states: dict[str, State] = {}
    videos: set[str] = set()
    for place in places:
        for path, state in _states(place):
            if path not in states or _RANK.index(state) < _RANK.index(states[path]):
                states[path] = state
        videos.update(name.removesuffix(".json") for name in place.names(VIDEOS) or [])
    return Listing(states, frozenset(videos))


def list_held(places: Sequence[Folder]) -> frozenset[str]:
    """`group/entry` of every entry with a marker, stored or absent."""
    return frozenset(
        f"{group}/{entry}"
        for place in places
        for group in groups(place)
        for entry in place.having(group, MARKER)
        if _ENTRY.fullmatch(entry)
    )


def _states(place: Folder) -> Iterator[tuple[str, State]]:
    for group in groups(place):
        for entry in place.names(group) or []:
            if not _ENTRY.fullmatch(entry):
                continue
            path = f"{group}/{entry}"
            names = place.names(path)
            if names is None or MARKER not in names:
                yield path, "broken"
            else:
                yield path, "absent" if _BARE.issuperset(names) else "stored"
    for path in Notes(place).failed():
        yield path, "failed"
