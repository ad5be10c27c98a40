"""What extractors ask for, through all that they hold: pictures, sound, signals and one another."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Network, Tracker
from ego.sampling import Window
from ego.video import Header, Picture, Reading, Signal, Sound

Need = TypeVar("Need", Picture, Sound, Signal)


def pictures_of(extractor: Extractor) -> dict[str, Picture]:
    """The pictures an extractor asks for, by the name it knows them by."""
    return _of(extractor, Picture)


def sounds_of(extractor: Extractor) -> dict[str, Sound]:
    """The sound an extractor asks for, by the name it knows it by."""
    return _of(extractor, Sound)


def samples_of(window: Window, sound: Sound) -> int:
    """How many samples of sound a row of a window with a rate is shown: those of its ticks."""
    assert window.fps is not None
    return round(window.span / window.fps * sound.rate)


def held_by(extractor: Extractor) -> dict[str, Extractor]:
    """The extractors it holds, by the name it knows them by."""
    return {name: need for name, need in extractor.needs().items() if isinstance(need, Extractor)}


def signals_of(extractor: Extractor) -> list[str]:
    """The kinds of signal that an extractor, or one it holds, asks for: in its needs or for where its rows lie."""
    kinds = {need.kind for need in _of(extractor, Signal).values()}
    if extractor.window.at != "grid":
        kinds.add(extractor.window.at)
    for held in held_by(extractor).values():
        kinds.update(signals_of(held))
    return sorted(kinds)


def asks_for_signals(extractors: Iterable[Extractor]) -> bool:
    """Whether any of these extractors asks for a signal."""
    return any(signals_of(extractor) for extractor in extractors)


def in_order(extractors: Iterable[Extractor], only: bool = False) -> list[Extractor]:
    """These extractors and all that they hold, one for each digest, each after what it holds; `only` these."""
    extractors = list(extractors)
    given = {extractor.digest for extractor in extractors}
    found: dict[str, Extractor] = {}

    def visit(extractor: Extractor) -> None:
        if extractor.digest not in found:
            for held in held_by(extractor).values():
                visit(held)
            found[extractor.digest] = extractor

    for extractor in extractors:
        visit(extractor)
    return [extractor for digest, extractor in found.items() if digest in given or not only]


def speaks_late(extractor: Extractor) -> bool:
    """Whether its rows come only when the video has ended, by itself or for one that it holds."""
    own = isinstance(extractor, Tracker) and extractor.lag_seconds is None
    return own or any(speaks_late(held) for held in held_by(extractor).values())


def stands_beside(extractor: Network, held: Extractor) -> bool:
    """Whether a held extractor's rows are this network's, row beside row: both have one window."""
    return extractor.window == held.window


def frame_size(extractor: Extractor, header: Header | None) -> tuple[int, int]:
    """(height, width) of the picture that fills its free sides: its own, or of the first it holds; else the frame's."""
    pictures = [need for one in reversed(in_order([extractor])) for need in pictures_of(one).values()]
    width, height = (header.width, header.height) if header else (0, 0)
    return pictures[0].pixels(width, height)[::-1] if pictures and width else (height, width)


def spans_of(extractor: Extractor, readings: Mapping[str, Reading]) -> NDArray[np.float64] | None:
    """The spans that are an extractor's rows; None on the grid, empty where the signal is not there."""
    if extractor.window.at == "grid":
        return None
    reading = readings.get(extractor.window.at)
    return np.empty((0, 2)) if reading is None else reading.seconds


def why_absent(extractor: Extractor, header: Header | None, readings: Mapping[str, Reading]) -> str | None:
    """Why there is nothing to extract, where that is known before any frame; None where there may be something."""
    missing = [kind for kind in signals_of(extractor) if kind not in readings]
    if missing:
        return f"the video has no {missing[0]}"
    silent = any(sounds_of(one) for one in in_order([extractor])) and header is not None and not header.has_sound
    return "the video has no sound" if silent else None


def check(extractors: Iterable[Extractor]) -> None:
    """BadRequest for what one pass over a video cannot give."""
    for extractor in in_order(extractors):
        name, held = extractor.name, held_by(extractor)
        if isinstance(extractor, Tracker) and extractor.window.frames != 1:
            raise BadRequest(f"got {extractor.window.frames} frames a row for {name}, it follows one frame at a time")
        if sounds_of(extractor) and (not isinstance(extractor, Network) or extractor.window.fps is None):
            raise BadRequest(f"got no rate for the rows of {name}; set window.fps, since sound has no frames")
        for need, one in held.items():
            loose = isinstance(one, Network) and any(not stands_beside(one, below) for below in held_by(one).values())
            if isinstance(extractor, Tracker) and loose:
                raise BadRequest(
                    f"{name} follows {need!r}, but {one.name} and what that holds have two windows; give them one"
                )


def _of(extractor: Extractor, kind: type[Need]) -> dict[str, Need]:
    return {name: need for name, need in extractor.needs().items() if isinstance(need, kind)}
