"""A run's log as TensorBoard reads it: event files, which are records of protocol buffers with two checksums each."""

import math
import re
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import google_crc32c

VERSION = b"brain.Event:2"


def write_events(folder: Path, logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """One event file for each fold's log, in a folder of the fold's name where there are several.

    Every number of a line but its step becomes a scalar at that step. Steps are a second apart: when a line was
    written is not kept, so that equal runs are equal files.
    """
    for number, (name, log) in enumerate(logs.items()):
        if not log:
            continue
        place = folder / f"{number + 1}-{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60]}" if len(logs) > 1 else folder
        place.mkdir(exist_ok=True)
        first = _double(1, 0.0) + _bytes(3, VERSION)
        events = [_event(line) for line in log if "step" in line]
        (place / "events.out.tfevents.0.ego").write_bytes(b"".join(map(_record, [first, *events])))


def _event(line: Mapping[str, Any]) -> bytes:
    """Event {wall_time = 1, step = 2, summary = 5 {value = 1 {tag = 1, simple_value = 2}}}."""
    values = [
        _tagged(key) + struct.pack("<f", number)
        for key, number in line.items()
        if key != "step" and isinstance(number, int | float) and math.isfinite(number)
    ]
    return _double(1, float(line["step"])) + b"\x10" + _varint(line["step"]) + _bytes(5, b"".join(values))


@cache
def _tagged(key: str) -> bytes:
    """A value of this tag up to its number, which has four bytes."""
    tag = _bytes(1, key.encode()) + bytes([2 << 3 | 5])
    return bytes([1 << 3 | 2]) + _varint(len(tag) + 4) + tag


def _record(data: bytes) -> bytes:
    size = struct.pack("<Q", len(data))
    return size + _checksum(size) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    """crc32c, turned and shifted so that a checksum of checksums is one too."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _double(field: int, value: float) -> bytes:
    return struct.pack("<Bd", field << 3 | 1, value)


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
