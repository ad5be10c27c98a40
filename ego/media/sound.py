"""The sound of videos as one channel on the container's clock, decoded in a child program like the pictures."""

import math
import os
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadVideo
from ego.media.client import Client
from ego.media.ring import SoundLayout
from ego.media.watch import Child, Lost
from ego.media.wire import Message
from ego.video import Video

Samples = NDArray[np.float32]

FILLED_SECONDS = 0.5
"""How much sound may be missing at the end of a video and be taken as silence."""

CORRUPT_LIMIT = 0.01
"""The share of corrupt packets above which a sound track is refused."""


@dataclass(frozen=True)
class Heard:
    """How a sound track was decoded: facts for its entry, never part of a key.

    `starts_at` and `ends_at` are seconds on the container's clock (None: not known, since nobody listened so
    far); `packets_corrupt` of `packets` could not be used and are silent.
    """

    starts_at: float | None
    ends_at: float | None
    packets: int
    packets_corrupt: int


class SoundDecoder(Client):
    """Gives the sound of one video after another from a child program, which is restarted when it is lost.

    It may work beside a `Decoder`; two sound tracks at a time take two of these. Arguments as of `Decoder`.
    """

    def __init__(self, *, stall_seconds: float = 30.0, memory_bytes: int = 1 << 30) -> None:
        super().__init__(stall_seconds, memory_bytes)

    @property
    def _deliveries(self) -> tuple[str, ...]:
        return ("open", "sound", "busy")

    def open(self, video: Video, rate: int, keep_seconds: float = 60.0) -> "SoundReader":
        """The sound of a video, or of its `part`, at `rate` samples a second; close it before the next.

        `keep_seconds` is how far before the latest start asked for samples are held at first; whoever asks for
        earlier ones has the track decoded again, and from then on as much more is held.
        A video whose header says that it has no sound track, or that has none, is a BadVideo.
        """
        if video.header is not None and not video.header.has_sound:
            raise BadVideo(f"{video.name!r} has no sound track")
        return SoundReader(self, video, rate, keep_seconds)

    def begin(self, video: Video, rate: int) -> Child:
        """The child, asked for the sound of a video; its words are given by `hear`."""
        child = self._ready()
        self._busy = True
        request = {"do": "sound", "path": os.path.abspath(video.path), "part": video.part, "rate": rate}
        self._tell(child, video, request)
        return child

    def hear(self, child: Child, video: Video) -> Message:
        """The child's next word about the sound; BadVideo where it must be refused, or the child is lost."""
        try:
            message = self._answer(child)
        except Lost as lost:
            raise self._lost(video, lost) from None
        if message["is"] == "bad":
            raise BadVideo(message["why"])
        if message["is"] == "open":
            child.ring.reserve(SoundLayout(message["samples"]), message["slots"])
            return self.hear(child, video)
        return message

    def copy(self, child: Child, video: Video, message: Message) -> Samples:
        """The samples a message tells of; their slot is free again."""
        samples: Samples = child.ring.views(message["slot"])[0][: message["count"]].copy()
        self._tell(child, video, {"do": "free", "slot": message["slot"]})
        return samples

    def leave(self, child: Child) -> None:
        """Nothing more of this video is wanted."""
        self._leave(child)

    def _tell(self, child: Child, video: Video, message: Message) -> None:
        try:
            child.tell(message)
        except Lost as lost:
            raise self._lost(video, lost) from None

    def _lost(self, video: Video, lost: Lost) -> BadVideo:
        self._child, self._busy = None, False
        return BadVideo(f"the sound of {video.name!r} cannot be decoded: the decoding program {lost}")


