"""Whether rows are numbers: the store takes no others, but a pack or an entry may be another program's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.cache.pack import Pack
from ego.errors import BadRequest
from ego.pipeline.clips import Problem

BLOCK_BYTES = 2**24


def check_finite(own: str, packed: Pack, problem: Problem) -> None:
    """Nothing, or a BadRequest that names the video of the first row that holds NaN or an infinity."""
    for name in packed.arrays:
        row = first_not_finite(packed[name])
        if row is None:
            continue
        entry = int(np.searchsorted(packed.offsets, row, side="right")) - 1
        key = packed.keys[entry]
        raise BadRequest(
            f"{own} of {problem.videos[key.video].name!r} holds a value that is no number near "
            f"{packed.time[row, 1]:.2f} s; delete the entry {key.path} and extract it again"
        )


def first_not_finite(rows: NDArray[Any]) -> int | None:
    """The first row that holds NaN or an infinity; None where all are finite."""
    if rows.dtype.kind != "f" or not rows.size:
        return None
    step = max(1, BLOCK_BYTES // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        odd = _odd(np.ascontiguousarray(block)).reshape(len(block), -1)
        if odd.any():
            return start + int(np.flatnonzero(odd.any(axis=1))[0])
    return None


def _odd(block: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the exponent is all ones; half floats are looked at as integers, which is many times faster."""
    if block.dtype == np.float16:
        return np.asarray((block.view(np.uint16) & 0x7C00) == 0x7C00)
    return np.asarray(~np.isfinite(block))
