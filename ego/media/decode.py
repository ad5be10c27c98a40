"""The frames of videos, decoded in a child program that may crash, hang or leak at the cost of one video."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest, BadVideo
from ego.media.client import Client
from ego.media.ring import Layout
from ego.media.watch import Child, Lost
from ego.media.wire import Message
from ego.sampling import Window
from ego.video import Header, Picture, Video

Choice = Literal["auto", "decord", "pyav", "nvdec"]

ORDER: Mapping[str, tuple[str, ...]] = {
    "auto": ("pyav", "decord"),
    "decord": ("decord",),
    "pyav": ("pyav",),
    "nvdec": ("nvdec",),
}
"""Which decoders are asked, in turn.

PyAV comes first: with every size made from the native picture it is as fast as decord or faster, its
memory is bounded, and it says which frame it gives and whether that is damaged. decord takes over where
PyAV crashes or hangs. A GPU's decoder is used only by name.
"""


@dataclass(frozen=True)
class Look:
    """One rider's wish: which frames (a window, and the spans it is cut at) and in what size."""

    picture: Picture
    window: Window
    spans: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Frame:
    """One frame in display order, shown from `pts` until `stop_pts` (units of the time base; seconds beside).

    `index` counts from 0 at the first frame asked for. `pictures` holds (height, width, 3) uint8 RGB of
    the sizes some look wants of this frame; they are read-only and valid until the next frame is asked for.
    """

    index: int
    pts: int
    stop_pts: int
    start: float
    stop: float
    pictures: Mapping[Picture, NDArray[np.uint8]]


@dataclass(frozen=True)
class Decoded:
    """How a video was decoded: facts for its entry, never part of a key.

    `frames_decoded` counts, `frames_from_header` is the container's claim (0: none); `frames_corrupt`
    are frames flagged damaged, undecodable or missing. `took_over` says why the first decoder did not
    serve. The two `seconds` are the child's CPU time and the wall time of the video.
    """

    decoder: str
    decoder_version: str
    libraries: Mapping[str, str]
    frames_decoded: int
    frames_corrupt: int
    frames_from_header: int
    time_base: Fraction
    start_pts: int
    stop_pts: int
    took_over: str | None
    decode_cpu_seconds: float
    seconds: float


class Decoder(Client):
    """Decodes one video after another in a child program, which is restarted when it is lost.

    `threads` is the number of decoding threads (0: one per core), `stall_seconds` how long the child
    may say nothing while a frame is awaited, `memory_bytes` the most it may hold in memory, and
    `ring_bytes` about how many bytes of pictures may wait for the consumer. Use it from one thread at
    a time; several decoders may work at once.
    """

    decoded: Decoded
    """How the video last finished was decoded."""

    def __init__(
        self,
        choice: Choice = "auto",
        *,
        threads: int = 0,
        stall_seconds: float = 30.0,
        memory_bytes: int = 2 << 30,
        ring_bytes: int = 64 << 20,
    ) -> None:
        if choice not in get_args(Choice):
            raise BadRequest(f"got decoder {choice!r}, expected one of: {', '.join(get_args(Choice))}")
        super().__init__(stall_seconds, memory_bytes)
        self._order = ORDER[choice]
        self._threads, self._ring_bytes = threads, ring_bytes

    @property
    def _deliveries(self) -> tuple[str, ...]:
        return ("open", "frame", "busy")

    def probe(self, path: str, rate: float = 0.0) -> Header:
        """What the container claims; BadVideo, with the reason, for what is no video.

        With a `rate`, in pictures a second, the path is a folder of numbered pictures.
        """
        child = self._ready()
        try:
            child.tell({"do": "probe", "path": os.path.abspath(path), "rate": rate})
            answer = self._answer(child)
        except Lost as lost:
            self._child = None
            raise BadVideo(f"{path!r} cannot be probed: the decoding program {lost}") from None
        if answer["is"] == "bad":
            raise BadVideo(answer["why"])
        facts = answer["header"]
        return Header(**facts | {"time_base": Fraction(facts["time_base"])})

    def frames(self, video: Video, looks: Sequence[Look]) -> Iterator[Frame]:
        """Every frame of the video, or of its `part`, in display order; BadVideo where it must be refused.

        Pixels come only with frames that some look wants; the last frame always carries all sizes.
        """
        film = Film(video, looks)
        why = []
        for decoder in self._order:
            try:
                yield from self._show(film, decoder)
            except (Unfit, Lost) as reason:
                why.append(f"{decoder} {reason}" if isinstance(reason, Lost) else str(reason))
                continue
            self.decoded = film.facts("; ".join(why) or None)
            return
        advice = "" if len(self._order) > 1 else "; --decoder auto asks the other decoders too"
        raise BadVideo(f"{video.name!r} cannot be decoded: {'; '.join(why)}{advice}")

    def _show(self, film: "Film", decoder: str) -> Iterator[Frame]:
        """The frames not delivered yet, by one decoder."""
        child = self._ready()
        self._busy = True
        try:
            child.tell(film.request(decoder) | {"threads": self._threads, "ring_bytes": self._ring_bytes})
            while (message := self._answer(child))["is"] in ("open", "frame"):
                if message["is"] == "open":
                    film.open(child, message)
                    continue
                yield film.frame(child, message)
                if message["slot"] >= 0:
                    child.tell({"do": "free", "slot": message["slot"]})
        except Lost:
            self._child, self._busy = None, False
            raise
        finally:
            self._leave(child)
        if message["is"] == "unfit":
            raise Unfit(message["why"])
        if message["is"] == "bad":
            raise BadVideo(message["why"])
        film.end(message)


