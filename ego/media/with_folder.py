"""A folder of numbered pictures as a decoder: frame i is on display from i / rate until the next one there is."""

import io
import os
from collections.abc import Iterator
from fractions import Fraction

import av
from av.video.frame import VideoFrame

from ego.errors import BadVideo
from ego.media.errorlog import ErrorLog
from ego.media.frames import list_frames
from ego.media.probe import name_of, say, upright_turn
from ego.media.shots import Beat, Shot
from ego.video import Header

CONTAINER = "frames"
"""What a header calls a folder of pictures."""


class FolderSource:
    """The pictures of a folder, in the order of their numbers; one that is missing or damaged counts as corrupt."""

    decoder, version = "pyav", av.__version__

    def __init__(self, path: str, rate: float, log: ErrorLog, beat: Beat, part_start: float | None) -> None:
        self._path, self._log, self._beat = path, log, beat
        self._frames = list_frames(path)
        self.base = 1 / _exact(rate)
        self.corrupt = self._unreadable = 0
        self.frames_from_header = self._frames.numbers[-1] + 1
        start = 0.0 if part_start is None else part_start
        before = sum(float(number * self.base) <= start for number in self._frames.numbers)
        self._first = max(0, before - 1)
        self._whole = part_start is None
        first = read_picture(os.path.join(path, self._frames.names[self._first]))
        self.rotation, self.width, self.height = upright_turn(first, path), first.width, first.height
        log.clear()

    @property
    def libraries(self) -> dict[str, str]:
        """The FFmpeg libraries in use, by name."""
        return {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}

    def shots(self) -> Iterator[Shot]:
        """Every picture; another size than the first one's is a BadVideo."""
        for number, name in zip(self._frames.numbers[self._first :], self._frames.names[self._first :], strict=True):
            self._beat()
            try:
                frame = read_picture(os.path.join(self._path, name))
            except BadVideo:
                self._unreadable += 1
                continue
            self.corrupt += bool(self._log.damage())
            if (frame.width, frame.height) != (self.width, self.height):
                raise BadVideo(
                    f"{name_of(self._path)} changes its picture size at {name} from {self.width}x{self.height} to "
                    f"{frame.width}x{frame.height}, expected one size"
                )
            yield Shot(number, 1, frame)

    def lost(self) -> int:
        """How many numbers between the first and the last one show no picture."""
        return self._unreadable + (self._frames.missing if self._whole else 0)

    def close(self) -> None:
        """Nothing is held open."""


def read_picture(path: str) -> VideoFrame:
    """The picture of a file; what is none is a BadVideo."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        with av.open(io.BytesIO(data), "r") as container:
            return next(iter(container.decode(video=0)))
    except (av.error.FFmpegError, OSError, ValueError, StopIteration, IndexError) as error:
        raise BadVideo(f"{name_of(path)} cannot be read as a picture: {say(error)}") from error


def read_folder_header(path: str, rate: float) -> Header:
    """What a folder of pictures says of itself at the rate its data set states."""
    frames, fps = list_frames(path), _exact(rate)
    first = read_picture(os.path.join(path, frames.names[0]))
    turn = upright_turn(first, path)
    width, height = (first.height, first.width) if turn in (90, 270) else (first.width, first.height)
    count = frames.numbers[-1] + 1
    return Header(
        container=CONTAINER,
        codec=os.path.splitext(frames.names[0])[1][1:].lower(),
        pixel_format=first.format.name,
        width=width,
        height=height,
        rotation=turn,
        fps_from_header=float(fps),
        frames_from_header=count,
        start_seconds=0.0,
        seconds_from_header=float(count / fps),
        stream=0,
        time_base=1 / fps,
        has_sound=False,
    )


def _exact(rate: float) -> Fraction:
    """A rate as the fraction that is meant: 29.97003 is 30000/1001."""
    if not 0.001 <= rate <= 10_000:
        raise BadVideo(f"got {rate:g} pictures a second, expected a rate above 0")
    return Fraction(rate).limit_denominator(1001)
