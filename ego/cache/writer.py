"""Writing one entry: rows are staged beside the store, read back, and appear under their key at once."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from numpy.typing import NDArray

from ego.cache.key import FeatureKey
from ego.cache.layout import SOURCE, TIME, Layout, Shard, shard_file, unwritten, within
from ego.cache.marker import FORMAT, MARKER, FileFacts, Marker, check_arrays, check_key, video_name
from ego.cache.notes import Notes
from ego.cache.place import Folder, discard, sync, write
from ego.cache.rows import Checksum, Column, Times, open_group
from ego.cache.sealed import Damage
from ego.cache.verify import check_entry, quarantine
from ego.errors import BadRequest, BrokenEntry
from ego.spec import Spec
from ego.video import Array

TIME_COLUMNS = ["start_seconds", "centre_seconds", "stop_seconds"]
SOURCE_COLUMNS = ["first_frame", "last_frame", "first_pts", "last_pts"]


class Writer:
    """Takes the rows of one entry, block by block, then publishes them; memory holds one shard an array.

    As a context manager it discards what was staged unless `publish` succeeded.
    """

    def __init__(
        self, place: Folder, notes: Notes, key: FeatureKey, arrays: Mapping[str, Array], spec: Spec | None
    ) -> None:
        check_key(key)
        check_arrays(arrays)
        if spec is not None and (spec.digest, spec.name) != (key.extractor, key.name):
            raise BadRequest(f"got the spec of {spec.name} for an entry of {key.name}, whose digest differs")
        self._place, self._notes, self.key, self._spec = place, notes, key, spec
        self._arrays = dict(arrays)
        self._staged: Path | None = place.stage()
        self._opened = False
        declared = {**self._arrays, "time": TIME, "source": SOURCE}
        self._columns = {name: Column(self._staged / name, name, array) for name, array in declared.items()}
        self._times = Times()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def append(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Adds rows: `time` (n, 3) float64, `source` (n, 4) int64 and every declared array (n, *shape).

        Values that are not finite, times out of order: BadVideo. Another dtype, shape or set of
        arrays than was declared: BadRequest.
        """
        if self._staged is None:
            raise BadRequest(f"got rows for {self.key.path} after it was published or discarded")
        if set(block) != set(self._columns):
            raise BadRequest(f"got arrays {sorted(block)}, expected {sorted(self._columns)}")
        self._open(self._staged)
        rows = len(block["time"])
        for name, column in self._columns.items():
            column.check(block[name], rows)
        self._times.check(block["time"])
        for name, column in self._columns.items():
            column.append(block[name])

    def publish(self, about: Mapping[str, Any], absent: str | None = None) -> Literal["stored", "exists"]:
        """Brings the entry under its key: `stored`, or `exists` where a sound one was there first.

        `about` is plain JSON: what decoded and computed it, `video` (its name) and `time_base`. With
        `absent`, the reason why there is nothing, the entry has no rows and no arrays.
        """
        if self._staged is None:
            raise BadRequest(f"got a second publish of {self.key.path}")
        try:
            self._open(self._staged)
            marker = self._finish(self._staged, about, absent)
            self._settle(self._staged, marker)
            state = self._appear(self._staged)
        except BaseException:
            self.discard()
            raise
        if state == "exists":
            self.discard()
        self._staged = None
        self._notes.forget_failure(self.key)
        return state

    def discard(self) -> None:
        """Drops what is staged; nothing after `publish`."""
        if self._staged is not None:
            discard(self._staged)
            self._staged = None
            self._columns = {}

    def _open(self, staged: Path) -> None:
        """Makes the staging folder; not before there is something to put in, when its owner can already discard it."""
        if not self._opened:
            os.mkdir(staged)
            self._opened = True

    def _finish(self, staged: Path, about: Mapping[str, Any], absent: str | None) -> Marker:
        """Everything written and read back; the marker names what was read."""
        columns = self._columns
        if absent is not None:
            if columns["time"].rows:
                raise BadRequest(f"got {columns['time'].rows} rows for {self.key.path}, which is said to be absent")
            columns = {name: columns[name] for name in ("time", "source")}
        layouts = {name: column.finish() for name, column in columns.items()}
        open_group(staged, self._attributes(about))
        return Marker(
            key=self.key,
            state="stored" if absent is None else "absent",
            rows=columns["time"].rows,
            seconds=self._times.span,
            arrays=self._arrays,
            layouts=layouts,
            files=read_back(staged, columns, layouts),
            spec=None if self._spec is None else self._spec.describe(),
            about=dict(about),
            reason=absent or "",
        )

    def _attributes(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """What a reader who has only zarr is told."""
        base = about.get("time_base")
        return {
            "ego_format": FORMAT,
            "video": video_name(about),
            "video_digest": self.key.video,
            "signals_digests": list(self.key.signals),
            "extractor": self.key.name,
            "extractor_digest": self.key.extractor,
            "spec": None if self._spec is None else self._spec.describe(),
            "time_columns": TIME_COLUMNS,
            "source_columns": SOURCE_COLUMNS,
            "time_base": None if base is None else str(base),
        }

    def _settle(self, staged: Path, marker: Marker) -> None:
        """The marker last, then every folder on disk, innermost first."""
        text = marker.seal()
        Marker.parse(text)
        write(staged / MARKER, text)
        if (staged / MARKER).read_bytes() != text:
            raise BrokenEntry(f"{MARKER} reads back differently from what was written; is the disk sound?")
        for folder, _, _ in os.walk(staged, topdown=False):
            sync(folder)

    def _appear(self, staged: Path) -> Literal["stored", "exists"]:
        if self._spec is not None:
            self._notes.remember_spec(self._spec)
        for _ in range(10):
            if self._place.publish(staged, self.key.path):
                return "stored"
            judged = self._place.identity(self.key.path)
            try:
                check_entry(self._place, self.key.path)
                return "exists"
            except Damage:
                if judged is not None:
                    quarantine(self._place, self.key.path, judged)
        raise BrokenEntry(
            f"the place of {self.key.path} in {self._place} stays taken by a broken entry; run ego verify --repair"
        )


def read_back(staged: Path, columns: Mapping[str, Column], layouts: Mapping[str, Layout]) -> dict[str, FileFacts]:
    """Size and sha256 of every staged file, each read once; what differs from the rows given is BrokenEntry."""
    place, facts = Folder(staged), {}
    for name in ("zarr.json", *(f"{name}/zarr.json" for name in columns)):
        facts[name] = _settled(staged, name, place.get(name))
    for name, column in columns.items():
        checksum = Checksum()
        try:
            for start, rows in _decoded(place, staged, name, column, layouts[name], facts):
                checksum.add(rows[: max(0, column.rows - start)])
        except Damage as damage:
            raise BrokenEntry(f"{name} cannot be read back as written ({damage}); is the disk sound?") from damage
        if checksum != column.checksum:
            raise BrokenEntry(f"{name} reads back differently from what was written; is the disk or memory sound?")
    if sorted(facts) != place.files(""):
        raise BrokenEntry(f"got files {place.files('')} in staging, expected {sorted(facts)}")
    return facts


def _settled(staged: Path, file: str, data: bytes) -> FileFacts:
    """What the marker says of a file that was just read back, once it is on disk."""
    sync(str(staged / file))
    return FileFacts(len(data), hashlib.sha256(data).hexdigest())


def _decoded(
    place: Folder, staged: Path, name: str, column: Column, layout: Layout, facts: dict[str, FileFacts]
) -> Iterator[tuple[int, NDArray[Any]]]:
    for number in range(-(-column.rows // layout.shard_rows)):
        file, base = shard_file(name, number, column.array), number * layout.shard_rows
        if place.size(file) is None:
            yield base, unwritten(column.array, min(column.rows - base, layout.shard_rows))
            continue
        data = place.get(file)
        facts[file] = _settled(staged, file, data)
        fetch = within(data)
        shard = Shard.opened(column.array, layout, len(data), fetch)
        chunks = range(-(-min(column.rows - base, layout.shard_rows) // layout.chunk_rows))
        for chunk, rows in shard.read(chunks, fetch):
            yield base + chunk * layout.chunk_rows, rows
