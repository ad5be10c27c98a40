"""decord as a decoder, where it can be held to what the container says.

decord numbers frames by counting, conceals damage without a word except in FFmpeg's log, and reads
ahead without bound while its consumer waits (all packets it can get, and their pictures in native
RGB). So it serves a video only when

- its pictures, were they all decoded and waiting, fit into `READ_AHEAD_BYTES`: then the memory is
  bounded whatever the consumer does, nothing is ever decoded twice, and which decoder serves a video
  depends on the file alone, never on timing;
- the container (demuxed by PyAV) states a timestamp for every packet, none is marked to be
  discarded, and decord's count, times and size agree with it;
- the pixel format is one whose RGB is bit for bit PyAV's (8-bit 4:2:0 of even width and height), without rotation.

Anything else, and any word of damage in FFmpeg's log, is PyAV's. Reopening decord at the next wanted frame
was weighed and left: each opening reads the whole file for its index, and what was read ahead is
decoded again. What remains is that decord cannot say which frame it gives: of 1500 damaged Matroska
files one came out with two frames exchanged and no word of it. So it is not the first decoder.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import decord  # type: ignore[import-untyped]
import numpy as np
from av.video.frame import VideoFrame

from ego.media.errorlog import ErrorLog
from ego.media.probe import first_picture, is_cover, open_container, packets, picture_stream, time_base, upright_turn
from ego.media.shots import Beat, Shot, Unfit, nominal_step

READ_AHEAD_BYTES = 256 << 20

TROUBLE = (decord.DECORDError, RuntimeError, ValueError, IndexError, StopIteration)
"""What decord raises; it has no one base for them."""

PIXEL_FORMATS = ("yuv420p", "yuvj420p")

CONTAINERS = ("mov", "matroska")


@dataclass(frozen=True)
class Survey:
    """What the container says of every picture: timestamps in display order, and the last one's duration."""

    pts: list[int]
    lasts: int
    base: Fraction
    width: int
    height: int
    frames_from_header: int


class DecordSource:
    """The frames of one video, in display order; Unfit where decord cannot be trusted with it."""

    decoder = "decord"
    version = decord.__version__
    rotation = 0
    corrupt = 0

    def __init__(self, path: str, threads: int, log: ErrorLog, beat: Beat) -> None:
        self._log = log
        found = survey(path, beat)
        self._survey = found
        self.base, self.width, self.height = found.base, found.width, found.height
        self.frames_from_header = found.frames_from_header
        log.clear()
        decord.logging.set_level(decord.logging.INFO)  # its FFmpeg conceals damage at this level
        try:
            self._reader = decord.VideoReader(path, num_threads=threads)
            self._compare()
        except TROUBLE as error:
            raise Unfit(f"decord cannot open it: {_reason(error)}") from error

    @property
    def libraries(self) -> dict[str, str]:
        """decord does not say which FFmpeg it was built with."""
        return {"decord": decord.__version__}

    def shots(self) -> Iterator[Shot]:
        """Every frame; Unfit before the first that can no longer be vouched for."""
        for number, pts in enumerate(self._survey.pts):
            try:
                picture = self._reader.next().asnumpy()
            except TROUBLE as error:
                raise Unfit(f"decord stops at frame {number}: {_reason(error)}") from error
            if self._log.damage():
                raise Unfit(f"decord reports damage near frame {number}")
            if picture.shape != (self.height, self.width, 3):
                raise Unfit(f"decord gives {picture.shape} pixels for frame {number}")
            yield Shot(pts, self._survey.lasts, VideoFrame.from_numpy_buffer(picture, format="rgb24"))

    def lost(self) -> int:
        """None: decord's count was compared with the container's before the first frame."""
        return 0

    def close(self) -> None:
        """Lets go of the file and of what was read ahead."""
        del self._reader

    def _compare(self) -> None:
        pts = self._survey.pts
        if len(self._reader) != len(pts):
            raise Unfit(f"decord counts {len(self._reader)} frames, the container {len(pts)}")
        theirs = np.asarray(self._reader.get_frame_timestamp(range(len(pts))))[:, 0]
        ours = (np.array(pts) - pts[0]) * float(self._survey.base)
        if np.abs(theirs - ours).max() > 1e-3 + 1e-6 * ours[-1]:  # decord's are single precision
            raise Unfit("decord's timestamps differ from the container's")


def survey(path: str, beat: Beat) -> Survey:
    """The container's word on every picture, or Unfit where decord should not be asked."""
    with open_container(path) as container:
        stream = picture_stream(container, path)
        if not container.format.name.startswith(CONTAINERS):
            raise Unfit(f"decord does not read the timestamps of {container.format.name}")
        rivals = [one for one in container.streams.video if one.index != stream.index]
        if any(is_cover(one) or (one.width, one.height) == (stream.width, stream.height) for one in rivals):
            raise Unfit("decord may choose another of its video streams")
        first = first_picture(container, stream, path)
        turn = upright_turn(first, path)
        if turn or first.format.name not in PIXEL_FORMATS:
            raise Unfit(f"decord's colours or rotation differ for {first.format.name} turned by {turn} degrees")
        if first.width % 2 or first.height % 2:
            raise Unfit(f"decord's colours differ for an odd size such as {first.width}x{first.height}")
        room = READ_AHEAD_BYTES // (first.width * first.height * 3)
        if stream.frames > room:
            raise Unfit(_too_long(room))
        base = time_base(stream, path)
        frames, lasts = stream.frames, nominal_step(stream, base)
    return Survey(*_presented(path, room, lasts, beat), base, first.width, first.height, frames)


def _presented(path: str, room: int, step: int, beat: Beat) -> tuple[list[int], int]:
    """Every packet's timestamp, sorted, and the duration of the last."""
    shown: list[tuple[int, int]] = []
    with open_container(path) as container:
        for packet in packets(container, picture_stream(container, path), path):
            beat()
            if not packet.size:
                continue
            if packet.pts is None or packet.is_discard or packet.is_corrupt or not (shown or packet.is_keyframe):
                raise Unfit("its packets lack timestamps, are to be discarded or do not begin with a key frame")
            shown.append((packet.pts, packet.duration or step or 1))
            if len(shown) > room:
                raise Unfit(_too_long(room))
    shown.sort()
    pts = [one for one, _ in shown]
    if not pts or any(a == b for a, b in pairwise(pts)):
        raise Unfit("its timestamps are missing or repeat")
    return pts, shown[-1][1]


def _too_long(room: int) -> str:
    return f"it has more than the {room} frames of this size that decord may read ahead"


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^\[[\d:]+\] \S+ ", "", lines[0])[:200] if lines else type(error).__name__