class SoundReader:
    """The sound of one video, taken in the order of time; nothing is decoded before it is asked for.

    Sample k stands for second k / rate of the container's clock, the clock of the video's frames: where the
    track has a gap, or begins after the pictures, there is silence. Of a `part`, one second before and after
    it is given. Memory is what is asked for at once and how far it goes back, at least `keep_seconds`.
    """

    def __init__(self, decoder: SoundDecoder, video: Video, rate: int, keep_seconds: float) -> None:
        self._decoder, self._video, self._rate = decoder, video, rate
        self._keep = math.ceil(keep_seconds * rate)
        self._child: Child | None = None
        self._begin()

    def _begin(self) -> None:
        """Has the track decoded from its beginning."""
        self._held: deque[tuple[int, Samples]] = deque()  # (place of the first, samples), without gaps
        self._next: int | None = None  # the place after the last sample held
        self._floor = self._latest = -(1 << 62)  # the place before which nothing is held any more; the latest start
        self._facts: Message = {"packets": 0, "corrupt": 0}
        self._ended = False
        self._child = self._decoder.begin(self._video, self._rate)

    def _begin_again(self, first: int, count: int) -> None:
        """Goes back further than what is held, and holds so much from now on."""
        self._keep = max(2 * self._keep, self._latest - first + count)
        self.close()
        self._begin()

    def __enter__(self) -> "SoundReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ends_at(self) -> float | None:
        """The second at which the sound ends, on the container's clock; None as long as it goes on.

        Minus infinity: the track is there and empty.
        """
        found: float | None = self._facts.get("ends_at")
        return found

    def take(
        self,
        start_seconds: float,
        count: int,
        stop_seconds: float | None = None,
        edge: Literal["repeat", "drop"] = "repeat",
    ) -> Samples | None:
        """(count,) float32 from `start_seconds` on; None where the row does not exist.

        `stop_seconds` is where the row ends on the video (default: with its last sample): a row that the end
        of the video pads reaches no further. Where the sound ends before that, the row does not exist with
        `edge` drop; with repeat up to half a second is silence and more is a BadVideo.
        """
        first = round(start_seconds * self._rate)
        if first < self._floor and self._child is not None:
            self._begin_again(first, count)
        self._latest = max(self._latest, first)
        self._fill(first + count)
        stop = (first + count) / self._rate if stop_seconds is None else stop_seconds
        missing = 0.0 if self.ends_at is None else stop - self.ends_at
        if missing > 1.0 / self._rate:
            if edge == "drop":
                return None
            if missing > FILLED_SECONDS:
                raise self._short(stop)
        return self._cut(first, count)

    def finish(self) -> Heard:
        """How the sound was decoded so far; BadVideo where too much of it could not be used. Closes."""
        self.close()
        self._check()
        return Heard(self._facts.get("starts_at"), self.ends_at, self._facts["packets"], self._facts["corrupt"])

    def close(self) -> None:
        """Lets go of the child program; it may be asked for the next video."""
        if self._child is not None:
            self._decoder.leave(self._child)
            self._child = None
        self._held.clear()

    def _fill(self, until: int) -> None:
        """Decodes until the sample before `until` is held or the sound has ended."""
        child = self._child
        if child is None:
            raise RuntimeError("the sound of this video has been closed")
        while not self._ended and (self._next is None or self._next < until):
            message = self._decoder.hear(child, self._video)
            self._facts |= {name: value for name, value in message.items() if name not in ("is", "slot")}
            if message["is"] == "end":
                self._ended = True
                self._check()
                return
            samples = self._decoder.copy(child, self._video, message)
            self._held.append((message["first"], samples))
            self._next = message["first"] + len(samples)
            self._forget()

    def _forget(self) -> None:
        """Drops what lies too far behind the latest start to be asked for again."""
        while self._held and self._held[0][0] + len(self._held[0][1]) < self._latest - self._keep:
            place, samples = self._held.popleft()
            self._floor = place + len(samples)

    def _cut(self, first: int, count: int) -> Samples:
        row = np.zeros(count, np.float32)
        for place, samples in self._held:
            low, high = max(first, place), min(first + count, place + len(samples))
            if low < high:
                row[low - first : high - first] = samples[low - place : high - place]
        return row

    def _check(self) -> None:
        """Refuses a track of which too much could not be used."""
        packets, corrupt = self._facts["packets"], self._facts["corrupt"]
        if corrupt > CORRUPT_LIMIT * packets:
            raise BadVideo(
                f"the sound of {self._video.name!r} is damaged: {corrupt} of {packets} packets are corrupt, "
                f"at most {CORRUPT_LIMIT:.0%} are accepted"
            )

    def _short(self, stop: float) -> BadVideo:
        """The refusal of a track that ends too early."""
        header, ends_at = self._video.header, self.ends_at
        assert ends_at is not None
        start = header.start_seconds if header is not None else 0.0
        pictures = max(stop - start, header.seconds_from_header if header is not None else 0.0)
        return BadVideo(
            f"{self._video.name!r} has {max(ends_at - start, 0.0):.2f} s of sound for {pictures:.2f} s of pictures, "
            f"expected at most {FILLED_SECONDS:g} s less; set window.edge=drop to keep the rows that have sound"
        )
