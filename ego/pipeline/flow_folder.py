"""Stored flow as a folder of pictures, as dense_flow writes them and two-stream networks read them."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ego.cache.entry import Entry
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.layers.flow_codec import to_bytes
from ego.video import Array

Suffix = Literal["jpg", "png"]
READ_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Exported:
    """What was written: pairs of pictures, their size, and the part of all values that lay beyond the bound."""

    pairs: int
    width: int
    height: int
    cut: float


def export_flow(
    store: FeatureStore, video: str, extractor: str, out: Path, *, suffix: Suffix = "jpg", bound: float = 20.0
) -> Exported:
    """Writes the flow of one entry as `flow_x_00001.jpg` and `flow_y_00001.jpg`, whole or not at all.

    Grey 0 to 255 is -`bound` to `bound` pixels, 128 none. A pair is numbered by its first frame, counted from 1,
    or by its row where no frames are known. `out` must not exist yet; an entry without flow is a BadRequest.
    """
    if bound <= 0:
        raise BadRequest(f"got a bound of {bound:g}, expected pixels above 0")
    entry = store.entry(store.key(video, extractor))
    name = _flow_of(entry)
    if out.exists():
        raise BadRequest(f"{out} is already there; name a folder that is not, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise BadRequest(f"{out} cannot be written: {error.strerror}; name another folder") from error
    try:
        with store.guard(entry):
            exported = _write(entry, name, staged, suffix, bound)
        os.chmod(staged, 0o777 & ~_umask())
        os.rename(staged, out)
    except OSError as error:
        raise BadRequest(f"{out} cannot be written: {error.strerror}; see whether the disk is full") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return exported


def _flow_of(entry: Entry) -> str:
    """The name of an entry's array of flow."""
    marker = entry.marker
    if marker.state == "absent":
        raise BadRequest(f"{entry.path} holds nothing to export: {marker.reason}")
    found = [name for name, array in marker.arrays.items() if is_flow(array)]
    if not found:
        held: Mapping[str, Array] = marker.arrays
        kinds = ", ".join(f"{name} ({array.kind})" for name, array in held.items())
        raise BadRequest(
            f"{marker.key.name} of {marker.video_name or marker.key.video[:16]} is no flow, it has: {kinds}"
        )
    return found[0]


def is_flow(array: Array) -> bool:
    """Whether an array holds fields of flow, (2, height, width) a row."""
    return array.kind == "flow" and len(array.shape) == 3 and array.shape[0] == 2


def _write(entry: Entry, name: str, folder: Path, suffix: Suffix, bound: float) -> Exported:
    array, rows = entry.marker.arrays[name], entry.marker.rows
    _, height, width = array.shape
    numbers = _numbers(entry.pick("source", np.arange(rows)))
    step = max(1, READ_BYTES // (8 * height * width))
    beyond = 0
    for start in range(0, rows, step):
        part = np.arange(start, min(start + step, rows))
        flow = array.real(entry.pick(name, part))
        beyond += int((np.abs(flow) > bound).sum())
        for number, planes in zip(numbers[part], to_bytes(flow, bound), strict=True):
            for axis, plane in zip("xy", planes, strict=True):
                _write_picture(folder / f"flow_{axis}_{number:05d}.{suffix}", plane)
    return Exported(rows, width, height, beyond / max(1, rows * 2 * height * width))


def _numbers(source: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of each row's pictures: its first frame, else its place, counted from 1."""
    first = source[:, 0]
    known = len(first) > 0 and first.min() >= 0 and len(np.unique(first)) == len(first)
    return np.asarray(first + 1 if known else np.arange(len(first)) + 1)


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    import cv2

    encoded, data = cv2.imencode(path.suffix, picture)
    assert encoded, "grey bytes are always a picture"
    path.write_bytes(data.tobytes())


def _umask() -> int:
    """The process's own, which can only be read by setting it."""
    before = os.umask(0o022)
    os.umask(before)
    return before
