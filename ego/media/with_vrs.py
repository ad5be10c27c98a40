"""Recordings of Project Aria (`.vrs`) through Meta's own reader, where it is installed: the RGB camera's pictures.

The reader is no dependency of the project: its package asks for notebooks and a viewer, none of which this needs.
"""

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module, metadata
from typing import Any

from av.video.frame import VideoFrame

from ego.errors import BadVideo
from ego.media.probe import check_file, name_of
from ego.media.shots import Beat, Shot
from ego.video import Header

BASE = Fraction(1, 1_000_000_000)
READER = "projectaria_tools"
CAMERA = "camera-rgb"
UPRIGHT_TURN = 270
"""The camera is mounted turned: a quarter clockwise sets its picture upright."""


class VrsSource:
    """The RGB pictures of a recording on a clock that begins with the first of them."""

    decoder = READER

    def __init__(self, path: str, beat: Beat) -> None:
        self._path, self._beat = path, beat
        self._provider, self._stream = _open(path)
        self.version = metadata.version(READER)
        self.libraries = {READER: self.version}
        self.base, self.corrupt, self.rotation = BASE, 0, UPRIGHT_TURN
        self._times = _times(self._provider, self._stream, path)
        self.frames_from_header = len(self._times)
        first = self._picture(0)
        self.width, self.height = first.width, first.height

    def shots(self) -> Iterator[Shot]:
        """Every picture with its capture time."""
        step = self._step()
        for index, time in enumerate(self._times):
            self._beat()
            yield Shot(time - self._times[0], step, self._picture(index))

    def lost(self) -> int:
        """The recording does not say how many pictures there should be."""
        return 0

    def close(self) -> None:
        """Lets go of the recording."""
        self._provider = None

    def header(self) -> Header:
        """What the recording says of its RGB stream, upright."""
        seconds = float((self._times[-1] + self._step() - self._times[0]) * BASE)
        return Header(
            container="vrs",
            codec="jpeg",
            pixel_format="rgb24",
            width=self.height,
            height=self.width,
            rotation=UPRIGHT_TURN,
            fps_from_header=len(self._times) / seconds,
            frames_from_header=len(self._times),
            start_seconds=0.0,
            seconds_from_header=seconds,
            stream=0,
            time_base=BASE,
            has_sound=False,
        )

    def _step(self) -> int:
        """The usual nanoseconds from one picture to the next; a single picture is taken to last 0.1 s."""
        steps = sorted(later - sooner for sooner, later in zip(self._times, self._times[1:], strict=False))
        return steps[len(steps) // 2] if steps else 100_000_000

    def _picture(self, index: int) -> VideoFrame:
        image, _ = self._provider.get_image_data_by_index(self._stream, index)
        if not image.is_valid():
            raise BadVideo(f"{name_of(self._path)} is damaged: its picture {index} cannot be read")
        array = image.to_numpy_array()
        return VideoFrame.from_ndarray(array, format="rgb24" if array.ndim == 3 else "gray")


def first_picture_us(path: str) -> int:
    """The device's time in microseconds at a recording's first RGB picture: second 0 of it as a video."""
    provider, stream = _open(path)
    return round(_times(provider, stream, path)[0] / 1000)


def _times(provider: Any, stream: Any, path: str) -> list[int]:
    """Capture times in nanoseconds of the device."""
    clock = import_module(f"{READER}.core.sensor_data").TimeDomain.DEVICE_TIME
    times = [int(time) for time in provider.get_timestamps_ns(stream, clock)]
    if not times:
        raise BadVideo(f"{name_of(path)} holds no picture of its RGB camera")
    return times


def _open(path: str) -> tuple[Any, Any]:
    """(Meta's provider of a recording, its RGB stream), its chatter kept from the terminal."""
    check_file(path)
    try:
        data_provider = import_module(f"{READER}.core.data_provider")
    except ImportError as error:
        raise BadVideo(
            f"{name_of(path)} is a recording of Project Aria, which only Meta's reader opens: "
            "pip install --no-deps projectaria-tools, or convert it to mp4"
        ) from error
    with _quiet():
        provider = data_provider.create_vrs_data_provider(os.path.abspath(path))
    stream = provider.get_stream_id_from_label(CAMERA) if provider is not None else None
    if stream is None:
        raise BadVideo(f"{name_of(path)} holds no RGB camera that Meta's reader can open")
    return provider, stream


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Sends what libraries write to the terminal nowhere; the reader has no switch for it."""
    held = [(number, os.dup(number)) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number, _ in held:
            os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in held:
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
