"""The child's side of sound: the sound track of one file as one channel on the container's clock, block after block."""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from ego.errors import BadVideo
from ego.media.probe import name_of, open_container, packets, time_base
from ego.media.ring import Ring, SoundLayout
from ego.media.shots import LONGEST_SECONDS, Beat
from ego.media.wire import Message, Stopped, Wire

Samples = NDArray[np.float32]

SEEKABLE = ("mov", "matroska")
"""Containers whose index can be trusted to find sound by its time; others are read from the start."""

MARGIN_SECONDS = 1
"""How much sound before and after a part is given: its first and last picture reach over its ends."""

WARM_SECONDS = 1
"""How far before the first sample asked for decoding begins, since codecs look back."""

BLOCK, SLOTS = 16384, 16
GAP_SECONDS, DRIFT_SECONDS = 0.02, 0.001


def recite(request: Message, wire: Wire, ring: Ring, beat: Beat) -> Message:
    """Sends the sound of `path` at `rate` through the ring, as fast as slots come free; returns the facts."""
    with open_container(request["path"]) as container:
        track = Track(container, request["path"], request["rate"], request["part"], beat)
        ring.reserve(SoundLayout(BLOCK), SLOTS)
        wire.send({"is": "open", "slots": SLOTS, "samples": BLOCK})
        free = list(range(SLOTS))
        for first, block in track.blocks():
            for start in range(0, len(block), BLOCK):
                piece = block[start : start + BLOCK]
                slot = _acquire(free, wire)
                ring.views(slot)[0][: len(piece)] = piece
                wire.send({"is": "sound", "slot": slot, "first": first + start, "count": len(piece), **track.tally})
        return {"is": "end", "ends_at": track.ends_at, **track.tally}


def _acquire(free: list[int], wire: Wire) -> int:
    """A slot that may be written; waits until the consumer has let go of one, Stopped if it wants no more."""
    while (word := wire.receive(0 if free else None)) is not None:
        if word["do"] == "stop":
            raise Stopped
        if word["do"] == "free":
            free.append(word["slot"])
    return free.pop()


class Track:
    """One sound track on its way: packets -> one channel -> laid by their times -> the rate asked for."""

    def __init__(
        self, container: InputContainer, path: str, rate: int, part: tuple[float, float] | None, beat: Beat
    ) -> None:
        self._container, self._path, self._rate, self._beat = container, path, rate, beat
        self._stream = sound_stream(container, path)
        self._base = time_base(self._stream, path)
        self._low = -math.inf if part is None else math.floor((part[0] - MARGIN_SECONDS) * rate)
        self._high = math.inf if part is None else math.ceil((part[1] + MARGIN_SECONDS) * rate)
        self._packets = self._corrupt = 0
        self._row: Row | None = None
        self._cut_short = False

    @property
    def tally(self) -> Message:
        """How many packets were read, how many of them could not be used, and where the sound begins."""
        return {"packets": self._packets, "corrupt": self._corrupt, "starts_at": self.starts_at}

    @property
    def starts_at(self) -> float | None:
        """The second of the first sample; None where there is none."""
        return None if self._row is None else self._row.starts_at

    @property
    def ends_at(self) -> float | None:
        """The second after the last sample; None where the part asked for ended before the sound."""
        if self._cut_short:
            return None
        return -math.inf if self._row is None else self._row.ends_at

    def blocks(self) -> Iterator[tuple[int, Samples]]:
        """(place, samples) at the rate asked for, without gaps; place 0 is second 0 of the container's clock."""
        place: int | None = None
        for laid, last in gathered(self._laid()):
            if place is None:
                assert self._row is not None
                place = self._row.second * self._rate
                resampler = Resampler(self._row.rate, self._rate)
            for made in resampler.push(laid) + (resampler.finish() if last else []):
                first, place = place, place + len(made)
                low, high = (round(min(max(edge - first, 0), len(made))) for edge in (self._low, self._high))
                if high > low:
                    yield first + low, np.clip(made[low:high], -1.0, 1.0)
            if place >= self._high:
                self._cut_short = True
                return

    def _found(self) -> "Iterator[Packet[AudioStream]]":
        """Packets from one before what is asked for, where the container can find it; else from the first."""
        wanted = self._low / self._rate - WARM_SECONDS
        if wanted > 0 and self._container.format.name.startswith(SEEKABLE):
            for back_seconds in (0.0, 10.0, math.inf):
                target = int(max(wanted - back_seconds, 0.0) / self._base)
                self._container.seek(target, stream=self._stream, backward=True)
                found = packets(self._container, self._stream, self._path)
                first = next(found, None)
                if first is not None and first.pts is not None and first.pts * self._base <= wanted:
                    return itertools.chain([first], found)
        return packets(self._container, self._stream, self._path)

    def _laid(self) -> Iterator[Samples]:
        """One channel at the track's own rate, without gaps."""
        for packet in self._found():
            self._beat()
            self._packets += packet.size > 0
            try:
                frames = packet.decode()
            except av.error.EOFError:
                continue
            except av.error.FFmpegError:
                self._corrupt += 1
                continue
            self._corrupt += packet.is_corrupt
            for frame in frames:
                if self._row is None:
                    self._row = Row(frame.sample_rate, self._base)
                if frame.sample_rate != self._row.rate:
                    raise BadVideo(
                        f"the sound of {name_of(self._path)} changes its rate from {self._row.rate} to "
                        f"{frame.sample_rate} Hz, expected one rate"
                    )
                yield from self._row.lay(self._finite(one_channel(frame)), self._seconds(frame), self._path)

    def _finite(self, samples: Samples) -> Samples:
        if np.isfinite(samples).all():
            return samples
        self._corrupt += 1
        return np.zeros_like(samples)

    def _seconds(self, frame: AudioFrame) -> Fraction | None:
        return None if frame.pts is None else frame.pts * (frame.time_base or self._base)


