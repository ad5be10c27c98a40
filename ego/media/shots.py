"""Decoded frames on their way to pictures: their timestamps, and what counts as damage."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ego.errors import BadVideo

LONGEST_SECONDS = 3600.0
"""The longest time one picture may be shown."""

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


def nominal_step(stream: VideoStream, base: Fraction) -> int:
    """The usual distance of two frames in units of the time base, by the container's rate; 0 if unknown."""
    rate = stream.average_rate or stream.guessed_rate
    return max(1, round(1 / (rate * base))) if rate else 0


class Clock:
    """Gives every decoded frame its timestamp.

    Most containers state when each picture is shown. MPEG program streams state it for some: those
    between are filled in by the frame's own duration, and a stated time that contradicts the filled
    ones counts as damage. AVI states none (libavformat's are guesses that packed B-frames upset), but its
    packets have decoding times, which increase: a picture takes the time of the packet that stands as far
    before the one that drove it out as the first packet stands before the one that drove out the first.
    """

    def __init__(self, container: str, step: int) -> None:
        self._by_packet = container == "avi"
        self._step = step
        self._first_packet: int | None = None
        self._last_packet = 0
        self._waiting: deque[int] = deque()  # times of packets that no picture has taken yet
        self._delay: int | None = None  # how many packets the decoder holds back
        self._last: int | None = None
        self._filled = False

    def see(self, packet: "Packet[VideoStream]") -> None:
        """Notes a packet before it is decoded."""
        if packet.dts is None:
            return
        if self._first_packet is None:
            self._first_packet = packet.dts
        self._last_packet = packet.dts
        if self._by_packet:
            self._waiting.append(packet.dts)

    def stamp(self, frame: VideoFrame) -> int | None:
        """The frame's timestamp, or None if it has none that follows the one before."""
        pts = self._stated(frame)
        lasts = frame.duration if frame.duration > 0 else self._step
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

    def place(self, item: "Packet[VideoStream] | VideoFrame") -> int | None:
        """Where a packet or frame stands in the order of this clock."""
        return item.dts if self._by_packet else item.pts

    def _stated(self, frame: VideoFrame) -> int | None:
        if not self._by_packet:
            return frame.pts
        if frame.dts is None:  # driven out by the end
            return self._waiting.popleft() if self._waiting else None
        if frame.dts not in self._waiting:
            return None
        place = self._waiting.index(frame.dts)
        if self._delay is None:
            self._delay = place
        for _ in range(place - self._delay):  # of pictures that were lost
            self._waiting.popleft()
        return self._waiting.popleft() if place >= self._delay else None

    @property
    def packets(self) -> int:
        """How many frames' time the packets cover, by their own times."""
        return 0 if self._first_packet is None else (self._last_packet - self._first_packet) // max(self._step, 1) + 1

    @property
    def reorders(self) -> bool:
        """Whether pictures leave the decoder later than their packets enter, so that a gap cannot be placed."""
        return bool(self._delay)

    @property
    def needs_whole_start(self) -> bool:
        """Whether a frame lost before the first one would shift all that follow."""
        return self._by_packet and self._delay is None


class Tally:
    """Counts packets that should each have become a picture, so that a silent loss is noticed.

    Packets shown before the first picture are left out: a video cut at an open group of pictures begins
    with some that cannot be decoded and that nobody should see.
    """

    def __init__(self) -> None:
        self._early: list[int] = []
        self._first: int | None = None
        self._expected = 0
        self.shown = 0

    def see(self, packet: "Packet[VideoStream]") -> None:
        """Notes a packet before it is decoded."""
        if packet.pts is None or not packet.size or packet.is_discard:
            return
        if self._first is None:
            self._early.append(packet.pts)
        else:
            self._expected += packet.pts >= self._first

    def show(self, pts: int) -> None:
        """Notes a picture."""
        if self._first is None:
            self._first = pts
            self._expected = sum(one >= pts for one in self._early)
        self.shown += 1

    @property
    def lost(self) -> int:
        """How many packets brought no picture."""
        return max(0, self._expected - self.shown)


def timed(shots: Iterable[Shot], base: Fraction, part: tuple[float, float] | None) -> Iterator[tuple[Shot, int, bool]]:
    """Each shot with the timestamp at which it leaves the display and whether it is the last.

    With `part` only shots on display between its two seconds.
    """
    held: Shot | None = None
    for shot in shots:
        if held is not None:
            over = part is not None and float(shot.pts * base) >= part[1]
            if part is None or float(shot.pts * base) > part[0]:
                yield held, _shown_until(held, shot.pts, base), over
            if over:
                return
        if part is not None and float(shot.pts * base) >= part[1]:
            return
        held = shot
    if held is not None and (part is None or float((held.pts + held.lasts) * base) > part[0]):
        yield held, _shown_until(held, held.pts + held.lasts, base), True


def _shown_until(shot: Shot, stop: int, base: Fraction) -> int:
    """`stop`, unless that makes a still of hours: such a time is a damaged one, and cutting it into rows would hang."""
    seconds = float((stop - shot.pts) * base)
    if seconds > LONGEST_SECONDS:
        raise BadVideo(
            f"the timestamps are damaged: a picture would be shown for {seconds:.0f} s, "
            f"at most {LONGEST_SECONDS:.0f} are accepted"
        )
    return stop
