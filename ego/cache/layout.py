"""How an array's rows are cut into inner chunks and shards, and how a shard's bytes become rows again.

A shard file is its inner chunks, each followed by its crc32c, then an index of (offset, bytes) per
chunk and the index's own crc32c: the `sharding_indexed` codec of zarr v3. Zarr writes the shards;
they are read here so that every byte that is used is checked and nothing missing reads as a value.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ego.cache.sealed import Damage
from ego.video import Array

SHARD_BYTES = 64_000_000
CHUNK_BYTES = 2**20
CHUNK_ROWS = 256
FETCH_BYTES = 2**21  # read at once: checked and copied while still in the processor's cache
NOTHING = 2**64 - 1  # the index entry of a chunk that holds only the fill value

TIME = Array((3,), "float64")
SOURCE = Array((4,), "int64", compress=True)


def row_bytes(array: Array) -> int:
    """Bytes of one row as stored, before any compression."""
    return int(np.dtype(array.dtype).itemsize * np.prod(array.shape, dtype=np.int64))


@dataclass(frozen=True)
class Layout:
    """Rows to an inner chunk, rows to a shard: `shard_rows` is a multiple of `chunk_rows`."""

    chunk_rows: int
    shard_rows: int

    def __post_init__(self) -> None:
        if not (0 < self.chunk_rows <= self.shard_rows) or self.shard_rows % self.chunk_rows:
            raise ValueError(f"a shard of {self.shard_rows} rows cannot hold chunks of {self.chunk_rows}")

    @classmethod
    def endless(cls, array: Array) -> "Layout":
        """For an array that may take many shards: chunks of 256 rows or 1 MiB, shards of at most 64 MB."""
        chunk = max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes(array)))
        stored = chunk * row_bytes(array) + 20  # crc32c and index entry
        if array.compress:
            stored += stored // 200 + 64  # what zstd adds when nothing can be saved
        return cls(chunk, chunk * max(1, (SHARD_BYTES - 4) // stored))

    def fitted(self, rows: int) -> "Layout":
        """For `rows` rows that fit one shard: as few and large chunks as leave no padding worth naming."""
        chunk = min(self.chunk_rows, max(rows, 1))
        while (-rows % chunk) * 200 > rows:
            chunk -= 1
        return Layout(chunk, chunk * max(1, -(-rows // chunk)))


Fetch = Callable[[int, int], bytes | memoryview]
"""(offset, bytes) -> the bytes of a shard file."""


def within(data: bytes) -> Fetch:
    """Fetches from a shard file already read."""
    view = memoryview(data)
    return lambda start, length: view[start : start + length]


@dataclass(frozen=True)
class Shard:
    """One shard file of an array: where its chunks lie."""

    array: Array
    layout: Layout
    index: NDArray[np.uint64]
    """(chunks, 2): offset and bytes of each."""
    size: int

    @classmethod
    def opened(cls, array: Array, layout: Layout, size: int, fetch: Fetch) -> "Shard":
        """The shard whose file of `size` bytes `fetch` reads; an index that does not check is Damage."""
        chunks = layout.shard_rows // layout.chunk_rows
        length = 16 * chunks + 4
        if length > size:
            raise Damage(f"it has {size} bytes, too few for its index")
        tail = np.frombuffer(fetch(size - length, length), np.uint8)
        if len(tail) != length or not _sound(tail):
            raise Damage("the checksum of its index does not match")
        index = tail[:-4].view("<u8").reshape(chunks, 2)
        held = index[index[:, 0] != NOTHING]
        if ((held[:, 1] < 4) | (held[:, 1] > size) | (held[:, 0] > size - held[:, 1])).any():
            raise Damage("its index points outside of it")
        return cls(array, layout, index, size)

    def read(self, chunks: range, fetch: Fetch) -> Iterator[tuple[int, NDArray[Any]]]:
        """Each of these chunks: its number and its rows (chunk_rows, *shape), checked and decoded."""
        for run in _runs(self.index, chunks):
            if int(self.index[run[0], 0]) == NOTHING:
                yield run[0], unwritten(self.array, self.layout.chunk_rows)
                continue
            start = int(self.index[run[0], 0])
            stop = start + int(self.index[run, 1].sum())
            data = np.frombuffer(fetch(start, stop - start), np.uint8)
            if len(data) != stop - start:
                raise Damage("it ends too early")
            for chunk in run:
                offset, length = (int(number) for number in self.index[chunk])
                yield chunk, self._decode(chunk, data[offset - start : offset - start + length])

    def _decode(self, chunk: int, data: NDArray[np.uint8]) -> NDArray[Any]:
        if not _sound(data):
            raise Damage(f"the checksum of its chunk {chunk} does not match")
        body = data[:-4]
        if self.array.compress:
            try:
                body = np.frombuffer(_zstd().decode(np.ascontiguousarray(body)), np.uint8)
            except (RuntimeError, ValueError) as error:
                raise Damage(f"its chunk {chunk} cannot be decompressed") from error
        if body.nbytes != self.layout.chunk_rows * row_bytes(self.array):
            raise Damage(f"its chunk {chunk} has {body.nbytes} bytes")
        return body.view(np.dtype(self.array.dtype).newbyteorder("<")).reshape(-1, *self.array.shape)


def fill_value(array: Array) -> float | int:
    """What plain zarr shows where data is missing: NaN where the type has it, so that it is never taken for one."""
    return float("nan") if array.dtype.startswith("float") else 0


def unwritten(array: Array, rows: int) -> NDArray[Any]:
    """Rows of the fill value, which zarr does not write; where that is NaN, no entry holds it."""
    if array.dtype.startswith("float"):
        raise Damage("values are missing")
    return np.zeros((rows, *array.shape), array.dtype)


def shard_file(name: str, number: int, array: Array) -> str:
    """Where in an entry's folder a shard lies: zarr's chunk key."""
    return "/".join((name, "c", str(number), *("0" for _ in array.shape)))


def _sound(data: NDArray[np.uint8]) -> bool:
    return bool(google_crc32c.value(data[:-4]) == int.from_bytes(data[-4:].tobytes(), "little"))


def _runs(index: NDArray[np.uint64], chunks: range) -> list[list[int]]:
    """Chunks, in order, grouped so that each group lies back to back in the file and is fetched at once."""
    runs: list[list[int]] = []
    stop, fetched = NOTHING, 0
    for chunk in chunks:
        start, length = (int(number) for number in index[chunk])
        if start == stop != NOTHING and fetched + length <= FETCH_BYTES:
            runs[-1].append(chunk)
            fetched += length
        else:
            runs.append([chunk])
            fetched = length
        stop = start + length if start != NOTHING else NOTHING
    return runs


@cache
def _zstd() -> Any:
    from numcodecs import Zstd  # type: ignore[import-untyped]

    return Zstd()
