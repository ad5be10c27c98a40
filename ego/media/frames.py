"""A folder of numbered pictures: which files are its frames, and which are missing between them."""

import os
import re
from dataclasses import dataclass

from ego.errors import BadVideo

PICTURE = re.compile(r"(?P<prefix>(?:.*\D)?)(?P<number>\d{1,18})\.(?:jpe?g|png|bmp|webp|tiff?)", re.IGNORECASE)
"""`<prefix><number>.<suffix>`; a copy such as `rgb0001 (1).png` and a dot-file are no frames."""


@dataclass(frozen=True)
class Frames:
    """The pictures of a folder in order: `numbers` (rising, from 0 at the lowest one present) and their `names`."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    lowest: int

    @property
    def missing(self) -> int:
        """How many numbers between the first and the last have no picture."""
        return self.numbers[-1] + 1 - len(self.numbers)


def list_frames(folder: str | os.PathLike[str]) -> Frames:
    """The frames of a folder, by name alone; none, two sequences or a number twice is a BadVideo."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise BadVideo(f"{os.fspath(folder)!r} cannot be read: {error.strerror}") from error
    found: dict[int, str] = {}
    prefixes: set[str] = set()
    for name in sorted(names):
        match = None if name.startswith(".") else PICTURE.fullmatch(name)
        if match is None:
            continue
        prefixes.add(match["prefix"])
        number = int(match["number"])
        if found.setdefault(number, name) != name and len(prefixes) == 1:
            raise BadVideo(f"{_say(folder)} holds frame {number} twice: {found[number]} and {name}; remove one")
    if not found:
        raise BadVideo(f"{_say(folder)} holds no numbered picture, expected files such as frame_00001.jpg")
    if len(prefixes) > 1:
        first, second = sorted(prefixes)[:2]
        raise BadVideo(f"{_say(folder)} holds several sequences, {first!r} and {second!r}, expected one in a folder")
    order = sorted(found)
    return Frames(tuple(number - order[0] for number in order), tuple(found[number] for number in order), order[0])


def folder_stamp(folder: str | os.PathLike[str]) -> tuple[int, int]:
    """(bytes of all frames, the newest one's mtime in nanoseconds): what changes when a frame is exchanged."""
    names = frozenset(list_frames(folder).names)
    with os.scandir(folder) as entries:
        facts = [entry.stat() for entry in entries if entry.name in names]
    return sum(one.st_size for one in facts), max(one.st_mtime_ns for one in facts)


def _say(folder: str | os.PathLike[str]) -> str:
    return repr(os.path.basename(os.path.normpath(os.fspath(folder))))
