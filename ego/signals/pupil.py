"""Gaze as Pupil Labs' programs export it: Pupil Player (Core) and Pupil Cloud (Neon, Invisible), on the video's clock.

Both write the times of the scene camera's pictures beside (`world_timestamps.csv`): the first of them is the video's
second 0. What was measured before it is left out.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.gaze import FIXATION, SACCADE, TRUNCATED, UNKNOWN, UNTRACKED
from ego.signals.gaze import gaze_reading, shifted
from ego.signals.table import read_table
from ego.video import Reading

PLAYER_GAZE, PLAYER_WORLD = "gaze_positions.csv", "world_timestamps.csv"
CLOUD_GAZE = "gaze.csv"
SCENE = (1600, 1200)
"""Width and height in pixels of Neon's scene camera; Invisible's has 1088 x 1080."""

PLAYER_CLOCK = ("timestamps [seconds]", "# timestamps [seconds]")
STAMP, BEGIN, END = "timestamp [ns]", "start timestamp [ns]", "end timestamp [ns]"
POINT = ("gaze x [px]", "gaze y [px]")


def is_export(folder: Path) -> bool:
    """Whether a folder holds an export of one of the two programs."""
    return any((folder / name).is_file() for name in (PLAYER_GAZE, CLOUD_GAZE))


def read_export(folder: Path, size: tuple[int, int] = SCENE) -> Reading:
    """The gaze of an export's folder, whichever program wrote it; `size` is that of pixels, see `read_cloud_gaze`."""
    if (folder / PLAYER_GAZE).is_file():
        return read_player_gaze(folder)
    return read_cloud_gaze(folder, size)


def read_player_gaze(folder: Path) -> Reading:
    """The gaze of Pupil Player's raw data export: `gaze_positions.csv`, and `fixations.csv`, `blinks.csv` if there.

    Points have their origin at the bottom left and are turned; `confidence` is kept beside. A sample within a
    fixation's time is one; any other that is tracked is unknown, or truncated outside the frame.
    """
    header, lines = read_table(folder / PLAYER_WORLD, [])
    clock = next((name for name in PLAYER_CLOCK if name in header), None)
    if clock is None or not lines:
        raise BadRequest(f"{folder / PLAYER_WORLD}: no column {PLAYER_CLOCK[0]!r} with times, expected Pupil Player's")
    start = lines[0].number(clock)
    names = ("gaze_timestamp", "confidence", "norm_pos_x", "norm_pos_y")
    _, lines = read_table(folder / PLAYER_GAZE, names)
    rows = np.array([[line.number(name) for name in names] for line in lines]).reshape(-1, 4)
    seconds = rows[:, 0] - start
    point = np.stack([rows[:, 2], 1.0 - rows[:, 3]], axis=1)
    fixed = _within(seconds, _spans(folder / "fixations.csv", "start_timestamp", "duration", 1e-3, start))
    blink = _within(seconds, _spans(folder / "blinks.csv", "start_timestamp", "duration", 1.0, start))
    kinds = _types(point, np.isfinite(point).all(axis=1), fixed, np.zeros(len(fixed), bool))
    sources = [line.source for line in lines]
    reading = gaze_reading(seconds, np.nan_to_num(point), kinds, blink, sources, rows[:, 1])
    return shifted(reading, 0.0, math.inf)


def read_cloud_gaze(folder: Path, size: tuple[int, int] = SCENE) -> Reading:
    """The gaze of Pupil Cloud's time series: `gaze.csv` in pixels, and `saccades.csv` if there.

    A sample with a fixation's number is one, one within a saccade's time is one, one with a blink's number is
    unknown; glasses not worn are untracked. `size` is the scene camera's (width, height).
    """
    _, world = read_table(folder / PLAYER_WORLD, [STAMP])
    if not world:
        raise BadRequest(f"{folder / PLAYER_WORLD} holds no times, expected those of the scene camera's pictures")
    start = world[0].stamp(STAMP)
    header, lines = read_table(folder / CLOUD_GAZE, [STAMP, *POINT])
    seconds = np.array([line.stamp(STAMP) - start for line in lines], np.float64) / 1e9
    point = np.array([[line.number(name) for name in POINT] for line in lines]).reshape(-1, 2) / size
    worn = np.array(["worn" not in header or line.cells["worn"] not in ("0", "0.0", "False") for line in lines], bool)
    fixed, blink = (
        np.array([name in header and line.cells[name] != "" for line in lines], bool)
        for name in ("fixation id", "blink id")
    )
    moving = _within(seconds, _stamped(folder / "saccades.csv", start))
    kinds = _types(point, worn & np.isfinite(point).all(axis=1), fixed & ~blink, moving & ~blink)
    reading = gaze_reading(seconds, np.nan_to_num(point), kinds, blink, [line.source for line in lines])
    return shifted(reading, 0.0, math.inf)


def _types(
    point: NDArray[np.float64], tracked: NDArray[np.bool_], fixed: NDArray[np.bool_], moving: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """(n,) types: untracked before truncated before what the program's events say."""
    with np.errstate(invalid="ignore"):
        outside = ((point < 0) | (point > 1)).any(axis=1)
    named = np.where(fixed, FIXATION, np.where(moving, SACCADE, UNKNOWN))
    return np.where(~tracked, UNTRACKED, np.where(outside, TRUNCATED, named)).astype(np.int8)


def _spans(path: Path, begin: str, lasts: str, unit: float, start: float) -> NDArray[np.float64]:
    """(k, 2) seconds of events by start and duration (in `unit` seconds); none where there is no such file."""
    if not path.is_file():
        return np.empty((0, 2))
    _, lines = read_table(path, [begin, lasts])
    found = [(line.number(begin) - start, line.number(lasts) * unit) for line in lines]
    return np.array([(first, first + length) for first, length in found], np.float64).reshape(-1, 2)


def _stamped(path: Path, start: int) -> NDArray[np.float64]:
    """(k, 2) seconds of events by their stamps in nanoseconds; none where there is no such file."""
    if not path.is_file():
        return np.empty((0, 2))
    _, lines = read_table(path, [BEGIN, END])
    found = [(line.stamp(BEGIN) - start, line.stamp(END) - start) for line in lines]
    return np.array(found, np.float64).reshape(-1, 2) / 1e9


def _within(seconds: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) whether each moment lies in a span, its ends included."""
    if not len(spans):
        return np.zeros(len(seconds), bool)
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    latest = np.maximum.accumulate(ordered[:, 1])
    place = np.searchsorted(ordered[:, 0], seconds, side="right") - 1
    return np.asarray((place >= 0) & (seconds <= latest[np.maximum(place, 0)]))
