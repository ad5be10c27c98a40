"""The decoding program: serves one request after another, frames through the ring, news over the wire.

It is started by `ego.media.decode` as `python -m ego.media.child` with the descriptors of the ring
and of the life pipe. Whatever goes wrong here, a crash in a decoder included, costs one video.
"""

import contextlib
import fcntl
import os
import resource
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ego.errors import BadRequest, BadVideo
from ego.media.errorlog import ErrorLog
from ego.media.pictures import Painter
from ego.media.probe import name_of
from ego.media.recital import recite
from ego.media.ring import Ring
from ego.media.shots import Shot, Unfit, timed
from ego.media.sources import open_source, plain_header
from ego.media.wire import Gone, Message, Stopped, Wire
from ego.sampling import Window, cutter
from ego.video import Picture, slack_seconds

CORRUPT_LIMIT = 0.01
"""The share of corrupt frames above which a video is refused."""

BEAT_SECONDS = 1.0


class Server:
    """Serves requests until its parent is gone."""

    def __init__(self, wire: Wire, ring: Ring, log: ErrorLog) -> None:
        self.wire, self.ring, self.log = wire, ring, log
        self.painters = min(4, len(os.sched_getaffinity(0)))
        self.pool = ThreadPoolExecutor(self.painters, "paint")
        self._last_word = time.monotonic()

    def serve(self) -> None:
        """Answers every request with its result, or with the reason why there is none."""
        self.say({"is": "ready"})
        while True:
            request = self.wire.receive()
            if request is None or request["do"] in ("free", "stop"):
                continue  # late words about the video before
            self.log.clear()
            self.say(self._answer(request))

    def _answer(self, request: Message) -> Message:
        try:
            if request["do"] == "probe":
                return plain_header(request["path"], request.get("rate", 0.0))
            if request["do"] == "sound":
                return recite(request, self.wire, self.ring, self.beat)
            return Screening(self, request).run()
        except BadVideo as error:
            return {"is": "bad", "why": str(error)}
        except BadRequest as error:
            return {"is": "request", "why": str(error)}
        except Unfit as error:
            return {"is": "unfit", "why": str(error)}
        except Stopped:
            return {"is": "stopped"}
        except (av.error.FFmpegError, MemoryError) as error:
            return {"is": "bad", "why": f"{name_of(request['path'])} cannot be decoded: {error}"}
        except Gone:
            raise
        except Exception:  # a bug: told to the parent, which raises it there with this traceback
            return {"is": "bug", "why": traceback.format_exc()}

    def say(self, message: Message) -> None:
        """Sends a word to the parent."""
        self._last_word = time.monotonic()
        self.wire.send(message)

    def beat(self) -> None:
        """Shows now and then that work goes on."""
        if time.monotonic() - self._last_word > BEAT_SECONDS:
            self.say({"is": "busy"})


class Wishes:
    """Which pictures the riders want of each frame, asked in display order."""

    def __init__(self, looks: Sequence[Message], slack: float) -> None:
        self._cutters = [
            (look["picture"], cutter(Window(**look["window"]), slack, _spans(look["spans"])), look["spans"] is not None)
            for look in looks
        ]

    def of(self, index: int, start_seconds: float, stop_seconds: float) -> list[int]:
        """The numbers of the pictures that some rider wants of this frame."""
        wanted = {number for number, cut, _ in self._cutters if cut.wants(start_seconds, stop_seconds)}
        for _, cut, has_spans in self._cutters:
            if has_spans:
                cut.push(index, start_seconds, stop_seconds)  # so that spans that are over are not looked at again
        return sorted(wanted)


