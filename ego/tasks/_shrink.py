"""Maps made small: by the area that each cell covers, or by reading between pixels."""

from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 64_000_000


def shrink(maps: NDArray[Any], size: int, way: Literal["area", "bilinear"] = "area") -> NDArray[np.float32]:
    """(n, size, size) of maps (n, height, width), whatever their sides; of maps without a pixel: 0.

    `area` is the mean over what a cell covers, pixels at its edges in part, so that the mean of a map stays.
    `bilinear` reads the map at the cell's centre between four pixels, without smoothing first.
    """
    count, height, width = maps.shape
    found = np.zeros((count, size, size), np.float32)
    if not height * width:
        return found
    down, across = _weights(height, size, way), _weights(width, size, way)
    step = max(1, CHUNK_BYTES // (4 * height * width))
    for start in range(0, count, step):
        found[start : start + step] = down @ maps[start : start + step].astype(np.float32) @ across.T
    return found


@cache
def _weights(held: int, count: int, way: str) -> NDArray[np.float32]:
    """(count, held) what each pixel of a side adds to each cell."""
    edges = np.arange(count + 1) * held / count
    if way == "area":
        low, high = np.arange(held), np.arange(1, held + 1)
        covered = np.minimum(edges[1:, None], high) - np.maximum(edges[:-1, None], low)
        return np.asarray(np.clip(covered, 0, None) * count / held, np.float32)
    at = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, held - 1)
    weights = np.clip(1 - np.abs(at[:, None] - np.arange(held)), 0, None)
    return np.asarray(weights, np.float32)
