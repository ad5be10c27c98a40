"""Features over time as colour: three principal components as red, green and blue."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FIT_ROWS, FIT_VALUES = 2000, 4096


def flat(array: NDArray[np.generic]) -> NDArray[np.float32]:
    """(rows, values) float32 of an array (rows, ...); of large rows an evenly spaced 4096 values."""
    rows = array.reshape(len(array), -1)
    step = -(-rows.shape[1] // FIT_VALUES) if rows.shape[1] else 1
    return np.asarray(rows[:, ::step], np.float32)


def norms(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows,) root mean square of each row; NaN where a row is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=1))
    return np.where(np.isfinite(found), found, np.nan).astype(np.float32)


def colours(rows: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(rows, 3) uint8: the three leading principal components of (rows, values), each stretched over its range.

    Equal rows get equal colours; a component with no variance is mid-grey. Signs are fixed, so the same
    features always look the same.
    """
    if rows.size == 0:
        return np.full((len(rows), 3), 128, np.uint8)
    sound = np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)
    sample = sound[:: -(-len(sound) // FIT_ROWS)]
    mean = sample.mean(axis=0)
    _, spread, axes = np.linalg.svd(sample - mean, full_matrices=False)
    axes = axes[:3] * np.sign(axes[np.arange(len(axes[:3])), np.abs(axes[:3]).argmax(axis=1)])[:, None]
    found = np.full((len(rows), 3), 0.5)
    for index, axis in enumerate(axes):
        if spread[index] <= 1e-6 * max(float(np.abs(sample).max()), 1e-12):
            continue
        values = (sound - mean) @ axis
        low, high = np.percentile(values, (2, 98))
        found[:, index] = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    pixels: NDArray[np.uint8] = np.rint(found * 255).astype(np.uint8)
    return pixels


def ansi(pixels: NDArray[np.uint8], width: int = 60) -> str:
    """A line of at most `width` blocks in 24-bit terminal colour, from (rows, 3) uint8."""
    return "".join(f"\033[38;2;{r};{g};{b}m█" for r, g, b in resampled(pixels, width)) + "\033[0m"


def resampled(pixels: NDArray[np.uint8], width: int) -> Sequence[tuple[int, int, int]]:
    """The colours of at most `width` equal parts, each the mean of its rows."""
    parts = np.array_split(pixels.astype(np.float64), min(width, len(pixels))) if len(pixels) else []
    return [(int(r), int(g), int(b)) for r, g, b in (part.mean(axis=0).round() for part in parts)]
