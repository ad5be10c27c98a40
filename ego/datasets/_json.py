"""Annotations in JSON, each error with its file and where in it the value stands."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ego.errors import BadRequest

LARGEST = 2.0**53
"""Numbers from here on are no seconds, frames or ids; NaN is not below it either."""


@dataclass(frozen=True, eq=False)
class Item:
    """An object of a JSON file: its values by key, and where it stands (`file, clips[3]`)."""

    values: Mapping[str, Any]
    source: str

    def has(self, key: str) -> bool:
        """Whether there is a value other than null."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """A text that is not empty; a whole number counts as one."""
        value = self._value(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            raise BadRequest(f"{self.source}: got {value!r:.80} as {key!r}, expected a text")
        return value.strip()

    def number(self, key: str) -> float:
        """A finite number."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
            raise BadRequest(f"{self.source}: got {value!r:.80} as {key!r}, expected a number")
        return float(value)

    def whole(self, key: str) -> int:
        """A whole number."""
        value = self.number(key)
        if value != int(value):
            raise BadRequest(f"{self.source}: got {value!r} as {key!r}, expected a whole number")
        return int(value)

    def span(self, start: str, stop: str) -> tuple[float, float]:
        """Two numbers as the seconds of a segment; one that is negative or stops before it starts is refused."""
        begin, end = self.number(start), self.number(stop)
        if not 0 <= begin <= end:
            raise BadRequest(f"{self.source}: got a segment from {begin:g} to {end:g} s, expected 0 <= start <= stop")
        return begin, end

    def item(self, key: str) -> "Item":
        """The object under a key."""
        return as_item(self._value(key), f"{self.source}.{key}")

    def items(self, key: str) -> Iterator["Item"]:
        """The objects of the list under a key; null or no list is none."""
        value = self.values.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            raise BadRequest(f"{self.source}: got {value!r:.80} as {key!r}, expected a list")
        at = "" if self.source.endswith(", ") else "."
        for number, one in enumerate(value):
            yield as_item(one, f"{self.source}{at}{key}[{number}]")

    def _value(self, key: str) -> Any:
        value = self.values.get(key)
        if value is None:
            there = ", ".join(map(repr, list(self.values)[:12]))
            raise BadRequest(f"{self.source.removesuffix(', ')}: no {key!r} among {there or 'nothing'}")
        return value


def as_item(value: Any, source: str) -> Item:
    """A value as an object; anything else is a BadRequest."""
    if not isinstance(value, dict):
        raise BadRequest(f"{source}: got {value!r:.80}, expected an object")
    return Item(value, source)


def read_json(path: Path) -> Any:
    """What a JSON file holds; one that cannot be read is a BadRequest. Kept while the file is unchanged."""
    try:
        return _loaded(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}; expected annotations in JSON") from error


def read_object(path: Path) -> Item:
    """The object that a JSON file holds."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadRequest(f"{path.name}: got {value!r:.80}, expected an object")
    return Item(value, f"{path.name}, ")


def read_list(path: Path, key: str) -> Iterator[Item]:
    """The objects of the list under `key`, or of the list that is the whole file, as some releases have it."""
    value = read_json(path)
    if isinstance(value, list):
        return (as_item(one, f"{path.name}, [{number}]") for number, one in enumerate(value))
    found = read_object(path)
    if not found.has(key):
        raise BadRequest(f"{path.name}: no {key!r} in it, expected a list of that name")
    return found.items(key)


@lru_cache(maxsize=8)
def index(path: Path, _changed: int, key: str, name: str) -> Mapping[str, Item]:
    """The objects of the list under `key` by what stands under `name` in each; kept while the file is unchanged."""
    return {str(one.values.get(name)): one for one in read_object(path).items(key)}


@lru_cache(maxsize=8)
def _loaded(path: Path, _changed: int) -> Any:
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise BadRequest(f"{path.name}, line {error.lineno}: {error.msg}, expected JSON") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path.name} is not UTF-8 text (byte {error.start})") from error
    except (RecursionError, ValueError) as error:
        raise BadRequest(f"{path.name} is no JSON that can be read: {error}") from error
