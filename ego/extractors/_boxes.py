"""Boxes as left, top, right, bottom: overlap and the suppression of doubles."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


def overlaps(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """(n, m) intersection over union of n boxes with m; 0 where both are empty."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:4], other[None, :, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:4] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def suppress(boxes: Boxes, scores: NDArray[np.float64], most: float) -> NDArray[np.intp]:
    """Which boxes stay, best first: none overlaps a better one by more than `most` (greedy, ties in their order)."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[overlaps(boxes[best : best + 1], boxes[order])[0] <= most]
    return np.array(kept, np.intp)


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """(n,) width times height."""
    return np.asarray(np.clip(boxes[:, 2:4] - boxes[:, :2], 0, None).prod(axis=1))
