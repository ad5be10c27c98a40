"""What a video is and how a look at it is described: identity and arithmetic, no pixels.

Time is seconds on the container's own clock, kept as integer timestamps and their time base too.
"""

import hashlib
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest, BadVideo
from ego.spec import Spec, canonical_json, late

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf"}
    | {".ogv", ".ts", ".vob", ".vrs", ".webm", ".wmv"}
)
"""How a video file's name may end, in lower case."""


class Box(NamedTuple):
    """A rectangle as fractions of the full upright frame: left, top, right, bottom in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Picture(Spec):
    """One size of the native upright picture, shown whole as uint8 RGB; crops belong to the network.

    `squash` scales to size x size whatever the shape, `short` makes the shorter side `size`,
    `height` makes the height `size`, `native` keeps the picture (size 0).
    """

    fit: Literal["squash", "short", "height", "native"] = "short"
    size: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.size == 0) != (self.fit == "native") or self.size < 0:
            raise BadRequest(f"got size {self.size} for a {self.fit} picture; native takes 0, the others at least 1")

    def pixels(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of this picture of an upright frame of `width` x `height` pixels."""
        if self.fit == "native":
            return width, height
        if self.fit == "squash":
            return self.size, self.size
        base = height if self.fit == "height" else min(width, height)
        # integer arithmetic, halves up: the same on every machine
        scaled = ((side * self.size * 2 + base) // (2 * base) for side in (width, height))
        return max(1, next(scaled)), max(1, next(scaled))

    @property
    def box(self) -> Box:
        """The part of the full upright frame that it shows."""
        return WHOLE


@dataclass(frozen=True)
class Signal(Spec):
    """A need for what lies beside a video, by kind: `gaze`, `boxes`, `segments` ..."""

    kind: str = ""


@dataclass(frozen=True)
class Sound(Spec):
    """A need for the sound track: one channel (the mean of all), `rate` samples a second, float32 in [-1, 1]."""

    rate: int = 16_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate < 1:
            raise BadRequest(f"got {self.rate} samples of sound a second, expected at least 1")


@dataclass(frozen=True)
class Array(Spec):
    """What one row of a stored array is: its shape, how it is stored and what it means.

    Sides of 0 at the end of a shape are the height and width of the extractor's picture (`sized`). Stored * `scale` is
    real; `box` is the part of the frame a map shows; `compress` allows zstd inside the checksum. Several views of a
    window are a row's first axis: `views` says the box of each (of a square frame) and 1 where it is mirrored.
    """

    shape: tuple[int, ...] = ()
    dtype: Literal["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"] = "float16"
    kind: Literal["vector", "map", "points", "boxes", "flow", "mask", "tokens"] = "vector"
    scale: float = 1.0
    box: tuple[float, float, float, float] = WHOLE
    compress: bool = False
    views: tuple[tuple[float, float, float, float, float], ...] = late(())

    @property
    def free(self) -> bool:
        """Whether its height and width are those of a picture that only the video tells."""
        return 0 in self.shape

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether rows may have this shape: free sides may be anything above 0."""
        return len(shape) == len(self.shape) and all(
            a in (0, b) and b > 0 for a, b in zip(self.shape, shape, strict=True)
        )

    def sized(self, height: int, width: int) -> "Array":
        """This array for pictures of `height` x `width` pixels: its free sides filled in."""
        return replace(self, shape=(*self.shape[:-2], height, width)) if self.free else self

    def real(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Stored numbers as what they mean: float32 for floats and scaled integers, others as they are."""
        if self.scale == 1.0 and stored.dtype.kind != "f":
            return stored
        wide = stored.astype(np.float32)
        return wide if self.scale == 1.0 else wide * np.float32(self.scale)

    def cast(self, values: NDArray[Any]) -> NDArray[Any]:
        """`values` as they are stored: divided by `scale`, rounded for integers, in `dtype`.

        What does not fit an integer type is a BadVideo; a float that overflows is infinite, and refused when written.
        """
        kind = np.dtype(self.dtype)
        if values.dtype == kind and self.scale == 1.0:
            return values
        scaled = values if self.scale == 1.0 else values / self.scale
        if kind.kind in "iu" and scaled.dtype.kind == "f":
            scaled = np.rint(scaled)
            limits = np.iinfo(kind)
            if not ((scaled >= limits.min) & (scaled <= limits.max)).all():
                raise BadVideo(f"got a value outside {limits.min}..{limits.max} for {self.dtype}, or not a number")
        with np.errstate(over="ignore"):
            return scaled.astype(kind)


@dataclass(frozen=True)
class Header:
    """What the container claims of its picture stream: a claim, not a count."""

    container: str
    codec: str
    pixel_format: str
    width: int
    """Upright width in pixels, after rotation."""
    height: int
    rotation: int
    """Degrees the decoded picture is turned counter-clockwise to stand upright: 0, 90, 180, 270."""
    fps_from_header: float
    frames_from_header: int
    """0 where the container does not say."""
    start_seconds: float
    seconds_from_header: float
    """0.0 where the container does not say."""
    stream: int
    time_base: Fraction
    has_sound: bool


@dataclass(frozen=True)
class Video:
    """A video known by its bytes; where it lies and what it is called are not part of it.

    `digest` is 64 hex digits (BLAKE3 over the file, or over a frame folder's ordered pictures and
    rate). `part` narrows it to seconds of its own clock; such a part has a digest of its own.
    """

    digest: str
    name: str = field(compare=False)
    path: str = field(compare=False)
    header: Header | None = field(default=None, compare=False, repr=False)
    part: tuple[float, float] | None = field(default=None, compare=False)
    stamp: tuple[int, int] | None = field(default=None, compare=False, repr=False)
    """Bytes and mtime in nanoseconds when the digest was taken: a file that differs now is not this video."""

    @property
    def is_folder(self) -> bool:
        """Whether its frames are numbered pictures in a folder."""
        return self.header is not None and self.header.container == "frames"

    def cut(self, start_seconds: float, stop_seconds: float) -> "Video":
        """The part of this video between two seconds of its own clock, as a video of its own."""
        if not start_seconds < stop_seconds:
            raise BadRequest(f"got seconds {start_seconds:g}:{stop_seconds:g}, expected a start before its stop")
        words = canonical_json({"video": self.digest, "seconds": [float(start_seconds), float(stop_seconds)]})
        digest = hashlib.sha256(words.encode()).hexdigest()
        name = f"{self.name}@{start_seconds:g}-{stop_seconds:g}"
        return replace(self, digest=digest, name=name, part=(float(start_seconds), float(stop_seconds)))


@dataclass(frozen=True)
class Clip:
    """One or more spans of a video, in seconds (none: all of it), and the face or hand it follows."""

    video: Video
    parts: tuple[tuple[float, float], ...]
    track: int | None = None
    labels: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for start, stop in self.parts:
            if not 0 <= start <= stop:
                where = f"from {start:g} to {stop:g} s"
                raise BadRequest(f"got a clip of {self.video.name} {where}, expected 0 <= start <= stop")


@dataclass(frozen=True, eq=False)
class Reading:
    """A signal on the video's clock, as a dataset hands it over: spans or instants, and their arrays.

    `seconds` is (n, 2): start and stop of each item, equal for instants. Every array has n rows. `encoded` are
    such as need not fit in memory: bytes of n files each, read when asked for. `sources` says where each item is
    written (`file, line`), for messages; it is no part of what is said.
    """

    kind: str
    seconds: NDArray[np.float64]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    encoded: Mapping[str, Sequence[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seconds = np.asarray(self.seconds, np.float64).reshape(-1, 2)
        object.__setattr__(self, "seconds", seconds)
        if not np.isfinite(seconds).all() or (seconds[:, 0] > seconds[:, 1]).any():
            raise BadRequest(f"got a reading of {self.kind} whose times are not finite or stop before they start")
        held: dict[str, Sized] = {**self.arrays, **self.encoded}
        for name, array in held.items():
            if len(array) != len(seconds):
                raise BadRequest(f"got {len(array)} rows of {name} in a reading of {self.kind}, not {len(seconds)}")

    @cached_property
    def digest(self) -> str:
        """64 hex digits over kind, times, arrays and encoded bytes; the file it was read from does not matter."""
        total = hashlib.sha256(canonical_json(["reading", self.kind]).encode())
        for name, array in [("seconds", self.seconds), *sorted(self.arrays.items())]:
            data = np.ascontiguousarray(array)
            total.update(canonical_json([name, data.dtype.str, list(data.shape)]).encode())
            total.update(data.tobytes())
        for name, items in sorted(self.encoded.items()):
            total.update(canonical_json([name, len(items)]).encode())
            for item in items:
                total.update(hashlib.sha256(item).digest())
        return total.hexdigest()


@dataclass(frozen=True, eq=False)
class Timeline:
    """When each frame is on display: integer timestamps in units of `time_base`, and where it ends.

    `pts` is strictly increasing; frame i is shown from pts[i] until pts[i + 1], the last one until `stop`.
    """

    pts: NDArray[np.int64]
    time_base: Fraction
    stop: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "pts", np.asarray(self.pts, np.int64))
        if (len(self.pts) and (np.diff(self.pts) <= 0).any()) or (len(self.pts) and self.stop <= self.pts[-1]):
            raise BadRequest("got timestamps that do not increase, expected each frame after the one before")

    @classmethod
    def regular(cls, frames: int, fps: float, start_seconds: float = 0.0) -> "Timeline":
        """`frames` frames at a constant rate, on a clock fine enough to round-trip `k / fps`."""
        base = Fraction(1, 1_000_000_000)
        ticks = np.rint((start_seconds + np.arange(frames + 1) / fps) / float(base)).astype(np.int64)
        return cls(ticks[:-1], base, int(ticks[-1]))

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(n + 1,) start of each frame and, last, the end of the video."""
        return np.append(self.pts, self.stop) * float(self.time_base)

    def frame_at(self, seconds: NDArray[np.float64] | float) -> NDArray[np.int64]:
        """The index of the frame on display at each of these seconds, held at both ends."""
        found = np.searchsorted(self.seconds[:-1] - slack_seconds(self.time_base), seconds, side="right") - 1
        return np.clip(found, 0, len(self) - 1)


def slack_seconds(time_base: Fraction) -> float:
    """How far a timestamp may lie from the true time: half a unit, at most half a millisecond.

    A Matroska file rounds 1/30 s to whole milliseconds; without slack the frame due at 0.0667 s
    (written 0.067) would be missed and the one before shown twice.
    """
    return min(float(time_base) / 2, 0.0005) + 1e-9
