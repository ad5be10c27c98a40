"""The wire format of protocol buffers, as far as detections of hands need it."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from ego.errors import BadRequest

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
Fields = Mapping[int, list[Any]]


def messages(data: bytes, where: str) -> dict[int, list[Any]]:
    """The fields of a message by number: whole numbers, and bytes of all else; damaged data is a BadRequest."""
    found: dict[int, list[Any]] = {}
    place = 0
    try:
        while place < len(data):
            key, place = _varint(data, place)
            kind = key & 7
            if kind == VARINT:
                value, place = _varint(data, place)
            elif kind in (EIGHT_BYTES, FOUR_BYTES, LENGTH):
                size, place = _varint(data, place) if kind == LENGTH else (8 if kind == EIGHT_BYTES else 4, place)
                value, place = data[place : place + size], place + size  # type: ignore[assignment]
                if place > len(data):
                    raise IndexError
            else:
                raise IndexError
            found.setdefault(key >> 3, []).append(value)
    except (IndexError, TypeError) as error:
        raise BadRequest(f"{where}: got a damaged message at byte {place}") from error
    return found


def number(fields: Fields, name: int, default: int) -> int:
    """The last value of a whole number."""
    value = fields.get(name, [default])[-1]
    return int(value) if isinstance(value, int) else default


def floats(fields: Fields, names: Sequence[int]) -> list[float]:
    """The last value of each of these floats, 0 where it is left out."""
    values = [fields.get(name, [b""])[-1] for name in names]
    return [struct.unpack("<f", one)[0] if isinstance(one, bytes) and len(one) == 4 else 0.0 for one in values]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise IndexError
