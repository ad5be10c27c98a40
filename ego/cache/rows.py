"""One array of an entry as it is written: rows checked, buffered to a shard, handed to zarr."""

import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ego.cache.layout import Layout, fill_value
from ego.errors import BadRequest, BadVideo
from ego.video import Array

_opening = threading.Lock()


class Checksum:
    """The crc32c of rows in order, however they are cut into blocks."""

    def __init__(self) -> None:
        self._value, self._bytes = 0, 0

    def add(self, rows: NDArray[Any]) -> None:
        """Goes on with these rows."""
        data = np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
        if data.nbytes:
            self._value = google_crc32c.extend(self._value, data)
            self._bytes += data.nbytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checksum) and (self._value, self._bytes) == (other._value, other._bytes)

    __hash__ = None  # type: ignore[assignment]  # it changes as rows come


class Times:
    """Checks `time` as it comes: finite, start <= centre <= stop, starts in order."""

    def __init__(self) -> None:
        self.span: tuple[float, float] | None = None
        self._rows, self._last = 0, -np.inf

    def check(self, time: NDArray[np.float64]) -> None:
        """Takes the next rows' times, or says in a BadVideo which is wrong."""
        if not len(time):
            return
        start, centre, stop = time.T
        steps = np.diff(start, prepend=self._last)
        for wrong, what in (
            (~((start <= centre) & (centre <= stop)), "expected start <= centre <= stop"),
            (steps < 0, "expected no row to start before the one above it"),
        ):
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                raise BadVideo(f"got the times {time[row].tolist()} for row {self._rows + row}; {what}")
        self._rows, self._last = self._rows + len(time), float(start[-1])
        first, last = self.span or (float(start[0]), float(stop[0]))
        self.span = first, max(last, float(stop.max()))


class Column:
    """An array in the making: at most one shard of its rows is held, each shard is written once."""

    def __init__(self, folder: Path, name: str, array: Array) -> None:
        self.array, self.rows, self.checksum = array, 0, Checksum()
        self._folder, self._name = folder, name
        self._layout = Layout.endless(array)
        self._buffer = np.empty((0, *array.shape), array.dtype)
        self._held = 0
        self._zarr: Any = None

    def check(self, values: NDArray[Any], rows: int) -> None:
        """BadRequest where dtype or shape is not what was declared, BadVideo where a value is not finite."""
        shape = (rows, *self.array.shape)
        if not isinstance(values, np.ndarray) or values.dtype != np.dtype(self.array.dtype) or values.shape != shape:
            got = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
            raise BadRequest(f"got {got} for {self._name}, expected {self.array.dtype} {shape}")
        if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
            place = tuple(int(side) for side in np.argwhere(~finite)[0])
            raise BadVideo(
                f"got {float(values[place])} in {self._name} at row {self.rows + place[0]}, element {list(place[1:])}; "
                f"expected finite numbers that fit {self.array.dtype}"
            )

    def append(self, values: NDArray[Any]) -> None:
        """Takes rows that `check` accepted; whenever a shard is full and more comes, it is written."""
        self.checksum.add(values)
        while len(values):
            if self._held == self._layout.shard_rows:
                self._flush()
            taken = min(len(values), self._layout.shard_rows - self._held)
            self._grow(self._held + taken)
            self._buffer[self._held : self._held + taken] = values[:taken]
            self._held += taken
            self.rows += taken
            values = values[taken:]

    def finish(self) -> Layout:
        """Writes what is held and says how the rows were cut; rows of one shard are cut to leave no padding."""
        if self._zarr is None:
            self._layout = self._layout.fitted(self.rows)
        self._flush()
        self._buffer = self._buffer[:0].copy()
        return self._layout

    def _grow(self, rows: int) -> None:
        if rows > len(self._buffer):
            capacity = min(self._layout.shard_rows, max(rows, 2 * len(self._buffer)))
            larger = np.empty((capacity, *self.array.shape), self.array.dtype)
            larger[: self._held] = self._buffer[: self._held]
            self._buffer = larger

    def _flush(self) -> None:
        written = self.rows - self._held
        if self._zarr is None:
            self._zarr = _create(self._folder, self._name, self.array, self._layout, self.rows)
        else:
            self._zarr.resize((self.rows, *self.array.shape))
        if self._held:
            try:
                self._zarr[written : self.rows] = self._buffer[: self._held]
            except RuntimeError as error:  # what zarrs makes of an error of the disk
                raise OSError(f"{self._name} could not be written to {self._folder}: {error}") from error
        self._held = 0


def open_group(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Makes the folder a zarr group with these attributes."""
    _zarr().create_group(str(folder), zarr_format=3, attributes=dict(attributes))


def _create(folder: Path, name: str, array: Array, layout: Layout, rows: int) -> Any:
    zarr = _zarr()
    inner: list[Any] = [zarr.codecs.Crc32cCodec()]
    if array.compress:
        inner.insert(0, zarr.codecs.ZstdCodec(level=3))
    attributes: dict[str, Any] = {"kind": array.kind, "scale": array.scale, "box": list(array.box)}
    if name in ("time", "source"):
        attributes = {"unit": "seconds"} if name == "time" else {"unit": "frame number and time base"}
    # the pipeline is taken when an array is opened: zarr's own setting is left as the user has it
    with _opening, zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        return zarr.create_array(
            str(folder),
            shape=(rows, *array.shape),
            dtype=array.dtype,
            chunks=(layout.chunk_rows, *array.shape),
            shards=(layout.shard_rows, *array.shape),
            compressors=inner,
            filters=None,
            fill_value=fill_value(array),
            dimension_names=("row", *(f"{name}_{axis}" for axis in range(len(array.shape)))),
            attributes=attributes,
            zarr_format=3,
        )


@cache
def _zarr() -> Any:
    import zarr
    import zarr.codecs

    return zarr
