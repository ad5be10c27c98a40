"""Pictures and sound into a video file: drawn videos, previews, test material."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ego.errors import BadRequest

QUICK: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12"},
    "libaom-av1": {"cpu-used": "8", "usage": "realtime"},
}
"""Settings that trade size for speed, for each encoder that needs them."""

SOUND_CODECS = {".webm": "libopus", ".avi": "mp3"}
"""The sound codec by file ending; any other takes AAC."""

SOUND_BLOCK = 1024


def encode(
    path: str | os.PathLike[str],
    pictures: Iterable[NDArray[np.uint8]],
    fps: Fraction | float,
    *,
    codec: str = "libx264",
    gop: int = 12,
    b_frames: int = 2,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    pixel_format: str = "yuv420p",
    rotation: int = 0,
    crf: float | None = None,
    options: dict[str, str] | None = None,
    sound: tuple[NDArray[np.float32], int] | None = None,
) -> Path:
    """Writes a video and returns its path; it appears whole, under its name, or not at all.

    `pictures` are (height, width, 3) uint8 RGB, all of one size. `fps` may be a fraction such as
    30000/1001; a float within 0.001 of such a rate is taken for it. With `pts` each picture is shown
    from its own integer timestamp in units of `time_base` (a variable rate). `rotation` is the number
    of degrees a player turns the picture counter-clockwise. `sound` is float32 samples in [-1, 1], (n,)
    or (n, channels), and their rate in Hz. What the codec or container cannot hold is a BadRequest.
    """
    target, rate, source = Path(path), exact_rate(fps), iter(pictures)
    how = f"{codec} and {pixel_format}"
    with _as_urgent_as_before(), _appearing(target, how) as beside, av.open(str(beside), "w") as container:
        first = next(source, None)
        if first is None:
            raise BadRequest(f"got no pictures for {target.name}, expected at least one")
        stream = _picture_stream(container, codec, rate, first, gop, b_frames, pixel_format)
        _settle(stream, {**QUICK.get(codec, {}), **_quality(codec, crf), **(options or {})}, rotation)
        tracks = [_sound(container, target.suffix, *sound)] if sound is not None else []
        unit = time_base if pts is not None else 1 / rate
        _write(container, stream, unit, _frames(chain([first], source), pts, unit, first.shape), tracks)
    return target


@contextmanager
def _as_urgent_as_before() -> Iterator[None]:
    """Leaves the process's scheduling as it was: started by root, SVT-AV1 makes it real-time, and others starve."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if (os.sched_getscheduler(0), os.sched_getparam(0)) != before:
            os.sched_setscheduler(0, *before)


@contextmanager
def _appearing(target: Path, how: str) -> Iterator[Path]:
    """A path beside the target that takes its place when all went well, and is gone otherwise."""
    beside = target.with_name(f".{target.stem[:40]}.{os.getpid()}.part{target.suffix}")
    try:
        yield beside
        beside.replace(target)
    except BadRequest:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise BadRequest(f"{target.name} cannot be written with {how}: {error}") from error
    finally:
        beside.unlink(missing_ok=True)


def exact_rate(fps: Fraction | float) -> Fraction:
    """The rate as a fraction; 23.976, 29.97, 59.94 and their like become n * 1000 / 1001."""
    if isinstance(fps, Fraction):
        return fps
    broadcast = Fraction(round(fps * 1.001) * 1000, 1001)
    if broadcast and abs(float(broadcast) - fps) < 0.001 and fps != round(fps):
        return broadcast
    return Fraction(fps).limit_denominator(1001)


def _picture_stream(
    container: OutputContainer,
    codec: str,
    rate: Fraction,
    first: NDArray[np.uint8],
    gop: int,
    b_frames: int,
    pixel_format: str,
) -> VideoStream:
    if av.codec.Codec(codec, "w").type != "video":
        raise BadRequest(f"got codec {codec!r}, expected one for pictures such as libx264")
    if codec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # its library prints its settings otherwise
    stream = container.add_stream(codec, rate=rate)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = pixel_format
    stream.gop_size = gop
    if codec in ("libx264", "libx265", "mpeg4", "mpeg2video"):
        stream.max_b_frames = b_frames
    return stream


def _settle(stream: VideoStream, options: dict[str, str], rotation: int) -> None:
    stream.options = dict[str, object](options)
    if rotation:
        stream.set_display_rotation(rotation)


def _quality(codec: str, crf: float | None) -> dict[str, str]:
    if codec in ("mpeg4", "mpeg2video"):
        return {"flags": "+qscale", "global_quality": str(int(118 * (crf if crf is not None else 3)))}
    if codec.startswith("libvpx"):
        return {"crf": f"{crf if crf is not None else 20:g}", "b": "0"}
    return {} if crf is None else {"crf": f"{crf:g}"}


def _frames(
    pictures: Iterable[NDArray[np.uint8]], pts: Sequence[int] | None, unit: Fraction, shape: tuple[int, ...]
) -> Iterator[VideoFrame]:
    for number, picture in enumerate(pictures):
        if picture.shape != shape or picture.dtype != np.uint8:
            raise BadRequest(f"got a picture of {picture.shape} {picture.dtype}, expected {shape} uint8 like the first")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.time_base = unit
        frame.pts = number if pts is None else pts[number]
        yield frame


def _sound(
    container: OutputContainer, suffix: str, samples: NDArray[np.float32], rate: int
) -> tuple[AudioStream, NDArray[np.float32], int]:
    channels = np.atleast_2d(samples.T).astype(np.float32)
    stream = container.add_stream(SOUND_CODECS.get(suffix.lower(), "aac"), rate=rate)
    if not isinstance(stream, AudioStream) or channels.shape[0] not in (1, 2):
        raise BadRequest(f"got {channels.shape[0]} channels of sound, expected 1 or 2")
    stream.layout = "mono" if channels.shape[0] == 1 else "stereo"
    return stream, channels, rate


def _write(
    container: OutputContainer,
    stream: VideoStream,
    unit: Fraction,
    frames: Iterator[VideoFrame],
    tracks: list[tuple[AudioStream, NDArray[np.float32], int]],
) -> None:
    stream.codec_context.time_base = unit
    written = 0  # samples of sound
    for frame in frames:
        for sound in tracks:
            written = _write_sound(container, *sound, written, until=float((frame.pts or 0) * unit) + 1)
        container.mux(stream.encode(frame))
    for sound in tracks:
        _write_sound(container, *sound, written, until=float("inf"))
        container.mux(sound[0].encode(None))
    container.mux(stream.encode(None))


def _write_sound(
    container: OutputContainer,
    stream: AudioStream,
    samples: NDArray[np.float32],
    rate: int,
    written: int,
    until: float,
) -> int:
    while written < samples.shape[1] and written / rate < until:
        block = np.ascontiguousarray(samples[:, written : written + SOUND_BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, written, Fraction(1, rate)
        container.mux(stream.encode(frame))
        written += block.shape[1]
    return written
