"""Many entries as one contiguous array per name, verified once, in memory or memory-mapped.

Heads are trained from a pack: windows are gathered by `np.take(out=)`, never read through the store.
A pack is a copy: it may be deleted at any time and is made again.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ego.cache.entry import ALL, Entry, overlapping
from ego.cache.key import FeatureKey
from ego.cache.layout import TIME, row_bytes
from ego.cache.place import discard, make_folder, sync, write
from ego.cache.sealed import Damage, seal, unseal
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BrokenEntry
from ego.spec import canonical_json
from ego.video import Array

HEADER = "pack.json"
BLOCK_BYTES = 2**20
THREADS = min(8, os.cpu_count() or 1)
Seconds = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Pack:
    """`pack[name]` is (rows, *shape) over all entries; entry i is rows offsets[i] to offsets[i + 1].

    `keys` are in the order that was asked for, `time` is (rows, 3) float64 seconds, `arrays` says
    what each array is.
    """

    keys: tuple[FeatureKey, ...]
    offsets: NDArray[np.int64]
    arrays: Mapping[str, Array]
    _data: Mapping[str, NDArray[Any]]

    @classmethod
    def open(cls, folder: str | Path, memory: bool = False) -> "Pack":
        """The pack in this folder, every byte checked once; memory-mapped, or read into memory.

        None there: BadRequest. One that was changed: BrokenEntry, delete the folder.
        """
        folder = Path(folder)
        try:
            content = unseal((folder / HEADER).read_bytes())
            arrays = {name: Array(**fields) for name, fields in content["arrays"].items()}
            keys = tuple(FeatureKey(**{**key, "signals": tuple(key["signals"])}) for key in content["keys"])
            offsets = np.array(content["offsets"], np.int64)
            data = {
                name: _load(folder / f"{name}.bin", array, int(offsets[-1]), content["crc32c"][name], memory)
                for name, array in {"time": TIME, **arrays}.items()
            }
        except FileNotFoundError as error:
            raise BadRequest(f"there is no pack at {folder}") from error
        except (Damage, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise BrokenEntry(f"the pack {folder} is broken ({error}); delete this folder, it is made again") from error
        return cls(keys, offsets, arrays, data)

    @property
    def time(self) -> NDArray[np.float64]:
        """(rows, 3) float64: start, centre and stop of every row in seconds."""
        return self._data["time"]

    def rows(self, entry: int) -> slice:
        """The rows of the entry at this place in `keys`."""
        return slice(int(self.offsets[entry]), int(self.offsets[entry + 1]))

    def gather(self, name: str, rows: NDArray[np.integer[Any]], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Rows by number, any shape of them: (*rows.shape, *shape), into `out` where it is given."""
        data, rows = self[name], np.asarray(rows)
        if rows.size and (int(rows.min()) < 0 or int(rows.max()) >= len(data)):
            raise BadRequest(f"got rows {int(rows.min())} to {int(rows.max())}, the pack has {len(data)}")
        if not len(data):
            return np.empty((*rows.shape, *data.shape[1:]), data.dtype) if out is None else out
        return np.take(data, rows, axis=0, out=out, mode="clip")  # `raise` would buffer `out`

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._data:
            raise BadRequest(f"got {name!r}, this pack holds: {', '.join(self.arrays)}")
        return self._data[name]

    def __len__(self) -> int:
        return int(self.offsets[-1])


def pack(
    store: FeatureStore,
    keys: Sequence[FeatureKey],
    arrays: Sequence[str] | None = None,
    seconds: Seconds | Sequence[Seconds] | None = None,
    folder: str | Path | None = None,
) -> Pack:
    """The rows of these entries one after the other, each entry's bytes checked once.

    `seconds` narrows all entries to one span, or each to its own. In memory, or with `folder` as
    memory-mapped files there: a sound pack of the same things is opened, another one is replaced.
    """
    entries = [store.entry(key) for key in keys]
    chosen = _common(entries, arrays)
    spans = _spans(seconds, len(entries))
    if folder is None:
        return _fill(store, _parts(store, entries, spans), chosen, None)
    folder = Path(folder).absolute()
    digest = _contents(entries, chosen, spans)
    ready = _ready(folder, digest)
    if ready is None:
        parts = _parts(store, entries, spans)
        _publish(folder, digest, lambda staged: _fill(store, parts, chosen, staged))
        ready = Pack.open(folder)
    return ready


def contents(store: FeatureStore, keys: Sequence[FeatureKey], arrays: Sequence[str]) -> str:
    """64 hex digits over what a pack of these entries is made of: every entry's bytes and the arrays."""
    entries = [store.entry(key) for key in keys]
    return _contents(entries, _common(entries, arrays), [ALL] * len(entries))


