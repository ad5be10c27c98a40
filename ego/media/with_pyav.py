"""PyAV as a decoder: bounded memory, the container's own timestamps, damage flagged frame by frame."""

import itertools
import math
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ego.errors import BadRequest, BadVideo
from ego.media.errorlog import CUT_OFF, ErrorLog
from ego.media.probe import name_of, open_container, packets, picture_stream, say, time_base, upright_turn
from ego.media.shots import Beat, Clock, Shot, Tally, nominal_step

SEEKABLE = ("mov", "matroska")
"""Containers whose index can be trusted to find a picture by its time; others are read from the start."""

ONE_PICTURE_A_PACKET = ("h264", "hevc")
"""Codecs of which every packet brings a picture; others hide some (VP9) or skip some (MPEG-4)."""


class PyAVSource:
    """The frames of one video, in display order."""

    version = av.__version__

    def __init__(self, path: str, threads: int, log: ErrorLog, beat: Beat, part_start: float | None, gpu: bool) -> None:
        self.decoder = "nvdec" if gpu else "pyav"
        self._path, self._threads, self._log, self._beat = path, threads, log, beat
        self.corrupt = 0
        self._damage: float | None = None  # where a decoding error was; it may spoil all until a later key frame
        self._packets_seen = 0
        self._open()
        self._whole = part_start is None
        shots = self._from(part_start)
        try:
            first = next(shots)
        except StopIteration:
            raise BadVideo(self._nothing()) from None
        self.rotation = upright_turn(first.frame, path)
        self.width, self.height = first.frame.width, first.frame.height
        self._shots = itertools.chain([first], shots)

    @property
    def libraries(self) -> dict[str, str]:
        """The FFmpeg libraries in use, by name."""
        return {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}

    def shots(self) -> Iterator[Shot]:
        """Every frame; a change of picture size is a BadVideo."""
        for shot in self._shots:
            if (shot.frame.width, shot.frame.height) != (self.width, self.height):
                raise BadVideo(
                    f"{name_of(self._path)} changes its picture size from {self.width}x{self.height} to "
                    f"{shot.frame.width}x{shot.frame.height}, expected one size"
                )
            yield shot

    def lost(self) -> int:
        """How many frames the header promises that the file does not hold, once the last shot is out.

        Where times come from counting packets one lost packet moves all that follow: a BadVideo.
        """
        kind = self._container.format.name.split(",")[0]
        if not self._whole or kind not in ("mov", "matroska", "avi"):
            return 0
        if kind == "avi":
            held = self._tally.shown if self._clock.reorders else self._clock.packets
            promised = max(self.frames_from_header, self._clock.packets)
            if held < promised:
                raise BadVideo(
                    f"{name_of(self._path)} gives {held} of {promised} frames and states no timestamps, "
                    "so no picture's time is known"
                )
        missing = max(0, self.frames_from_header - self._packets_seen) if kind == "mov" else 0
        one_each = kind != "avi" and self._stream.codec_context.codec.canonical_name in ONE_PICTURE_A_PACKET
        return missing + (max(0, self._tally.lost - self.corrupt) if one_each else 0)

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def _open(self) -> None:
        self._container = _open_on_gpu(self._path) if self.decoder == "nvdec" else open_container(self._path)
        self._stream = picture_stream(self._container, self._path)
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self.base = time_base(self._stream, self._path)
        self.frames_from_header = self._stream.frames
        self._step = nominal_step(self._stream, self.base)
        self._clock = Clock(self._container.format.name, self._step)
        self._tally = Tally()
        self._log.clear()  # what opening says of the container is no word about pictures

    def _from(self, start_seconds: float | None) -> Iterator[Shot]:
        """Shots from one at or before this second; a seek that lands behind it is tried from further back."""
        if start_seconds is None or not self._container.format.name.startswith(SEEKABLE):
            return self._decode()
        for back_seconds in (0.0, 10.0, 60.0):
            target = int((start_seconds - back_seconds) / self.base)
            try:
                self._container.seek(target, stream=self._stream, backward=True)
            except av.error.FFmpegError:
                break
            shots = self._decode()
            first = next(shots, None)
            if first is not None and first.pts * self.base <= start_seconds:
                return itertools.chain([first], shots)
            self._clock = Clock(self._container.format.name, self._step)
        self.close()
        self._open()
        self.corrupt, self._damage, self._packets_seen = 0, None, 0
        return self._decode()

    def _decode(self) -> Iterator[Shot]:
        for packet in packets(self._container, self._stream, self._path):
            self._packets_seen += packet.size > 0
            self._beat()
            self._clock.see(packet)
            self._tally.see(packet)
            for frame in self._frames(packet):
                shot = self._shot(frame)
                if shot is not None:
                    yield shot

    def _frames(self, packet: "Packet[VideoStream]") -> list[VideoFrame]:
        try:
            frames = packet.decode()
        except av.error.EOFError:
            frames = []
        except av.error.FFmpegError:
            self._hurt(packet, 1)
            frames = []
        lines = self._log.damage()
        if any(CUT_OFF in line for line in lines):
            raise BadVideo(f"{name_of(self._path)} breaks off: the file ends before its last picture does")
        if lines or packet.is_corrupt:
            self._hurt(packet, 0)
        return frames

    def _hurt(self, packet: "Packet[VideoStream]", lost: int) -> None:
        if self._clock.needs_whole_start:
            raise BadVideo(
                f"{name_of(self._path)} is damaged at its start and its container states no timestamps, "
                "so no picture's time is known"
            )
        self.corrupt += lost
        place = self._clock.place(packet)
        self._damage = math.inf if place is None else max(place, self._damage or place)

    def _shot(self, frame: VideoFrame) -> Shot | None:
        """The frame with its time; what an error may have spoilt counts as corrupt, until a key frame after it."""
        place = self._clock.place(frame)
        if self._damage is not None and frame.key_frame and place is not None and place > self._damage:
            self._damage = None
        pts = self._clock.stamp(frame)
        self.corrupt += frame.is_corrupt or self._damage is not None or pts is None
        if pts is None:
            return None
        self._tally.show(pts)
        return Shot(pts, frame.duration if frame.duration > 0 else self._step or 1, frame)

    def _nothing(self) -> str:
        if self.corrupt:
            return f"{name_of(self._path)} holds no picture with a timestamp that can be decoded"
        return f"{name_of(self._path)} holds no picture"


def _open_on_gpu(path: str) -> InputContainer:
    """The container with NVIDIA's decoder behind its streams; BadRequest where there is none."""
    open_container(path).close()  # a bad file is a BadVideo, with or without a GPU
    try:
        return open_container(path, av.codec.hwaccel.HWAccel("cuda", allow_software_fallback=False))
    except (BadVideo, av.error.FFmpegError, RuntimeError, ValueError) as error:
        raise BadRequest(
            f"got decoder nvdec, but NVIDIA's cannot be opened here ({say(error.__cause__ or error)}); "
            "use --decoder auto"
        ) from error
