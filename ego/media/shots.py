"""Decoded frames on their way to pictures: their timestamps, and what counts as damage."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Beat = Callable[[], None]
"""Called now and then while no frame can be delivered, to show that work goes on."""


class Unfit(Exception):
    """This decoder cannot serve this video (any more), another may; the text says why."""


@dataclass
class Shot:
    """One decoded frame: its timestamp and how long it lasts if nothing follows, in units of the time base."""

    pts: int
    lasts: int
    frame: VideoFrame
    corrupt: bool = False


def nominal_step(stream: VideoStream, base: Fraction) -> int:
    """The usual distance of two frames in units of the time base, by the container's rate; 0 if unknown."""
    rate = stream.average_rate or stream.guessed_rate
    return max(1, round(1 / (rate * base))) if rate else 0


class Clock:
    """Gives every decoded frame its timestamp.

    Most containers state when each picture is shown. MPEG program streams state it for some: those
    between are filled in by the frame's own duration, and a stated time that contradicts the filled
    ones counts as damage. AVI states none (libavformat's are guesses that packed B-frames upset): the
    decoding times of the packets that drove the pictures out, which do increase, are moved so that the
    first picture begins with the first packet.
    """

    def __init__(self, container: str, step: int) -> None:
        self._by_packet = container == "avi"
        self._step = step
        self._first_packet: int | None = None
        self._shift: int | None = None
        self._last: int | None = None
        self._filled = False

    def see(self, packet: Packet[VideoStream]) -> None:
        """Notes a packet before it is decoded."""
        if self._first_packet is None and packet.dts is not None:
            self._first_packet = packet.dts

    def stamp(self, frame: VideoFrame) -> int | None:
        """The frame's timestamp, or None if it has none that follows the one before."""
        pts = self._stated(frame)
        lasts = frame.duration or self._step
        if pts is None and self._last is not None and lasts:
            pts, self._filled = self._last + lasts, True
        elif pts is not None:
            strayed = self._filled and self._last is not None and abs(pts - self._last - lasts) * 2 > lasts
            self._filled = False
            if strayed:
                self._last = max(pts, self._last or pts)
                return None
        if pts is None or (self._last is not None and pts <= self._last):
            return None
        self._last = pts
        return pts

    def _stated(self, frame: VideoFrame) -> int | None:
        if not self._by_packet:
            return frame.pts
        if frame.dts is None:
            return None
        if self._shift is None:
            self._shift = frame.dts - (self._first_packet or 0)
        return frame.dts - self._shift

    @property
    def needs_whole_start(self) -> bool:
        """Whether a frame lost before the first one would shift all that follow."""
        return self._by_packet and self._shift is None


def timed(
    shots: Iterable[Shot], base: Fraction, part: tuple[float, float] | None
) -> Iterator[tuple[Shot, int, bool]]:
    """Each shot with the timestamp at which it leaves the display and whether it is the last.

    With `part` only shots on display between its two seconds.
    """
    held: Shot | None = None
    for shot in shots:
        if held is not None:
            over = part is not None and float(shot.pts * base) >= part[1]
            if part is None or float(shot.pts * base) > part[0]:
                yield held, shot.pts, over
            if over:
                return
        if part is not None and float(shot.pts * base) >= part[1]:
            return
        held = shot
    if held is not None and (part is None or float((held.pts + held.lasts) * base) > part[0]):
        yield held, held.pts + held.lasts, True
