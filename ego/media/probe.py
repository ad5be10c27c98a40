"""What a container claims of its picture stream, read without trusting it."""

import os
import stat
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ego.errors import BadVideo
from ego.video import Header

AnyStream = TypeVar("AnyStream", VideoStream, AudioStream)

TRIED_PACKETS = 300
"""How many packets may pass before the first picture must have come out of the decoder."""


def open_container(path: str, hwaccel: object | None = None) -> InputContainer:
    """The opened container of a local file; what cannot be opened is a BadVideo that says why."""
    check_file(path)
    try:
        # an absolute path is never taken for a URL, and a playlist cannot reach the network
        return av.open(
            os.path.abspath(path),
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
            hwaccel=hwaccel,  # type: ignore[arg-type]
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise BadVideo(f"{name_of(path)} is not a video that FFmpeg can open: {say(error)}") from error


def check_file(path: str) -> None:
    """Raises BadVideo where there is no readable file with something in it."""
    try:
        facts = os.stat(path)
        if stat.S_ISDIR(facts.st_mode):
            raise BadVideo(f"{name_of(path)} is a folder, expected a video file")
        if not stat.S_ISREG(facts.st_mode):
            raise BadVideo(f"{name_of(path)} is not a regular file, expected a video file")
        if facts.st_size == 0:
            raise BadVideo(f"{name_of(path)} is empty (0 bytes), expected a video file")
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        raise BadVideo(f"{name_of(path)} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def picture_stream(container: InputContainer, path: str) -> VideoStream:
    """The stream FFmpeg thinks best, cover art left aside; a file without moving pictures is a BadVideo."""
    films = [stream for stream in container.streams.video if not is_cover(stream)]
    if not films:
        raise BadVideo(f"{name_of(path)} has no video stream (only {_kinds(container)}), expected moving pictures")
    known = [stream for stream in films if stream.codec_context is not None]
    if not known:
        raise BadVideo(f"{name_of(path)} is coded in a way that this FFmpeg has no decoder for")
    best = container.streams.best("video")
    chosen = [stream for stream in known if best is not None and stream.index == best.index]
    return chosen[0] if chosen else max(known, key=lambda stream: stream.width * stream.height)


def is_cover(stream: VideoStream) -> bool:
    """Whether the stream is a picture attached to sound."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def read_header(path: str) -> Header:
    """The container's claims; one picture is decoded, since only it knows its size and rotation for sure."""
    with open_container(path) as container:
        stream = picture_stream(container, path)
        first = first_picture(container, stream, path)
        turn = upright_turn(first, path)
        width, height = (first.height, first.width) if turn in (90, 270) else (first.width, first.height)
        base = time_base(stream, path)
        rate = stream.average_rate or stream.guessed_rate or Fraction(0)
        return Header(
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            pixel_format=first.format.name,
            width=width,
            height=height,
            rotation=turn,
            fps_from_header=float(rate),
            frames_from_header=stream.frames,
            start_seconds=float((stream.start_time or 0) * base),
            seconds_from_header=_seconds(container, stream, base),
            stream=stream.index,
            time_base=base,
            has_sound=bool(container.streams.audio),
        )


def first_picture(container: InputContainer, stream: VideoStream, path: str) -> VideoFrame:
    """The first picture that can be decoded; BadVideo if none can."""
    for number, packet in enumerate(packets(container, stream, path)):
        try:
            for frame in packet.decode():
                return frame
        except av.error.FFmpegError:
            pass  # a damaged packet: the next may be whole
        if number > TRIED_PACKETS:
            break
    raise BadVideo(f"{name_of(path)} holds no picture that can be decoded")


def packets(container: InputContainer, stream: AnyStream, path: str) -> "Iterator[Packet[AnyStream]]":
    """Every packet of the stream and, last, the empty one that empties the decoder."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError as error:
        raise BadVideo(f"{name_of(path)} breaks off: {say(error)}") from error
    except IndexError as error:  # how PyAV meets a stream that appears on the way
        raise BadVideo(f"{name_of(path)} is damaged: it holds streams that its start does not announce") from error


def time_base(stream: VideoStream | AudioStream, path: str) -> Fraction:
    """The unit of the stream's timestamps, in seconds."""
    if stream.time_base is None or stream.time_base <= 0:
        raise BadVideo(f"{name_of(path)} has no time base, expected timestamps")
    return stream.time_base


def upright_turn(frame: VideoFrame, path: str) -> int:
    """Degrees, counter-clockwise, by which the decoded picture must be turned to stand upright."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if isinstance(matrix, SideData):
        a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
        if a * d - b * c < 0:
            raise BadVideo(f"{name_of(path)} is to be shown mirrored, which is not supported; convert it first")
    return round(frame.rotation / 90) * 90 % 360


def name_of(path: str) -> str:
    """The file's name for a message: one line, whatever it is called."""
    return repr(Path(path).name or path)


def say(error: BaseException) -> str:
    """A library's reason, without its path."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0][:200] if str(error) else type(error).__name__


def _seconds(container: InputContainer, stream: VideoStream, base: Fraction) -> float:
    if stream.duration:
        return float(stream.duration * base)
    return max(0.0, container.duration / av.time_base) if container.duration else 0.0


def _kinds(container: InputContainer) -> str:
    found = sorted({"cover art" if stream.type == "video" else stream.type for stream in container.streams})
    return ", ".join(found) or "nothing"
