"""The feature store: entries written once and whole, read with every byte checked."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ego.cache.entry import ALL, Entry, Feature, read_feature
from ego.cache.key import FeatureKey
from ego.cache.listing import Listing, entry_name, group_name, list_held, list_places
from ego.cache.marker import MARKER, Marker, check_key
from ego.cache.names import Names
from ego.cache.notes import Failure, Notes, VideoNote
from ego.cache.place import Folder
from ego.cache.root import check_root, create_root
from ego.cache.sealed import Damage
from ego.cache.verify import Finding, quarantine, verify
from ego.cache.writer import Writer
from ego.errors import BadRequest, BrokenEntry, NotExtracted
from ego.spec import Spec
from ego.video import Array


class FeatureStore:
    """The entries at these places: it writes to the first and reads through the rest.

    A place that does not exist, or holds anything but a store, is a BadRequest: an unmounted folder
    is not an empty store. With `create` the first is made where there is nothing yet. Where a key is
    asked for, `group/entry` as a `Listing` gives it does as well.
    """

    def __init__(self, *places: str | Path, create: bool = False) -> None:
        if not places:
            raise BadRequest("got no place for the store; name its folder with --store")
        self._places = [Folder(Path(place).absolute()) for place in places]
        for place in self._places:
            if create and place is self._places[0]:
                create_root(place)
            check_root(place)
        self._first = self._places[0]
        self._notes = Notes(self._first)
        self._names = Names(self._places)

    def __repr__(self) -> str:
        return f"FeatureStore({', '.join(repr(str(place)) for place in self._places)})"

    def __contains__(self, key: FeatureKey) -> bool:
        return any(place.size(f"{_path(key)}/{MARKER}") is not None for place in self._places)

    def __iter__(self) -> Iterator[FeatureKey]:
        """The key of every entry whose marker is sound; what is not, `verify` and `listing` name."""
        for group, entry, state in self.listing().entries():
            if state in ("stored", "absent"):
                try:
                    yield self.marker(f"{group}/{entry}").key
                except (BrokenEntry, NotExtracted):
                    continue

    def read(
        self,
        key: FeatureKey | str,
        seconds: tuple[float, float] = ALL,
        arrays: Sequence[str] | None = None,
    ) -> Feature:
        """Every row whose [start, stop) overlaps `seconds`, of the arrays named or all; only their chunks are read.

        An absent entry has zero rows and says why in `.absent`. Not there: NotExtracted. Damaged in
        anything this reads: BrokenEntry.
        """
        entry = self.entry(key)
        with self.guard(entry):
            return read_feature(entry, seconds, arrays)

    def marker(self, key: FeatureKey | str) -> Marker:
        """What an entry is and how it came to be, checked against its own checksum."""
        return self.entry(key).marker

    def entry(self, key: FeatureKey | str) -> Entry:
        """The entry opened for reading piece by piece, its marker checked; read it under `guard`."""
        path = _path(key)
        place = self._place_of(path)
        try:
            entry = Entry(place, path)
            held = entry.marker.key
            if isinstance(key, FeatureKey) and (key.extractor, key.video) != (held.extractor, held.video):
                raise Damage("its digests are not those of the key")
        except Damage as damage:
            raise self._broken(place, path, damage) from damage
        return entry

    @contextmanager
    def guard(self, entry: Entry) -> Iterator[None]:
        """Damage met within is a BrokenEntry that names this entry and what to do."""
        try:
            yield
        except Damage as damage:
            raise self._broken(entry.place, entry.path, damage) from damage

    def writing(self, key: FeatureKey, arrays: Mapping[str, Array], spec: Spec | None = None) -> Writer:
        """A writer that takes the entry's rows block by block; see `Writer`."""
        return Writer(self._first, self._notes, key, arrays, spec)

    def write(
        self,
        key: FeatureKey,
        arrays: Mapping[str, Array],
        blocks: Iterable[Mapping[str, NDArray[Any]]],
        about: Mapping[str, Any],
        spec: Spec | None = None,
    ) -> str:
        """Writes all blocks as one entry: `stored`, or `exists` where a sound one was there first."""
        with self.writing(key, arrays, spec) as writer:
            for block in blocks:
                writer.append(block)
            return writer.publish(about)

    def absent(
        self,
        key: FeatureKey,
        arrays: Mapping[str, Array],
        reason: str,
        about: Mapping[str, Any],
        spec: Spec | None = None,
    ) -> None:
        """Publishes an entry of zero rows that says why there is nothing to extract."""
        with self.writing(key, arrays, spec) as writer:
            writer.publish(about, absent=reason)

    def remove(self, key: FeatureKey | str) -> None:
        """Removes an entry from the first place, at once for every reader; none there: NotExtracted."""
        if not self._first.remove(_path(key)):
            raise NotExtracted(f"there is no {_path(key)} in {self._first}")

    def key(self, video: str, extractor: str) -> FeatureKey:
        """The key of the one entry meant by a video's name or digest and an extractor's name or digest.

        Digests may be shortened to 8 hex digits. Several: BadRequest that lists them; none: NotExtracted.
        """
        groups = self._names.groups(extractor)
        found = self._names.entries(video, groups)
        if not found:
            meant = self._names.digests(video)
            failures = (one for one in self.failures().values() if one.key.group in groups)
            failure = next((one for one in failures if one.video == video or one.key.video[:16] in meant), None)
            why = f" (it failed: {failure.error})" if failure else ""
            raise NotExtracted(f"{video!r} has no {extractor!r} in {self._where}{why}; run: ego extract")
        if len(found) > 1:
            raise BadRequest(f"{video!r} and {extractor!r} mean several entries: {', '.join(found)}")
        return self.marker(found[0]).key

    def videos(self) -> list[str]:
        """The videos that have entries: names where unique, else `name-digest16`; digest16 where no name is known."""
        return self._names.videos()

    def extractors(self) -> list[str]:
        """The extractors that have entries: names where unique, else `name-digest16`."""
        return self._names.extractors()

    def listing(self) -> Listing:
        """The state of every entry from the folders' names alone; 50,000 entries take about half a second."""
        for place in self._places:
            check_root(place)
        return list_places(self._places)

    def held(self) -> frozenset[str]:
        """`group/entry` of every entry there is, stored or absent; quicker than `listing`."""
        for place in self._places:
            check_root(place)
        return list_held(self._places)

    def remember_video(self, digest: str, *, name: str, size: int, mtime_ns: int, facts: Mapping[str, Any]) -> None:
        """Notes what a video is called and what its header says, so that nobody hashes it twice."""
        check_key(FeatureKey("video", digest, digest))
        self._notes.remember_video(VideoNote(digest, ((name, size, mtime_ns),), dict(facts)))

    def video_notes(self) -> dict[str, VideoNote]:
        """Every video noted, by digest."""
        found: dict[str, VideoNote] = {}
        for place in reversed(self._places):
            found.update(Notes(place).videos())
        return found

    def remember_spec(self, spec: Spec) -> None:
        """Writes an extractor's full description beside its entries."""
        self._notes.remember_spec(spec)

    def spec(self, extractor: str) -> dict[str, Any] | None:
        """The noted description of one extractor, by name or digest; None where none is noted."""
        groups = self._names.groups(extractor)
        if len(groups) > 1:
            raise BadRequest(f"{extractor!r} means several extractors: {', '.join(groups)}")
        notes = (Notes(place).spec(groups[0]) for place in self._places)
        return next((spec for spec in notes if spec is not None), None)

    def note_failure(self, key: FeatureKey, video_name: str, error: str) -> None:
        """Notes why an entry could not be made; publishing it removes the note."""
        check_key(key)
        self._notes.note_failure(Failure(key, video_name, error))

    def failures(self) -> dict[str, Failure]:
        """The failures that stand, by `group/entry`."""
        found: dict[str, Failure] = {}
        for place in reversed(self._places):
            found.update(Notes(place).failures())
        return found

    def verify(
        self,
        part: tuple[int, int] = (1, 1),
        keys: Iterable[FeatureKey | str] | None = None,
        watch: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[Finding]:
        """Reads every byte of a part of the store, or of these entries, and says of each whether it is sound.

        `watch(done, total)` is called before each.
        """
        paths = None if keys is None else {_path(key) for key in keys}
        for place in self._places if paths is None else self._places[:1]:
            check_root(place)
            yield from verify(place, part, paths, watch)

    def quarantine(self, key: FeatureKey | str) -> Path:
        """Sets an entry or a note of the first place aside, and says where it lies now; nothing is patched."""
        path = _path(key)
        judged = self._first.identity(path)
        moved = quarantine(self._first, path, judged) if judged else None
        if moved is None:
            raise NotExtracted(f"there is no {path} in {self._first}")
        return self._first.root / moved

    def sweep(self) -> list[str]:
        """Removes what dead writers left in staging, and returns its names; see `Folder.sweep`."""
        return self._first.sweep()

    @property
    def places(self) -> tuple[str, ...]:
        """The folders of this store: what opens it again, in another process too."""
        return tuple(str(place) for place in self._places)

    @property
    def place(self) -> Path:
        """The folder that is written to."""
        return self._first.root

    @property
    def _where(self) -> str:
        return ", ".join(map(str, self._places))

    def _place_of(self, path: str) -> Folder:
        for place in self._places:
            if place.size(f"{path}/{MARKER}") is not None:
                return place
        for place in self._places:
            if place.identity(path) is not None:
                return place
            check_root(place)
        raise NotExtracted(f"there is no {path} in {self._where}; run: ego extract")

    def _broken(self, place: Folder, path: str, damage: Damage) -> BrokenEntry:
        note = self._names.note(path.split("/")[1][:16])
        name = f" of {note.name!r}" if note else ""
        command = f"ego verify --store {shlex.quote(str(place))} --repair"
        return BrokenEntry(f"the entry {path}{name} in {place} is broken: {damage}; set it aside with: {command}")


def _path(key: FeatureKey | str) -> str:
    path = key.path if isinstance(key, FeatureKey) else key
    group, _, entry = path.partition("/")
    note = path.endswith(".json") and (group == "notes" or entry == "spec.json") and ".." not in path.split("/")
    if not note and not (group_name(group) and entry_name(entry)):
        raise BadRequest(f"got {path!r}, expected a key, or group/entry as a listing gives it")
    return path