class Screening:
    """One request for frames: source -> wanted pictures -> slots, told in display order."""

    def __init__(self, server: Server, request: Message) -> None:
        self._server, self._request = server, request
        self._wire, self._ring = server.wire, server.ring
        self._pending: deque[tuple[Message, Future[None] | None]] = deque()
        self._free: list[int] = []  # the slot last let go of is used next: it is still in the processor's cache
        self._began = time.monotonic()
        self._began_cpu = _cpu_seconds()

    def run(self) -> Message:
        """Delivers the frames and returns the facts of the whole."""
        source = open_source(self._request, self._server.log, self._server.beat)
        try:
            return self._deliver(source)
        finally:
            self._settle()
            source.close()

    def _deliver(self, source: Any) -> Message:
        pictures = [Picture(*one) for one in self._request["pictures"]]
        painter = Painter(pictures, source.width, source.height, source.rotation)
        self._prepare(painter, source.base)
        wishes = Wishes(self._request["looks"], slack_seconds(source.base))
        index, stop = -1, 0
        for index, (shot, stop, last) in enumerate(timed(source.shots(), source.base, self._request["part"])):
            wanted = wishes.of(index, shot.pts * float(source.base), stop * float(source.base))
            if index >= self._request["skip"]:
                self._deliver_one(index, shot, stop, list(range(len(pictures))) if last else wanted, painter)
            else:
                self._check_skipped(index, shot.pts)
        self._flush(0)
        if index < 0:
            raise BadVideo(f"{name_of(self._request['path'])} shows no picture in the seconds asked for")
        return self._facts(source, index + 1, stop)

    def _prepare(self, painter: Painter, base: Fraction) -> None:
        slots = painter.layout.slots(self._request["ring_bytes"])
        self._ring.reserve(painter.layout, slots)
        self._free = list(range(slots))
        self._server.say({"is": "open", "sizes": painter.layout.sizes, "slots": slots, "time_base": str(base)})

    def _deliver_one(self, index: int, shot: Shot, stop: int, wanted: list[int], painter: Painter) -> None:
        message: Message = {"is": "frame", "index": index, "pts": shot.pts, "stop": stop, "slot": -1}
        future = None
        if wanted:
            message |= {"slot": self._acquire(), "wanted": wanted}
            views = self._ring.views(message["slot"])
            future = self._server.pool.submit(painter.paint, shot.frame, wanted, views)
        self._pending.append((message, future))
        self._flush(self._server.painters)
        self._listen(wait=False)

    def _acquire(self) -> int:
        """The next slot; waits until the consumer has let go of one."""
        while not self._free:
            self._flush(0)
            self._listen(wait=True)
        return self._free.pop()

    def _listen(self, wait: bool) -> None:
        while (word := self._wire.receive(None if wait else 0)) is not None:
            if word["do"] == "stop":
                raise Stopped
            if word["do"] == "free":
                self._free.append(word["slot"])
            wait = False

    def _flush(self, keep: int) -> None:
        """Tells of frames in order; at most `keep` may still be in the making afterwards."""
        while self._pending:
            message, future = self._pending[0]
            if future is not None:
                if len(self._pending) <= keep and not future.done():
                    return
                future.result()
            self._pending.popleft()
            self._server.say(message)

    def _settle(self) -> None:
        for _, future in self._pending:
            if future is not None:
                future.exception()

    def _check_skipped(self, index: int, pts: int) -> None:
        if index + 1 == self._request["skip"] and pts != self._request["after"]:
            raise BadVideo(f"{name_of(self._request['path'])}: the decoders disagree on the time of frame {index}")

    def _facts(self, source: Any, frames: int, stop: int) -> Message:
        lost = source.lost()
        corrupt = source.corrupt + lost
        if corrupt > CORRUPT_LIMIT * (frames + lost):
            raise BadVideo(
                f"{name_of(self._request['path'])} is damaged: {corrupt} of {frames + lost} frames are "
                f"corrupt or missing, at most {CORRUPT_LIMIT:.0%} are accepted"
            )
        return {
            "is": "end",
            "decoder": source.decoder,
            "decoder_version": source.version,
            "libraries": source.libraries,
            "frames_decoded": frames,
            "frames_corrupt": corrupt,
            "frames_from_header": source.frames_from_header,
            "time_base": str(source.base),
            "stop_pts": stop,
            "decode_cpu_seconds": _cpu_seconds() - self._began_cpu,
            "seconds": time.monotonic() - self._began,
        }


def _spans(spans: Sequence[Sequence[float]] | None) -> Any:
    return None if spans is None else np.asarray(spans, np.float64).reshape(-1, 2)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def die_with(life: int) -> None:
    """Makes the kernel end this program when the other end of the life pipe closes.

    The signal needs no Python to run: a decoder that hangs with the interpreter's lock dies too.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if not os.read(life, 1):
            raise SystemExit
    except BlockingIOError:
        pass  # open and empty: the parent lives


def main(ring: int, life: int) -> None:
    """Serves on descriptors 0 and 1 until the parent is gone."""
    die_with(life)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    out = os.dup(1)
    os.dup2(2, 1)  # nothing a library prints may end up among the messages
    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)
    av.logging.restore_default_callback()
    with contextlib.suppress(Gone):
        Server(Wire(0, out), Ring(ring, writable=True), ErrorLog()).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
