"""The marker of an entry: the last file written, which says what the entry is and names every byte of it."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ego.cache.key import FeatureKey
from ego.cache.layout import SOURCE, TIME, Layout
from ego.cache.sealed import Damage, seal, unseal
from ego.errors import BadRequest
from ego.video import Array

FORMAT = 1
MARKER = "marker.json"
ARRAY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FILE = re.compile(r"(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+(?:\.json)?")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileFacts:
    """A file as it was when the entry was published."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Marker:
    """What an entry holds and how it came to be; whoever reads an entry trusts only this.

    `seconds` is (first start, last stop) of its rows, None where it has none. `about` is what the
    writer knew: decoder, libraries, device. `reason` says why an absent entry has no rows.
    """

    key: FeatureKey
    state: Literal["stored", "absent"]
    rows: int
    seconds: tuple[float, float] | None
    arrays: Mapping[str, Array]
    layouts: Mapping[str, Layout]
    files: Mapping[str, FileFacts]
    spec: Mapping[str, Any] | None
    about: Mapping[str, Any]
    reason: str = ""

    @property
    def video_name(self) -> str | None:
        """What the video was called when this was written, where that was said."""
        return video_name(self.about)

    @property
    def nbytes(self) -> int:
        """Bytes of all files but the marker."""
        return sum(facts.size for facts in self.files.values())

    def array(self, name: str) -> Array:
        """What a row of this array is; `time` and `source` too."""
        return {"time": TIME, "source": SOURCE}.get(name) or self.arrays[name]

    def seal(self) -> bytes:
        """The text of `marker.json`, with its own checksum."""
        return seal(
            {
                "format": FORMAT,
                "state": self.state,
                "reason": self.reason,
                "key": {**dataclasses.asdict(self.key), "signals": list(self.key.signals)},
                "rows": self.rows,
                "seconds": None if self.seconds is None else list(self.seconds),
                "arrays": {name: array.describe()["fields"] for name, array in self.arrays.items()},
                "layouts": {name: dataclasses.asdict(layout) for name, layout in self.layouts.items()},
                "files": {name: dataclasses.asdict(facts) for name, facts in self.files.items()},
                "spec": self.spec,
                "about": self.about,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "Marker":
        """The marker that `seal` wrote; anything else is Damage."""
        content = unseal(data)
        if content.get("format") != FORMAT:
            raise Damage(f"it has format {content.get('format')!r:.40}, this ego reads {FORMAT}")
        try:
            marker = cls(
                key=parse_key(content["key"]),
                state=_one_of(content["state"], "stored", "absent"),
                rows=_count(content["rows"]),
                seconds=None if content["seconds"] is None else _span(content["seconds"]),
                arrays={name: Array(**fields) for name, fields in content["arrays"].items()},
                layouts={name: _layout(fields) for name, fields in content["layouts"].items()},
                files={name: _facts(fields) for name, fields in content["files"].items()},
                spec=None if content["spec"] is None else dict(content["spec"]),
                about=dict(content["about"]),
                reason=_text(content["reason"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Damage("it does not say what a marker says") from error
        marker._check()
        return marker

    def _check(self) -> None:
        written = set(self.arrays) if self.state == "stored" else set()
        if set(self.layouts) != written | {"time", "source"} or {"time", "source"} & set(self.arrays):
            raise Damage("its arrays and their layouts do not agree")
        if not all(map(ARRAY_NAME.fullmatch, self.arrays)) or not all(map(_FILE.fullmatch, self.files)):
            raise Damage("it names what no entry holds")
        if any(side < 1 or side > 2**40 for array in self.arrays.values() for side in array.shape):
            raise Damage("its arrays have impossible shapes")
        if (self.seconds is None) != (self.rows == 0) or (self.state == "absent" and self.rows):
            raise Damage("its rows and its state do not agree")


def check_key(key: FeatureKey) -> None:
    """Refuses a key that could name a path of its own: every digest is 64 hex digits."""
    if not key.name or not all(_HEX.fullmatch(digest) for digest in (key.extractor, key.video, *key.signals)):
        raise BadRequest(f"got the key {key}, expected a name and digests of 64 hex digits")


def parse_key(fields: Mapping[str, Any]) -> FeatureKey:
    """The key a stored JSON table says; a ValueError, TypeError or KeyError where it says none."""
    name, extractor, video, signals = (fields[one] for one in ("name", "extractor", "video", "signals"))
    if not isinstance(name, str) or not isinstance(signals, list):
        raise ValueError("not a key")
    key = FeatureKey(name, extractor, video, tuple(signals))
    check_key(key)
    return key


def video_name(about: Mapping[str, Any]) -> str | None:
    """The video's name in what a writer says of an entry: `video`, as text or as a table with a `name`."""
    video = about.get("video")
    name = video.get("name") if isinstance(video, Mapping) else video
    return name if isinstance(name, str) else None


def check_arrays(arrays: Mapping[str, Array]) -> None:
    """Refuses arrays that cannot be an entry's: a BadRequest says which and why."""
    for name, array in arrays.items():
        if not ARRAY_NAME.fullmatch(name) or name in ("time", "source"):
            raise BadRequest(f"got an array called {name!r}, expected letters, digits, _ and -, not time or source")
        if any(side < 1 for side in array.shape):
            raise BadRequest(f"got rows of shape {array.shape} for {name}, expected every side to be at least 1")
    if not arrays:
        raise BadRequest("got an entry without arrays, expected at least one")


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**48:
        raise ValueError("not a count")
    return value


def _one_of(value: Any, *choices: Any) -> Any:
    if value not in choices:
        raise ValueError("not a choice")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def _span(value: Any) -> tuple[float, float]:
    start, stop = value
    return float(start), float(stop)


def _layout(fields: Mapping[str, Any]) -> Layout:
    return Layout(_count(fields["chunk_rows"]), _count(fields["shard_rows"]))


def _facts(fields: Mapping[str, Any]) -> FileFacts:
    if not _HEX.fullmatch(fields["sha256"]):
        raise ValueError("not a digest")
    return FileFacts(_count(fields["size"]), fields["sha256"])
