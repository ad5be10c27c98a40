"""How well gaze is predicted: angles between points, and maps judged at the point that was looked at.

Maps are (n, height, width), points (n, 2) fractions of the frame, x right and y down; every function gives one value
a frame, so that who calls it says which frames count. A map's cell (i, j) covers the fractions from j / width to
(j + 1) / width and i / height to (i + 1) / height.
"""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Maps = NDArray[np.floating[Any]]
Size = tuple[float, float]

RELEASED_SIZE = (224.0, 224.0)
"""The picture in whose pixels the published errors are counted."""

POINT_SIGMA = 14.0
"""Pixels of the Gaussian that stands for a predicted point (`auc_point`)."""


def angular_error(
    predicted: NDArray[Any], gaze: NDArray[Any], size: Size = RELEASED_SIZE, view_degrees: float = 60.0
) -> Reals:
    """(n,) degrees between two points seen by a camera of `size` pixels that sees `view_degrees` across (AAE).

    Source: Huang et al. 2018, computed as hyf015/egocentric-gaze-prediction does on 224 x 224 pixels.
    """
    middle = np.array(size) / 2
    depth = middle[0] / math.tan(math.radians(view_degrees) / 2)
    rays = [np.asarray(point, np.float64) * np.array(size) - middle for point in (predicted, gaze)]
    dot = (rays[0] * rays[1]).sum(axis=1) + depth**2
    cross = np.hypot(
        depth * np.linalg.norm(rays[0] - rays[1], axis=1), rays[0][:, 0] * rays[1][:, 1] - rays[0][:, 1] * rays[1][:, 0]
    )
    return np.asarray(np.degrees(np.arctan2(cross, dot)))


def centre_of_mass(maps: Maps) -> Reals:
    """(n, 2) the mean of each map in fractions of the frame, each cell's weight at its middle; of nothing: 0.5."""
    weights = np.asarray(maps, np.float64)
    total = weights.sum(axis=(1, 2))
    across, down = ((np.arange(side) + 0.5) / side for side in (weights.shape[2], weights.shape[1]))
    found = np.stack([weights.sum(axis=1) @ across, weights.sum(axis=2) @ down], axis=1)
    return np.asarray(np.where(total[:, None] > 0, found / np.where(total > 0, total, 1.0)[:, None], 0.5))


