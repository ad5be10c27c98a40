"""What a gaze sample means, the value of a frame that has several or none, and its heatmap: arithmetic, no files.

A reading of kind `gaze` holds instants with `point` (n, 2), x right and y down as fractions of the full upright
frame, `type` (n,), one of the codes below, and where its tracker tells them `blink` (n,) and `confidence` (n,).
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ego.video import Reading

UNTRACKED, FIXATION, SACCADE, UNKNOWN, TRUNCATED = range(5)
"""Types of a sample: no gaze, at rest, moving, neither (a blink, an event without a name), outside the frame."""

PREFERENCE = (FIXATION, SACCADE, UNKNOWN, TRUNCATED)
"""Which samples speak for a frame: those of the first of these types that it has."""

SEEN = (FIXATION, SACCADE, UNKNOWN)
"""Types whose point is where the eyes look in the frame."""

SLACK_SECONDS = 0.0005
"""How far before a frame's stated time a sample may stand and still be that frame's: clocks are rounded."""

Label = Literal["median", "nearest", "pairwise"]
Points = NDArray[np.float64]
Types = NDArray[np.int8]


def by_frame(
    reading: Reading, edges: NDArray[np.float64], label: Label = "median", least_confidence: float = 0.6
) -> tuple[Points, Types, NDArray[np.bool_]]:
    """(point, type, blink) of each frame of a gaze reading; frame i is on display from edges[i] to edges[i + 1].

    `median`: the median of the frame's fixation samples, where it has none of its saccade samples, then unknown,
    then truncated ones. `pairwise`: its tracked samples folded in order, (old + new) / 2, with the type of the
    last (EGTEA's reader). `nearest`: the sample nearest to the frame's start, at most a frame or a usual step of
    the samples away (Ego4D). A frame without a tracked sample is untracked at (0, 0). Samples below
    `least_confidence` are untracked where the reading has `confidence`.
    """
    point, kinds = _clean(reading, least_confidence)
    blinks = np.asarray(reading.arrays.get("blink", np.zeros(len(kinds), bool)), bool)
    seconds = reading.seconds[:, 0]
    if label == "nearest":
        return _nearest(point, kinds, blinks, seconds, edges)
    frames = len(edges) - 1
    home = np.searchsorted(edges - SLACK_SECONDS, seconds, side="right") - 1
    inside = (home >= 0) & (home < frames)
    blink = np.zeros(frames, bool)
    blink[home[inside & blinks]] = True
    if label == "pairwise":
        return *_folded(point, kinds, home, inside, frames), blink
    return *_medians(point, kinds, home, inside, frames), blink


def _clean(reading: Reading, least_confidence: float) -> tuple[Points, Types]:
    """Points inside the frame and types that say where they were not."""
    point = np.asarray(reading.arrays["point"], np.float64)
    kinds = np.asarray(reading.arrays["type"]).astype(np.int8)
    lost = ~np.isfinite(point).all(axis=1)
    if "confidence" in reading.arrays:
        lost |= ~(np.asarray(reading.arrays["confidence"], np.float64) >= least_confidence)
    with np.errstate(invalid="ignore"):
        outside = ((point < 0) | (point > 1)).any(axis=1) & (kinds != UNTRACKED)
    kinds = np.where(lost, UNTRACKED, np.where(outside, TRUNCATED, kinds)).astype(np.int8)
    return np.where((kinds == UNTRACKED)[:, None], 0.0, np.clip(point, 0.0, 1.0)), kinds


def _medians(
    point: Points, kinds: Types, home: NDArray[np.int64], inside: NDArray[np.bool_], frames: int
) -> tuple[Points, Types]:
    value, kind = np.zeros((frames, 2)), np.full(frames, UNTRACKED, np.int8)
    for preferred in PREFERENCE:
        rows = np.flatnonzero(inside & (kinds == preferred))
        rows = rows[kind[home[rows]] == UNTRACKED]
        rows = rows[np.argsort(home[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(home[rows], prepend=-1))
        for group in np.split(rows, starts[1:]) if len(rows) else []:
            value[home[group[0]]] = np.median(point[group], axis=0)
            kind[home[group[0]]] = preferred
    return value, kind


def _folded(
    point: Points, kinds: Types, home: NDArray[np.int64], inside: NDArray[np.bool_], frames: int
) -> tuple[Points, Types]:
    value, kind = np.zeros((frames, 2)), np.full(frames, UNTRACKED, np.int8)
    for row in np.flatnonzero(inside & (kinds != UNTRACKED)):
        frame = home[row]
        value[frame] = point[row] if kind[frame] == UNTRACKED else (value[frame] + point[row]) / 2
        kind[frame] = kinds[row]
    return value, kind


def _nearest(
    point: Points, kinds: Types, blinks: NDArray[np.bool_], seconds: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[Points, Types, NDArray[np.bool_]]:
    starts, lengths = edges[:-1], np.diff(edges)
    if not len(seconds):
        return np.zeros((len(starts), 2)), np.full(len(starts), UNTRACKED, np.int8), np.zeros(len(starts), bool)
    after = np.clip(np.searchsorted(seconds, starts), 0, len(seconds) - 1)
    before = np.maximum(after - 1, 0)
    chosen = np.where(np.abs(seconds[before] - starts) <= np.abs(seconds[after] - starts), before, after)
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    near = np.abs(seconds[chosen] - starts) <= np.maximum(lengths, step) + SLACK_SECONDS
    kind = np.where(near, kinds[chosen], UNTRACKED).astype(np.int8)
    value = np.where((kind == UNTRACKED)[:, None], 0.0, point[chosen])
    return value, kind, near & blinks[chosen]


def heatmap(
    point: NDArray[np.floating],
    valid: NDArray[np.bool_],
    shape: tuple[int, int],
    sigma: float | None = None,
    kind: Literal["peak", "prob"] = "peak",
    centres: Literal["half", "whole"] = "half",
) -> NDArray[np.float32]:
    """(n, height, width) Gaussians around points (n, 2) in fractions of what the map shows; zeros where not valid.

    `sigma` is in cells (default height / 2, as STAM). `peak` maps are 1 at the point, `prob` maps sum to 1. Column
    j is compared with x * width at its centre j + 0.5, or at j with `centres` whole (STAM's released code).
    Source: Lu et al. 2019 (STAM), equations 2 and 3.
    """
    height, width = shape
    spread = height / 2 if sigma is None else sigma
    offset = 0.5 if centres == "half" else 0.0
    at = np.asarray(point, np.float64)
    across = np.exp(-((np.arange(width) + offset - at[:, :1] * width) ** 2) / (2 * spread**2))
    down = np.exp(-((np.arange(height) + offset - at[:, 1:] * height) ** 2) / (2 * spread**2))
    if kind == "prob":
        across, down = _to_one(across), _to_one(down)
    maps = down[:, :, None] * across[:, None, :] * np.asarray(valid, np.float64)[:, None, None]
    return maps.astype(np.float32)


def kernel_heatmap(
    point: NDArray[np.floating], valid: NDArray[np.bool_], shape: tuple[int, int], kernel: int
) -> NDArray[np.float32]:
    """(n, height, width) maps that sum to 1: a square Gaussian of `kernel` cells about the rounded point.

    It is cut at the map's edge. Its sigma is 0.3 * ((kernel - 1) / 2 - 1) + 0.8. Zeros where not valid. Source:
    Lai et al. 2022 (GLC), at a quarter of the picture's size with 19 cells.
    """
    height, width = shape
    half = (kernel - 1) // 2
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    across, down = (
        _cut_gaussian(np.rint(np.asarray(point, np.float64)[:, axis] * side), side, half, sigma)
        for axis, side in ((0, width), (1, height))
    )
    maps = down[:, :, None] * across[:, None, :] * np.asarray(valid, np.float64)[:, None, None]
    total = maps.sum(axis=(1, 2), keepdims=True)
    found: NDArray[np.float32] = (maps / np.where(total > 0, total, 1.0)).astype(np.float32)
    return found


def _cut_gaussian(middle: Points, side: int, half: int, sigma: float) -> Points:
    far = np.arange(side) - middle[:, None]
    return np.asarray(np.where(np.abs(far) <= half, np.exp(-(far**2) / (2 * sigma**2)), 0.0))


def _to_one(weights: Points) -> Points:
    """Rows that sum to 1; one of nothing stays so."""
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), math.ulp(0.0)))
