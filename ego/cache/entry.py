"""Reading one entry: its marker, then only the chunks asked for, each byte checked before it is used."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.cache.layout import FETCH_BYTES, Fetch, Layout, Shard, shard_file, unwritten, within
from ego.cache.marker import MARKER, FileFacts, Marker
from ego.cache.place import Folder
from ego.cache.sealed import Damage
from ego.errors import BadRequest
from ego.video import Array

ALL = (-math.inf, math.inf)
"""Every row of an entry, as `seconds`."""


@dataclass(frozen=True, eq=False)
class Feature:
    """Rows of one entry, in time order; `feature["name"]` is an array (rows, *shape) in its stored dtype.

    `time` is (rows, 3) float64: start, centre and stop in seconds. `source` is (rows, 4) int64: first
    frame, last frame and their integer timestamps, -1 where no frame is meant.
    """

    time: NDArray[np.float64]
    source: NDArray[np.int64]
    marker: Marker
    _data: Mapping[str, NDArray[Any]]

    @property
    def names(self) -> list[str]:
        """The arrays that were read."""
        return list(self._data)

    @property
    def arrays(self) -> Mapping[str, Array]:
        """What each array is: its shape, dtype, kind, scale and box."""
        return {name: self.marker.arrays[name] for name in self._data}

    @property
    def absent(self) -> str | None:
        """Why there was nothing to extract; None for an entry that is stored."""
        return self.marker.reason if self.marker.state == "absent" else None

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._data:
            raise BadRequest(f"got {name!r}, this feature holds: {', '.join(self._data)}")
        return self._data[name]

    def __len__(self) -> int:
        return len(self.time)


class Entry:
    """One entry opened for reading: its marker is verified, its bytes are as they are asked for."""

    def __init__(self, place: Folder, path: str) -> None:
        self.path, self.place = path, place
        self.marker = read_marker(place, path)
        self._trusted: set[str] = set()

    def time(self) -> NDArray[np.float64]:
        """(rows, 3) float64: start, centre and stop of every row, in seconds."""
        return self.rows("time", range(self.marker.rows))

    def rows(self, name: str, rows: range, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Consecutive rows of an array, read into `out` where it is given."""
        if name in self.marker.layouts:
            self._check(name, rows)
        if out is None:
            array = self.marker.array(name)
            out = np.empty((len(rows), *array.shape), array.dtype)
        for start, data in self._chunks(name, rows) if rows else ():
            low, high = max(start, rows.start), min(start + len(data), rows.stop)
            out[low - rows.start : high - rows.start] = data[low - start : high - start]
        return out

    def pick(self, name: str, rows: NDArray[np.int64], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Rows by number, in order; stretches between them are not read."""
        array = self.marker.array(name)
        if out is None:
            out = np.empty((len(rows), *array.shape), array.dtype)
        done = 0
        for stretch in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
            if len(stretch):
                self.rows(name, range(int(stretch[0]), int(stretch[-1]) + 1), out[done : done + len(stretch)])
                done += len(stretch)
        return out

    def _chunks(self, name: str, rows: range) -> Iterator[tuple[int, NDArray[Any]]]:
        """(first row, rows) of every chunk that holds some of `rows`."""
        layout = self.marker.layouts[name]
        for number in _shards(rows, layout):
            base = number * layout.shard_rows
            first = max(rows.start - base, 0) // layout.chunk_rows
            last = -(-min(rows.stop - base, layout.shard_rows) // layout.chunk_rows)
            file = shard_file(name, number, self.marker.array(name))
            try:
                for chunk, data in self._read(name, file, range(first, last)):
                    yield base + chunk * layout.chunk_rows, data
            except Damage as damage:
                raise Damage(f"{file}: {damage}") from damage
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise Damage(f"{file} is missing") from None

    def _read(self, name: str, file: str, chunks: range) -> Iterator[tuple[int, NDArray[Any]]]:
        array, layout = self.marker.array(name), self.marker.layouts[name]
        if file not in self.marker.files:
            return iter([(chunk, unwritten(array, layout.chunk_rows)) for chunk in chunks])
        path, size = f"{self.path}/{file}", self.marker.files[file].size

        fetch: Fetch = partial(self.place.get, path)
        if size <= FETCH_BYTES and len(chunks) * layout.chunk_rows == layout.shard_rows:
            fetch = within(self.place.get(path))
        return Shard.opened(array, layout, size, fetch).read(chunks, fetch)

    def _check(self, name: str, rows: range) -> None:
        """The files about to be read are there in full, and the metadata is what was published."""
        for file in ("zarr.json", f"{name}/zarr.json"):
            if file not in self._trusted:
                check_bytes(file, self._get(file), self.marker.files.get(file))
                self._trusted.add(file)
        array = self.marker.array(name)
        for number in _shards(rows, self.marker.layouts[name]):
            file = shard_file(name, number, array)
            facts = self.marker.files.get(file)
            if facts is None and array.dtype.startswith("float"):
                raise Damage(f"{file} is not in the marker")
            if facts is not None and (size := self.place.size(f"{self.path}/{file}")) != facts.size:
                raise Damage(f"{file} is missing" if size is None else f"{file} has {size} bytes, not {facts.size}")

    def _get(self, file: str) -> bytes:
        try:
            return self.place.get(f"{self.path}/{file}")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise Damage(f"{file} is missing") from None


def read_marker(place: Folder, path: str) -> Marker:
    """The marker of the entry at `path`, verified; none, or one that was changed, is Damage."""
    try:
        data = place.get(f"{path}/{MARKER}")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise Damage(f"{MARKER} is missing") from None
    try:
        marker = Marker.parse(data)
    except Damage as damage:
        raise Damage(f"{MARKER}: {damage}") from damage
    if marker.key.path != path:
        raise Damage(f"{MARKER}: it belongs to {marker.key.path}")
    return marker


def read_feature(entry: Entry, seconds: tuple[float, float], names: Sequence[str] | None) -> Feature:
    """The rows of an entry that overlap `seconds`, of the arrays named or of all."""
    marker = entry.marker
    chosen = list(marker.arrays) if names is None else list(names)
    for name in chosen:
        if name not in marker.arrays:
            raise BadRequest(f"got {name!r} for {entry.path}, which holds: {', '.join(marker.arrays)}")
    try:
        time = entry.time()
        picked = overlapping(time, seconds)
        data = {name: entry.pick(name, picked) for name in chosen}
        return Feature(time[picked], entry.pick("source", picked), marker, data)
    except (MemoryError, OverflowError) as error:
        raise BadRequest(
            f"got {marker.rows} rows of {', '.join(chosen)}, more than memory holds; ask for seconds=(start, stop)"
        ) from error


def overlapping(time: NDArray[np.float64], seconds: tuple[float, float]) -> NDArray[np.int64]:
    """The rows whose [start, stop) overlaps [a, b), in order; a row of no length counts at its instant."""
    low, high = (float(one) for one in seconds)
    if not low < high:
        raise BadRequest(f"got seconds {low:g} to {high:g}, expected a start before its stop")
    start, stop = time[:, 0], time[:, 2]
    return np.flatnonzero((start < high) & ((stop > low) | ((stop == start) & (start >= low))))


def check_bytes(file: str, data: bytes, facts: FileFacts | None) -> None:
    """Damage unless these are the bytes that the marker names."""
    if facts is None:
        raise Damage(f"{file} is not in the marker")
    if len(data) != facts.size:
        raise Damage(f"{file} has {len(data)} bytes, not {facts.size}")
    if hashlib.sha256(data).hexdigest() != facts.sha256:
        raise Damage(f"{file} was changed: its sha256 does not match")


def _shards(rows: range, layout: Layout) -> range:
    """The numbers of the shards that hold these rows."""
    return range(rows.start // layout.shard_rows, -(-rows.stop // layout.shard_rows)) if rows else range(0)
