"""Gaze as text of SMI BeGaze: 8 columns in version 3.1, 27 in 3.4; TABs, CRLF, pixels of 1280 x 960."""

import numpy as np

from ego.datasets.kitchen.paths import SACCADE, UNTRACKED
from ego.datasets.kitchen.truth import Arrays

RATE = 30
"""Samples a second."""

OLD = ("Time", "Type", "Trial", "L POR X [px]", "L POR Y [px]", "Frame", "Aux1", "L Event Info")
NEW = (
    "Time", "Type", "Trial", "L Dia [mm]", "R Dia [mm]", "B POR X [px]", "B POR Y [px]", "L POR X [px]", "L POR Y [px]",
    "R POR X [px]", "R POR Y [px]", "B AOI Hit", "L EPOS X", "L EPOS Y", "L EPOS Z", "R EPOS X", "R EPOS Y", "R EPOS Z",
    "L GVEC X", "L GVEC Y", "L GVEC Z", "R GVEC X", "R GVEC Y", "R GVEC Z", "Frame", "Aux1", "B Event Info",
)  # fmt: skip


def text(known: Arrays, fps: float, seconds: float, old: bool) -> str:
    """The export of one session."""
    rows = []
    for sample in range(int(seconds * RATE)):
        frame = min(int(sample / RATE * fps), len(known["gaze"]) - 1)
        kind = int(known["gaze_type"][frame])
        point = known["gaze"][frame] * (1280, 960)
        event = "Blink" if kind == UNTRACKED else "Saccade" if kind == SACCADE else "Fixation"
        time = str(2_686_472_168 + sample * 1_000_000 // RATE)
        rows.append(_old(time, point, frame, event) if old else _new(time, point, frame, event))
    return "".join(f"{line}\r\n" for line in [*_head(len(rows), old), "\t".join(OLD if old else NEW), *rows])


def _old(time: str, point: np.typing.NDArray[np.float64], frame: int, event: str) -> str:
    x, y = (0.0, 0.0) if event == "Blink" else point
    return "\t".join([time, "SMP", "1", f"{x:.2f}", f"{y:.2f}", str(frame), "", event])


def _new(time: str, point: np.typing.NDArray[np.float64], frame: int, event: str) -> str:
    both = ["NaN", "NaN"] if event == "Blink" else [f"{point[0]:.2f}", f"{point[1]:.2f}"]
    each = ["0.00", "0.00"] if event == "Blink" else both
    eyes = ["32.93", "6.74", "-27.60", "-30.41", "1.50", "-22.04", "-0.05", "-0.11", "0.99", "-0.21", "-0.13", "0.97"]
    second, part = divmod(frame, 24)
    code = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{part:02d}"
    return "\t".join([time, "SMP", "1", "3.30", "3.46", *both, *each, *each, "-", *eyes, code, "", event])


def _head(samples: int, old: bool) -> list[str]:
    """The 33 lines before the names of the columns."""
    version = "BeGaze 3.1.77" if old else "BeGaze 3.4.46"
    lines = ["## [BeGaze]", "## Converted from:\tkitchen.idf", "## Date:\t01.01.0001 00:00:00",
             f"## Version:\t{version}", "## IDF Version:\t10",
             f"## Sample Rate:\t{RATE}", "## Separator Type:\tTrial", "## Trial Count:\t0",
             "## Uses Plane File:\tFalse"]  # fmt: skip
    lines += [] if old else ["## Stimulus:\tkitchen"]
    lines += [f"## Number of Samples:\t{samples}", "## Reversed:\tnone", "## [Run]", "## Subject:\tkitchen",
              "## Description:\tRun1", "## [Calibration]"]  # fmt: skip
    lines += ["## Calibration Type:\tn.a."] if old else []
    lines += ["## Calibration Area:\t1280\t960", "## [Geometry]", "## Stimulus Dimension [mm]:\t1280\t960",
              "## Head Distance [mm]:\t1450"]  # fmt: skip
    return lines + ["##"] * (33 - len(lines))