def arg_max(maps: Maps) -> Reals:
    """(n, 2) the middle of each map's highest cell in fractions of the frame; of several the first."""
    height, width = maps.shape[1:]
    best = maps.reshape(len(maps), -1).argmax(axis=1)
    return np.stack([(best % width + 0.5) / width, (best // width + 0.5) / height], axis=1)


def cells(gaze: NDArray[Any], shape: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(row, column) of the cell that each point lies in, held inside the map."""
    height, width = shape
    at = np.floor(np.asarray(gaze, np.float64) * (width, height)).astype(np.int64)
    return np.clip(at[:, 1], 0, height - 1), np.clip(at[:, 0], 0, width - 1)


def auc(maps: Maps, gaze: NDArray[Any], way: Literal["exact", "judd_release"] = "exact") -> Reals:
    """(n,) area under the ROC curve of each map with the gazed cell as the only positive.

    `exact` is the chance that the gazed cell is above another, ties half (0 to 1, chance 0.5). `judd_release` is
    the published threshold rule, whose curve has one point in between with one gaze a frame: 1 - FP / 2, from
    0.5 to 1 with 0.75 by chance (Riche et al. 2013 and its public tools).
    """
    flat, at = _flat(maps, gaze)
    above, equal = (flat > at).sum(axis=1), (flat == at).sum(axis=1) - 1
    others = flat.shape[1] - 1
    if way == "exact":
        return np.asarray(1 - (above + 0.5 * equal) / others)
    return np.asarray(1 - (above + equal) / others / 2)


def auc_borji(maps: Maps, gaze: NDArray[Any], seed: int = 0, splits: int = 100, step: float = 0.1) -> Reals:
    """(n,) mean area over `splits` draws of one cell each as the negative, thresholds every `step` of the scaled map.

    Negatives are drawn uniformly with replacement, the gazed cell included (Riche et al. 2013).
    """
    return auc_borji_of_many(maps, [point[None] for point in np.asarray(gaze)], seed, splits, step)


def auc_borji_of_many(
    maps: Maps, gazes: "list[NDArray[Any]]", seed: int = 0, splits: int = 100, step: float = 0.1
) -> Reals:
    """`auc_borji` for maps in which several points (k, 2) each were looked at: as many negatives are drawn."""
    random = np.random.default_rng(seed)
    thresholds = np.arange(0.0, 1.0 + step, step)[::-1]
    found = np.empty(len(maps))
    for number, (one, points) in enumerate(zip(maps, gazes, strict=True)):
        scaled = _scaled(np.asarray(one, np.float64))
        rows, columns = cells(points, scaled.shape)
        misses = scaled.ravel()[random.integers(0, scaled.size, (splits, len(points)))]
        true = _reaching(scaled[rows, columns][None], thresholds)
        false = _reaching(misses, thresholds)
        found[number] = np.trapezoid(np.broadcast_to(true, false.shape), false, axis=1).mean()
    return found


def _reaching(values: Reals, thresholds: Reals) -> Reals:
    """(splits, thresholds + 2) the share of each split's values that reach each threshold, from none to all."""
    shares = (values[:, :, None] >= thresholds).mean(axis=1)
    ends = np.ones((len(values), 1))
    return np.concatenate([0 * ends, shares, ends], axis=1)


def auc_point(predicted: NDArray[Any], gaze: NDArray[Any], size: tuple[int, int] = (224, 224)) -> Reals:
    """(n,) the share of pixels not above the gazed one, of a Gaussian (sigma 14) about the predicted pixel.

    Points are in pixels (x, y) and truncated to whole ones; the Gaussian is cut at 4 sigma and mirrored at the
    borders. Source: hyf015/egocentric-gaze-prediction.
    """
    width, height = size
    whole = np.trunc(np.asarray(predicted, np.float64)).astype(np.int64)
    at = np.trunc(np.asarray(gaze, np.float64)).astype(np.int64)
    found = np.empty(len(whole))
    for number, ((x, y), (column, row)) in enumerate(zip(whole, at, strict=True)):
        blob = _mirrored_gaussian(y, height)[:, None] * _mirrored_gaussian(x, width)[None]
        found[number] = 1 - (blob > blob[row, column]).sum() / blob.size
    return found


def _mirrored_gaussian(middle: int, side: int) -> Reals:
    """(side,) what a filter with mirrored borders makes of a one at `middle`."""
    reach = int(4 * POINT_SIGMA + 0.5)
    far = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 / POINT_SIGMA**2 * far**2)  # in this order: ties are decided by the last bit
    line = np.zeros(side)
    np.add.at(line, _mirrored(middle + far, side), weights / weights.sum())
    return line


def _mirrored(places: NDArray[Any], side: int) -> NDArray[np.int64]:
    """Places beyond the borders, folded back at the outer edges of the first and last cell."""
    folded = places % (2 * side)
    return np.where(folded >= side, 2 * side - 1 - folded, folded)


def nss(maps: Maps, gaze: NDArray[Any]) -> Reals:
    """(n,) how many deviations the gazed cell lies above the map's mean; a map of one value: 0."""
    flat, at = _flat(maps, gaze)
    spread = flat.std(axis=1)
    return np.asarray(np.where(spread > 0, (at[:, 0] - flat.mean(axis=1)) / np.where(spread > 0, spread, 1.0), 0.0))


def correlation(maps: Maps, truth: Maps) -> Reals:
    """(n,) Pearson's correlation of two maps (CC); 0 where one has one value only."""
    a, b = (np.asarray(one, np.float64).reshape(len(one), -1) for one in (maps, truth))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.where(norm > 0, (a * b).sum(axis=1) / np.where(norm > 0, norm, 1.0), 0.0))


def divergence(maps: Maps, truth: Maps, floor: float = 1e-12) -> Reals:
    """(n,) Kullback-Leibler divergence in nats of the map from the truth, both scaled to sum 1 (KL); 0 is best."""
    p, q = (np.asarray(one, np.float64).reshape(len(one), -1) for one in (truth, maps))
    p, q = p / np.maximum(p.sum(axis=1, keepdims=True), floor), q / np.maximum(q.sum(axis=1, keepdims=True), floor)
    return np.asarray(np.where(p > 0, p * np.log(np.maximum(p, floor) / np.maximum(q, floor)), 0.0).sum(axis=1))


def adaptive_f1(maps: Maps, truth: Maps, least: float = 0.001) -> tuple[float, float, float]:
    """(F1, recall, precision) at the threshold of the scaled maps that is best for F1, of 0, 0.01 ... 0.99.

    Cells of the truth above `least` are to be found; recall and precision are means over the frames (Lai et al.
    2022, GLC).
    """
    scaled = np.stack([_scaled(np.asarray(one, np.float64)) for one in maps])
    wanted = np.asarray(truth) > least
    best = (0.0, 0.0, 0.0)
    for threshold in np.arange(100) / 100:
        said = scaled > threshold
        hit = (said & wanted).sum(axis=(1, 2))
        recall = float((hit / np.maximum(wanted.sum(axis=(1, 2)), 1)).mean())
        precision = float((hit / np.maximum(said.sum(axis=(1, 2)), 1)).mean())
        if recall and precision:
            best = max(best, (2 * recall * precision / (recall + precision), recall, precision))
    return best


def _flat(maps: Maps, gaze: NDArray[Any]) -> tuple[Reals, Reals]:
    """(maps (n, cells), value at the gazed cell (n, 1))."""
    wide = np.asarray(maps, np.float64)
    rows, columns = cells(gaze, wide.shape[1:])
    return wide.reshape(len(wide), -1), wide[np.arange(len(wide)), rows, columns][:, None]


def _scaled(one: Reals) -> Reals:
    """A map from 0 to 1; one of a single value is 0."""
    low, high = one.min(), one.max()
    return (one - low) / (high - low) if high > low else np.zeros_like(one)