def gathered(pieces: Iterator[Samples]) -> Iterator[tuple[Samples, bool]]:
    """Short pieces as long ones, each with whether it is the last: every step on the way costs the same for both."""
    waiting: list[Samples] = []
    for piece in pieces:
        if sum(map(len, waiting)) >= BLOCK:
            yield np.concatenate(waiting), False
            waiting = []
        waiting.append(piece)
    if waiting:
        yield np.concatenate(waiting), True


class Row:
    """Lays decoded sound on one row of samples by its timestamps: silence in gaps, overlaps cut.

    Sample 0 of the row is a whole second of the container's clock (`second`). Timestamps jitter and clocks
    drift: a piece that stands off by half its own length is a gap or an overlap, less is evened out once
    its mean over a second says that it stays.
    """

    def __init__(self, rate: int, base: Fraction) -> None:
        self.rate = rate
        self.second = 0
        self._base = float(base)
        self._first: int | None = None
        self._next = 0
        self._drift = 0.0

    @property
    def starts_at(self) -> float:
        """The second of the first sample."""
        return self.second + (self._first or 0) / self.rate

    @property
    def ends_at(self) -> float:
        """The second after the last sample."""
        return self.second + self._next / self.rate

    def lay(self, samples: Samples, seconds: Fraction | None, path: str) -> Iterator[Samples]:
        """What follows on the row once these samples have come that begin at `seconds` (None: where the last ended)."""
        if self._first is None:
            self.second = math.floor(seconds or 0)
            self._first = self._next = round(((seconds or 0) - self.second) * self.rate)
            yield np.zeros(self._next, np.float32)
        off = self._off(len(samples), seconds)
        if off > LONGEST_SECONDS * self.rate:
            raise BadVideo(
                f"the timestamps of the sound of {name_of(path)} are damaged: it would be silent for "
                f"{off / self.rate:.0f} s, at most {LONGEST_SECONDS:.0f} are accepted"
            )
        for start in range(0, off, BLOCK):
            yield np.zeros(min(BLOCK, off - start), np.float32)
        kept = samples[-off:] if off < 0 else samples
        self._next += max(off, 0) + len(kept)
        if len(kept):
            yield kept

    def _off(self, count: int, seconds: Fraction | None) -> int:
        """By how many samples to move a piece of `count`: 0 unless it stands off for good."""
        if seconds is None or not count:
            return 0
        off = round((seconds - self.second) * self.rate) - self._next
        gap = max(2.5 * self._base, min(count / self.rate / 2, GAP_SECONDS)) * self.rate
        weight = min(1.0, count / self.rate)
        self._drift += weight * (off - self._drift)
        steady = round(self._drift) if abs(self._drift) > max(self._base, DRIFT_SECONDS) * self.rate else 0
        moved = off if abs(off) >= gap else steady
        if moved:
            self._drift = 0.0
        return moved


class Resampler:
    """libswresample on one channel from one whole rate to another; sample 0 stays at time 0."""

    def __init__(self, rate: int, target: int) -> None:
        self._rate, self._pts = rate, 0
        self._inner = None if rate == target else av.AudioResampler(format="flt", layout="mono", rate=target)

    def push(self, samples: Samples) -> list[Samples]:
        """What the samples so far make."""
        if self._inner is None or not len(samples):
            return [samples]
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._pts, Fraction(1, self._rate)
        self._pts += len(samples)
        return self._drain(frame)

    def finish(self) -> list[Samples]:
        """What the end makes."""
        return [] if self._inner is None or not self._pts else self._drain(None)

    def _drain(self, frame: AudioFrame | None) -> list[Samples]:
        assert self._inner is not None
        return [made.to_ndarray()[0] for made in self._inner.resample(frame)]


def sound_stream(container: InputContainer, path: str) -> AudioStream:
    """The sound track FFmpeg thinks best of those it can decode; a file without one is a BadVideo."""
    tracks = list(container.streams.audio)
    if not tracks:
        raise BadVideo(f"{name_of(path)} has no sound track")
    known = [track for track in tracks if track.codec_context is not None]
    if not known:
        raise BadVideo(f"the sound of {name_of(path)} is coded in a way that this FFmpeg has no decoder for")
    best = container.streams.best("audio")
    return next((track for track in known if best is not None and track.index == best.index), known[0])


def one_channel(frame: AudioFrame) -> Samples:
    """(n,) float32 in [-1, 1]: the mean of a frame's channels."""
    values: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    scale, middle = 1.0, 0.0
    if values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype)
        scale, middle = 2.0 / (float(limits.max) - float(limits.min) + 1.0), (float(limits.max) + limits.min + 1.0) / 2
    mean: Samples = ((values.mean(axis=0, dtype=np.float64) - middle) * scale).astype(np.float32)
    return mean