def save(made: Pack, folder: str | Path, contents: str) -> None:
    """Keeps a pack that is in memory as files of a folder, where `Pack.open` finds it; one that was there goes."""

    def write_all(staged: Path) -> Pack:
        for name, data in made._data.items():
            data.tofile(staged / f"{name}.bin")
        return made

    _publish(Path(folder).absolute(), contents, write_all)


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of one entry that go into a pack, and their times."""

    entry: Entry
    rows: NDArray[np.int64]
    time: NDArray[np.float64]


def _spans(seconds: Seconds | Sequence[Seconds] | None, count: int) -> list[Seconds]:
    if seconds is None or len(seconds) == 0:
        return [ALL] * count
    spans = [(float(start), float(stop)) for start, stop in np.asarray(seconds, np.float64).reshape(-1, 2)]
    if np.ndim(seconds) == 1:
        return spans * count
    if len(spans) != count:
        raise BadRequest(f"got {len(spans)} spans of seconds for {count} entries, expected one, or one for each")
    return spans


def _common(entries: Sequence[Entry], names: Sequence[str] | None) -> dict[str, Array]:
    """The arrays to pack, which every entry must hold alike."""
    if not entries:
        raise BadRequest("got no entries to pack")
    first = next((entry for entry in entries if entry.marker.state == "stored"), entries[0])
    held = first.marker.arrays
    chosen = {name: held.get(name) for name in (held if names is None else names)}
    for entry in entries:
        for name, array in chosen.items():
            other = entry.marker.arrays.get(name)
            if array is None or other is None:
                raise BadRequest(f"{entry.path} and {first.path} do not both hold {name!r}")
            same = entry.marker.state == "absent" or array.shape == other.shape
            if not same or array.dtype != other.dtype:
                raise BadRequest(
                    f"{entry.path} holds {name!r} as {other.dtype} {other.shape}, {first.path} as {array.dtype} "
                    f"{array.shape}; extract with one size for all videos, such as picture.fit=squash"
                )
    return {name: array for name, array in chosen.items() if array is not None}


def _parts(store: FeatureStore, entries: Sequence[Entry], spans: Sequence[Seconds]) -> list[_Part]:
    parts = []
    for entry, span in zip(entries, spans, strict=True):
        with store.guard(entry):
            time = entry.time()
        rows = overlapping(time, span)
        parts.append(_Part(entry, rows, time if len(rows) == len(time) else time[rows]))
    return parts


def _fill(store: FeatureStore, parts: Sequence[_Part], arrays: Mapping[str, Array], folder: Path | None) -> Pack:
    """Reads every part into its place: in memory, or in raw files of this folder."""
    offsets = np.cumsum([0, *(len(part.rows) for part in parts)], dtype=np.int64)
    data = {name: _room(name, array, int(offsets[-1]), folder) for name, array in {"time": TIME, **arrays}.items()}

    def read(number: int) -> None:
        part, rows = parts[number], slice(offsets[number], offsets[number + 1])
        data["time"][rows] = part.time
        with store.guard(part.entry):
            for name in arrays:
                part.entry.pick(name, part.rows, data[name][rows])

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(read, range(len(parts))))
    return Pack(tuple(part.entry.marker.key for part in parts), offsets, arrays, data)


def _room(name: str, array: Array, rows: int, folder: Path | None) -> NDArray[Any]:
    shape = (rows, *array.shape)
    if folder is None:
        return np.empty(shape, array.dtype)
    path = folder / f"{name}.bin"
    if not rows:
        path.touch()
        return np.empty(shape, array.dtype)
    return np.memmap(path, array.dtype, "w+", shape=shape)


def _contents(entries: Sequence[Entry], arrays: Mapping[str, Array], spans: Sequence[Seconds]) -> str:
    """64 hex digits over what a pack is made of: every entry's bytes, the arrays, the seconds."""
    files = [
        [entry.path, {name: facts.sha256 for name, facts in entry.marker.files.items()}, list(map(repr, span))]
        for entry, span in zip(entries, spans, strict=True)
    ]
    return hashlib.sha256(canonical_json([files, list(arrays)]).encode()).hexdigest()


def _ready(folder: Path, contents: str) -> Pack | None:
    """The sound pack of these contents that lies there; None where there is none or another."""
    if not folder.exists():
        return None
    if not (folder / HEADER).is_file():
        raise BadRequest(f"got {folder} for a pack, which holds other things; name a new folder")
    try:
        same = unseal((folder / HEADER).read_bytes()).get("contents") == contents
        return Pack.open(folder) if same else None
    except (Damage, BrokenEntry):
        return None


def _publish(folder: Path, contents: str, make: Callable[[Path], Pack]) -> None:
    """Writes a pack beside its place with `make`, then gives it its name; one that was there goes."""
    make_folder(folder.parent)
    staged = folder.parent / f".{folder.name[:100]}-{os.getpid()}-{secrets.token_hex(8)}"
    try:
        os.mkdir(staged)
        made = make(staged)
        checksums = {}
        for name, data in made._data.items():
            if isinstance(data, np.memmap):
                data.flush()
            checksums[name] = [google_crc32c.value(block) for block in _blocks(data)]
            sync(str(staged / f"{name}.bin"))
        content = {
            "contents": contents,
            "keys": [{**asdict(key), "signals": list(key.signals)} for key in made.keys],
            "offsets": made.offsets.tolist(),
            "arrays": {name: array.describe()["fields"] for name, array in made.arrays.items()},
            "crc32c": checksums,
        }
        write(staged / HEADER, seal(content))
        sync(str(staged))
        if folder.exists():
            os.rename(folder, old := folder.parent / f"{staged.name}-old")
            discard(old)
        os.rename(staged, folder)
        sync(str(folder.parent))
    except BaseException:
        discard(staged)
        raise


def _load(path: Path, array: Array, rows: int, checksums: Sequence[int], memory: bool) -> NDArray[Any]:
    size = rows * row_bytes(array)
    if path.stat().st_size != size or len(checksums) != -(-size // BLOCK_BYTES):
        raise Damage(f"{path.name} has {path.stat().st_size} bytes, expected {size}")
    shape = (rows, *array.shape)
    mapped = rows and not memory
    data = np.memmap(path, array.dtype, "r", shape=shape) if mapped else np.empty(shape, array.dtype)
    with open(path, "rb", buffering=0) as file:
        for number, block in enumerate(_blocks(data)):
            if not mapped:
                file.readinto(block.data)
            if google_crc32c.value(block) != checksums[number]:
                raise Damage(f"{path.name} was changed near byte {number * BLOCK_BYTES}")
    return data


def _blocks(data: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    raw = data.reshape(-1).view(np.uint8)
    return (raw[start : start + BLOCK_BYTES] for start in range(0, raw.nbytes, BLOCK_BYTES))
