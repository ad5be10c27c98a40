"""Which stored gaze or hands are labels, and how they are read: for the tasks of points and of maps about them."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.gaze import FIXATION, SEEN
from ego.tasks._base import Target

MISSING = -1.0
"""What a masked label holds: no fraction of a view."""


def gaze_counts(types: NDArray[Any], kinds: Literal["tracked", "fixation"]) -> NDArray[np.bool_]:
    """(rows,) whether the eyes look into the frame, or rest on it."""
    return np.isin(types, SEEN if kinds == "tracked" else (FIXATION,))


def points_of(
    stored: Mapping[str, NDArray[Any]],
    points: str,
    valid: str,
    count: int,
    kinds: Literal["tracked", "fixation"],
    sides: bool = False,
) -> Target:
    """`count` points a row (rows, count, 2) from an array of points and one that says which of them are there.

    That is truth values, or the types of gaze samples. Arrays of other sizes or numbers than that are a BadRequest.
    """
    there = np.asarray(stored[valid])
    if there.dtype.kind not in "biu":
        raise BadRequest(
            f"got {valid!r} of {there.dtype}, expected truth values or the types of gaze; name another array"
        )
    there = there if there.dtype == bool else gaze_counts(there, kinds)
    found = np.asarray(stored[points], np.float32)
    rows = len(found)
    if found.size != rows * count * 2 or there.size != rows * count:
        raise BadRequest(
            f"got {points!r} of {list(found.shape[1:])} and {valid!r} of {list(there.shape[1:])} a row, expected "
            f"{count} points and whether each is there; name other arrays, or whose points they are"
        )
    return Target(found.reshape(rows, count, 2), there.reshape(rows, count), "points", sides)
