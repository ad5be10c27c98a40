"""Eye gaze and hands of Project Aria's machine perception (MPS) csv files, on a video's own clock.

MPS speaks in microseconds of the device. `start_us` is the device's time at the video's second 0: the
first RGB frame's capture time. Columns come and go with the model and the device, so each is looked up by name.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.signals.table import Line, read_table
from ego.video import Reading

HALF_EYES_METRES = 0.0315
"""Half the distance of the two eyes in the central pupil frame."""

SIDES = ("left", "right")
LANDMARKS = 21


def read_aria_gaze(path: Path, start_us: int) -> Reading:
    """A reading of kind `gaze_ray`: where the eyes point in the central pupil frame (Z forward, X left, Y up).

    `direction` (n, 3) is the unit vector, `depth` (n,) metres to where the two eyes' rays meet (0: not
    estimated) and `width` (n, 2) how wide the intervals of yaw and pitch are, in radians (0: not given).
    Without a camera's calibration a ray has no pixel, so none is made up.
    """
    header, lines = read_table(path, ["tracking_timestamp_us", *_needed(path)])
    columns = {name: _column(lines, name) for name in header if name.endswith("_cpf") or name == "depth_m"}
    pitch = columns.get("pitch_rads_cpf")
    if pitch is None:
        pitch = (columns["left_pitch_rads_cpf"] + columns["right_pitch_rads_cpf"]) / 2
    if "left_yaw_rads_cpf" in columns:
        yaw, met = vergence(columns["left_yaw_rads_cpf"], columns["right_yaw_rads_cpf"], pitch)
    else:
        yaw, met = columns["yaw_rads_cpf"], np.zeros(len(lines))
    with np.errstate(invalid="ignore"):
        direction = np.stack([np.tan(yaw), np.tan(pitch), np.ones(len(lines))], axis=1)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    stated = columns.get("depth_m", np.full(len(lines), np.nan))
    arrays = {
        "direction": direction,
        "depth": np.where(np.isfinite(stated) & (stated > 0), stated, np.where(np.isfinite(met), met, 0.0)),
        "width": np.stack([_width(columns, "yaw", len(lines)), _width(columns, "pitch", len(lines))], axis=1),
    }
    tracked = np.isfinite(direction).all(axis=1)
    return _reading("gaze_ray", lines, start_us, arrays, tracked)


def vergence(
    left_yaw: NDArray[np.float64], right_yaw: NDArray[np.float64], pitch: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(yaw, depth): the combined yaw in radians and metres to where the rays of both eyes meet.

    Rays that do not meet in front have depth 0 and the mean yaw.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = np.tan(left_yaw), np.tan(right_yaw)
        ahead = 2 * HALF_EYES_METRES / (right - left)
        aside = ahead * (left + right) / 2
        depth = np.sqrt(aside**2 + (ahead * np.tan(pitch)) ** 2 + ahead**2)
        meet = np.isfinite(ahead) & (ahead > 0)
        yaw = np.where(meet, np.arctan2(aside, ahead), (left_yaw + right_yaw) / 2)
    return yaw, np.where(meet, depth, 0.0)


def read_aria_hands(path: Path, start_us: int) -> Reading:
    """A reading of kind `hands_3d`: points of both hands in metres of the device's frame.

    `points` is (n, 2, k, 3), the left hand first, with the 21 landmarks of hand tracking results or
    wrist and palm (k = 2) of the older poses; `confidence` (n, 2) is in [0, 1], and 0 where a hand is
    not tracked (MPS writes -1) and its points are 0.
    """
    header, lines = read_table(path, ["tracking_timestamp_us", *(f"{side}_tracking_confidence" for side in SIDES)])
    full = "tx_left_landmark_0_device" in header
    names = [f"landmark_{number}" for number in range(LANDMARKS)] if full else ["wrist", "palm"]
    wanted = [f"t{axis}_{side}_{name}_device" for side in SIDES for name in names for axis in "xyz"]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise BadRequest(f"{path.name}, line 1: no column {missing[0]!r}, expected hand tracking results of MPS")
    points = np.stack([_column(lines, name) for name in wanted], axis=1).reshape(len(lines), 2, len(names), 3)
    sure = np.stack([_column(lines, f"{side}_tracking_confidence") for side in SIDES], axis=1)
    sure = np.where(np.isfinite(sure) & (sure > 0) & np.isfinite(points).all(axis=(2, 3)), sure, 0.0)
    arrays = {"points": np.where(sure[:, :, None, None] > 0, points, 0.0), "confidence": sure}
    return _reading("hands_3d", lines, start_us, arrays, np.ones(len(lines), bool))


def _reading(
    kind: str, lines: list[Line], start_us: int, arrays: dict[str, NDArray[np.float64]], tracked: NDArray[np.bool_]
) -> Reading:
    """The tracked rows as instants, in the order of their times."""
    clock = [line.whole("tracking_timestamp_us") - start_us for line in lines]
    seconds = np.array(clock, np.float64) / 1e6
    order = np.argsort(seconds, kind="stable")
    kept = order[tracked[order]]
    return Reading(kind, np.repeat(seconds[kept], 2).reshape(-1, 2), {key: one[kept] for key, one in arrays.items()})


def _needed(path: Path) -> list[str]:
    """The columns of the model that wrote the file: of both eyes, or of one combined direction."""
    header, _ = read_table(path, [])
    yaw = ["left_yaw_rads_cpf", "right_yaw_rads_cpf"] if "left_yaw_rads_cpf" in header else ["yaw_rads_cpf"]
    both = ["left_pitch_rads_cpf", "right_pitch_rads_cpf"]
    return yaw + (both if both[0] in header and "pitch_rads_cpf" not in header else ["pitch_rads_cpf"])


def _column(lines: list[Line], name: str) -> NDArray[np.float64]:
    """(n,) a column as numbers; an empty cell is NaN."""
    values = np.empty(len(lines))
    for row, line in enumerate(lines):
        text = line.cells[name]
        try:
            values[row] = float(text) if text else np.nan
        except ValueError:
            raise BadRequest(f"{line.source}: got {text!r} as {name!r}, expected a number") from None
    return values


def _width(columns: dict[str, NDArray[np.float64]], angle: str, rows: int) -> NDArray[np.float64]:
    """(n,) high less low of an angle, of the left eye where both are given; 0 where it is not."""
    for name in (angle, f"left_{angle}"):
        low, high = columns.get(f"{name}_low_rads_cpf"), columns.get(f"{name}_high_rads_cpf")
        if low is not None and high is not None:
            return np.nan_to_num(high - low)
    return np.zeros(rows)
