"""Signals kept as numbered pictures beside a video: optical flow and motion maps. No picture is opened here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from ego.errors import BadRequest
from ego.video import Reading


@dataclass(frozen=True)
class FileBytes(Sequence[bytes]):
    """The bytes of files, each read when it is asked for; a file that is gone by then is a BadRequest."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> "FileBytes": ...
    def __getitem__(self, index: int | slice) -> "bytes | FileBytes":
        if isinstance(index, slice):
            return FileBytes(self.paths[index])
        try:
            return self.paths[index].read_bytes()
        except OSError as error:
            raise BadRequest(f"{self.paths[index]} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Pace:
    """Which frames picture number `first` + i was made of: i * `stride` to i * `stride` + `reach`, at `fps`."""

    fps: float
    first: int
    stride: int = 1
    reach: int = 1


def pictures_reading(kind: str, planes: Mapping[str, Mapping[int, Path]], pace: Pace) -> Reading:
    """Pictures by plane (flow has `x` and `y`) and number, as they lie encoded; a number without picture is no item.

    An item lasts from the first frame it was made of until the end of the last; array `frame` (n, 2) counts both
    from 0. A number that one plane has and another has not is a BadRequest.
    """
    numbers = sorted(set().union(*planes.values()))
    for number in numbers:
        for name, files in planes.items():
            if number not in files:
                other, path = next((other, files[number]) for other, files in planes.items() if number in files)
                raise BadRequest(
                    f"{path} is plane {other} of picture {number}, which has no plane {name}; add or remove"
                )
    first = (np.array(numbers, np.int64) - pace.first) * pace.stride
    frames = np.stack([first, first + pace.reach], 1)
    return Reading(
        kind,
        np.stack([frames[:, 0] / pace.fps, (frames[:, 1] + 1) / pace.fps], 1),
        {"frame": frames},
        tuple(str(next(iter(planes.values()))[number]) for number in numbers),
        {name: FileBytes(tuple(files[number] for number in numbers)) for name, files in planes.items()},
    )
