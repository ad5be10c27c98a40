"""Gaze files as Readings on the video's own clock, whichever tracker wrote them.

A reading of kind `gaze` holds instants with `point` (n, 2) float64, x right and y down as fractions of
the full upright frame, `type` (n,) int8, one of the codes of `ego.gaze`, and `blink` (n,) bool. The point of an
untracked sample is (0, 0); that of a truncated one is held at the frame's edge.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.gaze import TRUNCATED, UNKNOWN, UNTRACKED
from ego.signals.table import read_table, whole
from ego.video import Reading

BACK_SECONDS = 10.0
"""How far a file's times may jump back (a session of EGTEA does, by 4 s) before it is taken for a damaged one."""

EGO4D_COLUMNS = ("canonical_timestamp_s", "confidence", "norm_pos_x", "norm_pos_y")
EGOEXO_COLUMNS = ("frame_num", "x", "y")


def gaze_reading(
    seconds: NDArray[np.float64],
    point: NDArray[np.float64],
    kinds: NDArray[np.int8],
    blink: NDArray[np.bool_] | None = None,
    sources: Sequence[str] = (),
    confidence: NDArray[np.float64] | None = None,
) -> Reading:
    """Samples as a reading in the order of their times; `point` is in fractions of the frame, not yet clamped.

    Times that are no numbers or run backwards, by more than ten seconds at once or again and again, are a BadRequest.
    """
    _check_times(seconds, sources)
    order = np.argsort(seconds, kind="stable")
    held = np.where((kinds == UNTRACKED)[:, None], 0.0, np.clip(point, 0.0, 1.0))
    blinks = np.zeros(len(kinds), bool) if blink is None else blink
    arrays = {"point": held[order], "type": kinds[order].astype(np.int8), "blink": blinks[order]}
    if confidence is not None:
        arrays["confidence"] = np.nan_to_num(confidence)[order].astype(np.float32)
    written = tuple(sources[index] for index in order) if sources else ()
    return Reading("gaze", np.repeat(seconds[order], 2).reshape(-1, 2), arrays, written)


def _check_times(seconds: NDArray[np.float64], sources: Sequence[str]) -> None:
    bad = np.flatnonzero(~np.isfinite(seconds))
    if len(bad):
        raise BadRequest(f"{_place(sources, int(bad[0]))}: got gaze without a time, expected seconds")
    falls = np.diff(seconds)
    back = np.flatnonzero(falls < 0)
    if not len(back) or (falls.min() >= -BACK_SECONDS and len(back) <= max(3, len(seconds) // 100)):
        return
    worst = int(np.argmin(falls)) + 1
    raise BadRequest(
        f"{_place(sources, worst)}: got gaze at {seconds[worst]:g} s after gaze at {seconds[worst - 1]:g} s "
        f"({len(back)} of {len(seconds)} times run backwards), expected one recording in the order of time"
    )


def _place(sources: Sequence[str], row: int) -> str:
    return sources[row] if sources else f"sample {row + 1}"


def shifted(reading: Reading, start: float, stop: float) -> Reading:
    """What of a reading lies in [start, stop) seconds, on the clock of a video cut out at `start`."""
    inside = (reading.seconds[:, 0] >= start) & (reading.seconds[:, 0] < stop)
    arrays = {name: array[inside] for name, array in reading.arrays.items()}
    sources = (
        tuple(source for source, kept in zip(reading.sources, inside, strict=True) if kept) if reading.sources else ()
    )
    return Reading(reading.kind, reading.seconds[inside] - start, arrays, sources)


def read_ego4d_gaze(path: Path) -> Reading:
    """The gaze of an Ego4D csv: Pupil's origin at the bottom left is turned, `confidence` is kept beside.

    The file does not tell fixations from saccades, so what is tracked is unknown, or truncated where it lies
    outside the frame; how sure a sample must be is said by who uses it.
    """
    _, lines = read_table(path, EGO4D_COLUMNS)
    rows = np.array([[line.number(name) for name in EGO4D_COLUMNS] for line in lines])
    rows = rows.reshape(-1, 4)
    seconds, confidence, point = rows[:, 0], rows[:, 1], np.stack([rows[:, 2], 1.0 - rows[:, 3]], axis=1)
    with np.errstate(invalid="ignore"):
        lost = ~np.isfinite(point).all(axis=1)
        outside = ((point < 0) | (point > 1)).any(axis=1)
    kinds = np.where(lost, UNTRACKED, np.where(outside, TRUNCATED, UNKNOWN)).astype(np.int8)
    sources = [line.source for line in lines]
    return gaze_reading(seconds, np.nan_to_num(point), kinds, sources=sources, confidence=confidence)


def read_egoexo_gaze(path: Path, size: tuple[int, int] = (1408, 1408), rate: float = 10.0) -> Reading:
    """The gaze of an EgoExo4D `*_eye_gaze_2d.csv`: pixels of the upright RGB camera, row k at `frame_num` / `rate`.

    What is tracked is unknown (fixations are not told apart), or truncated outside the frame; a row
    without numbers is untracked.
    """
    _, lines = read_table(path, EGOEXO_COLUMNS)
    number = np.array([whole(line.text("frame_num"), "'frame_num'", line.source) for line in lines], np.float64)
    point = np.array([[line.number(name) for name in ("x", "y")] for line in lines])
    point = point.reshape(-1, 2) / np.asarray(size, np.float64)
    with np.errstate(invalid="ignore"):
        outside = ((point < 0) | (point >= 1)).any(axis=1)
    lost = ~np.isfinite(point).all(axis=1)
    kinds = np.where(lost, UNTRACKED, np.where(outside, TRUNCATED, UNKNOWN)).astype(np.int8)
    return gaze_reading(number / rate, np.nan_to_num(point), kinds, sources=[line.source for line in lines])
