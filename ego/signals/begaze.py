"""Gaze exports of SMI BeGaze as EGTEA Gaze+ ships them: version 3.1 with 8 columns, 3.4 with 27.

Rows are split on TAB and columns taken by name: `Aux1` is always empty and would vanish under a split
on white space. The frame number is the only clock that the video shares.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.gaze import FIXATION, SACCADE, TRUNCATED, UNKNOWN, UNTRACKED
from ego.signals.gaze import gaze_reading
from ego.signals.table import read_lines
from ego.video import Reading

AREA = (1280, 960)
"""Width and height in pixels of the scene camera where the export states none."""

EVENTS = {"Fixation": FIXATION, "Saccade": SACCADE}


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of an export in the order of the file.

    `frame` (n,) is the session's frame, from 0; `pixels` (n, 2) the raw point, NaN where the export says
    so; `events` (n,) the event's name. `area` is the scene's (width, height), `stated` how many samples
    the head of the file announces (None: it does not say), `first_line` where the samples begin;
    `sources` (n,) names file and line of each.
    """

    frame: NDArray[np.int64]
    pixels: NDArray[np.float64]
    events: NDArray[np.str_]
    area: tuple[int, int]
    stated: int | None
    first_line: int
    sources: tuple[str, ...]

    @property
    def types(self) -> NDArray[np.int8]:
        """(n,) type of each sample: untracked before truncated before what its event says."""
        named = _named(self.events)
        lost = ~np.isfinite(self.pixels).all(axis=1) | (self.pixels == 0).all(axis=1)
        return np.where(lost, UNTRACKED, np.where(_outside(self.pixels, self.area), TRUNCATED, named)).astype(np.int8)

    def reading(self, fps: float = 24.0) -> Reading:
        """The samples as a reading; each stands in the middle of its frame's time on display."""
        fractions = _fractions(np.nan_to_num(self.pixels), self.area)
        seconds = (self.frame.astype(np.float64) + 0.5) / fps
        return gaze_reading(seconds, fractions, self.types, self.events == "Blink", self.sources)


def read_begaze(path: Path, fps: int = 24) -> Samples:
    """The samples of an export; a missing column, a short row or a value that is none is a BadRequest.

    `fps` is the rate at which the frames of a time code `HH:MM:SS:FF` are counted.
    """
    lines = read_lines(path, "a BeGaze export")
    top = next((number for number, line in enumerate(lines) if line.startswith("Time\t")), None)
    if top is None:
        raise BadRequest(
            f"{path.name}: no line begins with 'Time' and a TAB, expected the header of a BeGaze export divided by TAB"
        )
    header = lines[top].split("\t")
    columns = _columns(header, f"{path.name}, line {top + 1}")
    frame, pixels, events, sources = [], [], [], []
    for number, line in enumerate(lines[top + 1 :], top + 2):
        if not line:
            continue
        cells = line.split("\t")
        source = f"{path.name}, line {number}"
        if len(cells) != len(header):
            raise BadRequest(f"{source}: got {len(cells)} cells, expected {len(header)} divided by TAB")
        x, y, when, event = (cells[column] for column in columns)
        frame.append(_frame(when, fps, source))
        pixels.append((_pixel(x, source), _pixel(y, source)))
        events.append(event.strip())
        sources.append(source)
    head = lines[:top]
    return Samples(
        np.array(frame, np.int64),
        np.array(pixels, np.float64).reshape(-1, 2),
        np.array(events, np.str_),
        _area(head),
        _stated(head),
        top + 2,
        tuple(sources),
    )


def official_frames(samples: Samples, keep_truncated: bool = False) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """(point, type) of each session frame by the rule of the sample reader that EGTEA Gaze+ ships.

    The samples of a frame are folded in pairs, (old + new) / 2, so later ones weigh more; the last
    event is the frame's; a frame without a sample is (0, 0), type 0. That reader finds truncated
    points and then overwrites their type: `keep_truncated` keeps it. Points are fractions of the
    frame, clamped into it; NaN becomes 0.
    """
    frames = int(samples.frame.max()) + 1 if len(samples.frame) else 0
    point, kinds = np.zeros((frames, 2)), np.zeros(frames, np.int8)
    seen = np.zeros(frames, bool)
    for frame, pixel, kind in zip(samples.frame, samples.pixels, _named(samples.events), strict=True):
        point[frame] = (point[frame] + pixel) / 2 if seen[frame] else pixel
        kinds[frame], seen[frame] = kind, True
    if keep_truncated:
        kinds[seen & _outside(point, samples.area)] = TRUNCATED
    return _fractions(np.nan_to_num(point), samples.area), kinds


def _columns(header: list[str], source: str) -> tuple[int, int, int, int]:
    """Where x, y, frame and event stand: of both eyes (B), else of the left one (L)."""
    eye = next((eye for eye in "BL" if f"{eye} POR X [px]" in header), "B")
    voice = next((eye for eye in "BL" if f"{eye} Event Info" in header), eye)
    names = (f"{eye} POR X [px]", f"{eye} POR Y [px]", "Frame", f"{voice} Event Info")
    for name in names:
        if header.count(name) != 1:
            found = "none" if name not in header else "two"
            raise BadRequest(f"{source}: got {found} of the column {name!r}, expected one, divided by TAB")
    x, y, frame, event = (header.index(name) for name in names)
    return x, y, frame, event


def _frame(text: str, fps: int, source: str) -> int:
    """A frame's number, written as such or as `HH:MM:SS:FF`."""
    if re.fullmatch(r"[0-9]{1,8}", text):
        return int(text)
    match = re.fullmatch(r"([0-9]{1,3}):([0-9]{2}):([0-9]{2}):([0-9]{2})", text)
    if match is None or int(match[4]) >= fps:
        raise BadRequest(f"{source}: got {text!r} as 'Frame', expected a number or HH:MM:SS:FF with FF below {fps}")
    hours, minutes, seconds, rest = (int(part) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * fps + rest


def _pixel(text: str, source: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequest(f"{source}: got {text!r} as a gaze point, expected pixels or NaN") from None


def _named(events: NDArray[np.str_]) -> NDArray[np.int8]:
    """(n,) the type that each event's name says, never truncated or untracked."""
    kinds = np.full(len(events), UNKNOWN, np.int8)
    for name, kind in EVENTS.items():
        kinds[events == name] = kind
    return kinds


def _outside(pixels: NDArray[np.float64], area: tuple[int, int]) -> NDArray[np.bool_]:
    """(n,) whether a raw point lies outside the pixels' centres; NaN does not."""
    with np.errstate(invalid="ignore"):
        outside = (pixels < 0) | (pixels > np.array(area) - 1.0)
    return np.asarray(outside.any(axis=1), np.bool_)


def _fractions(pixels: NDArray[np.float64], area: tuple[int, int]) -> NDArray[np.float64]:
    """Points clamped to the pixels' centres, as fractions of the frame."""
    size = np.array(area, np.float64)
    clamped: NDArray[np.float64] = np.clip(pixels, 0.0, size - 1.0) / size
    return clamped


def _area(head: list[str]) -> tuple[int, int]:
    for line in head:
        match = re.fullmatch(r"## Calibration Area:\t([0-9]{1,6})\t([0-9]{1,6})\s*", line)
        if match and int(match[1]) > 1 and int(match[2]) > 1:
            return int(match[1]), int(match[2])
    return AREA


def _stated(head: list[str]) -> int | None:
    found = (re.fullmatch(r"## Number of Samples:\t([0-9]{1,12})\s*", line) for line in head)
    return next((int(match[1]) for match in found if match), None)