class Unfit(Exception):
    """The decoder asked cannot serve this video (any more); the text says why."""


class Film:
    """One video on its way to a consumer, whichever decoder is at work: what was asked and what was delivered."""

    def __init__(self, video: Video, looks: Sequence[Look]) -> None:
        self._video = video
        self._pictures = list(dict.fromkeys(look.picture for look in looks))
        self._looks = [
            {
                "picture": self._pictures.index(look.picture),
                "window": asdict(look.window),
                "spans": None if look.spans is None else np.asarray(look.spans, np.float64).tolist(),
            }
            for look in looks
        ]
        self._delivered = 0
        self._first_pts = self._last_pts = 0
        self._seconds = 0.0  # of one unit of the time base
        self._facts: Message = {}

    def request(self, decoder: str) -> Message:
        """What the child is asked for: everything, less the frames already delivered."""
        return {
            "do": "frames",
            "decoder": decoder,
            "path": os.path.abspath(self._video.path),
            "part": self._video.part,
            "rate": self._video.header.fps_from_header if self._video.is_folder and self._video.header else 0.0,
            "pictures": [(picture.fit, picture.size) for picture in self._pictures],
            "looks": self._looks,
            "skip": self._delivered,
            "after": self._last_pts,
        }

    def open(self, child: Child, message: Message) -> None:
        """Makes ready for the frames of a decoder that has opened the video."""
        self._seconds = float(Fraction(message["time_base"]))
        child.ring.reserve(Layout(tuple((width, height) for width, height in message["sizes"])), message["slots"])

    def frame(self, child: Child, message: Message) -> Frame:
        """The frame a message tells of, with views into the ring."""
        if message["index"] == 0:
            self._first_pts = message["pts"]
        self._delivered, self._last_pts = message["index"] + 1, message["pts"]
        views = child.ring.views(message["slot"]) if message["slot"] >= 0 else []
        return Frame(
            index=message["index"],
            pts=message["pts"],
            stop_pts=message["stop"],
            start=message["pts"] * self._seconds,
            stop=message["stop"] * self._seconds,
            pictures={self._pictures[number]: views[number] for number in message.get("wanted", ())},
        )

    def end(self, message: Message) -> None:
        """Keeps the facts the child ends with."""
        self._facts = message

    def facts(self, took_over: str | None) -> Decoded:
        """How the video was decoded."""
        facts = {name: value for name, value in self._facts.items() if name != "is"}
        return Decoded(
            **facts | {"time_base": Fraction(facts["time_base"])}, start_pts=self._first_pts, took_over=took_over
        )
