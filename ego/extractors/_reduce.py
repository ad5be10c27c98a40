"""Motion maps made small as they are read: 7, 14 or 28 cells a side, as the networks that learn from them see them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def area_mean(maps: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """(..., height, width) the mean of each cell of maps (..., H, W); a pixel on an edge counts by its area."""
    down, across = _shares(maps.shape[-2], height), _shares(maps.shape[-1], width)
    return np.asarray(down @ maps.astype(np.float32) @ across.T, np.float32)


def occupied(maps: NDArray[Any], side: int = 7, above: float = 0.0) -> NDArray[np.bool_]:
    """(..., side, side) the cells of which more than the share `above` is set; 0: any pixel (FPAR's target)."""
    # a cell without any pixel may come out as a rounding error, not as 0
    return np.asarray(area_mean(maps, side, side) > max(above, 1e-7))


def _shares(pixels: int, cells: int) -> NDArray[np.float32]:
    """(cells, pixels) the share of each cell that each pixel covers; rows sum to 1."""
    edges = np.arange(cells + 1) * (pixels / cells)
    start, stop = edges[:-1, None], edges[1:, None]
    pixel = np.arange(pixels)
    covered = np.minimum(stop, pixel + 1) - np.maximum(start, pixel)
    return np.asarray(np.clip(covered, 0, None) * (cells / pixels), np.float32)
