"""The picture pyramid of `idt` and the dense flow of a pair of frames at each of its levels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Pyramid = list[Pixels]

STEP = sqrt(2)
"""The factor between a level and the next coarser one."""

SMALLEST = 32
"""The shorter side, in pixels, below which there is no level: a descriptor's patch must fit."""

MOST_LEVELS = 8
MEDIAN = 5
FIXED_POINT = 64
"""Steps a pixel of flow kept as int16: a quarter of the time of a median over float32, at most 1/128 px off."""


def sizes(width: int, height: int, most: int = MOST_LEVELS) -> list[tuple[int, int]]:
    """(width, height) of each level, finest first; at least one."""
    count = sum(min(width, height) / STEP**level >= SMALLEST - 1e-9 for level in range(most))
    # halves go down, as the float32 product of the released code has it
    return [(ceil(width / STEP**k - 0.5001), ceil(height / STEP**k - 0.5001)) for k in range(max(1, count))]


def pyramid(grey: Pixels, levels: list[tuple[int, int]]) -> Pyramid:
    """The picture at each level, each made of the one before, bilinear."""
    found = [grey]
    for size in levels[1:]:
        found.append(np.asarray(cv2.resize(found[-1], size, interpolation=cv2.INTER_LINEAR), np.uint8))
    return found


@dataclass(frozen=True, eq=False)
class Field:
    """Flow at one level: `values` (h, w, 2) in units of which one is `unit` (x, y) pixels of that level."""

    values: NDArray[Any]
    unit: NDArray[np.float32]

    def at(self, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, 2) the flow, in pixels of the level, at flat indices of its pixels."""
        pair = np.dtype(f"u{2 * self.values.itemsize}")
        taken = self.values.reshape(-1, 2).view(pair).ravel().take(index)
        return taken.view(self.values.dtype).reshape(-1, 2) * self.unit

    @property
    def pixels(self) -> NDArray[np.float32]:
        """(h, w, 2) in pixels of the level."""
        return self.values * self.unit


class Engine(ABC):
    """Dense flow from one frame to the next at every level, each field smoothed by a 5x5 median."""

    whole_pyramid: bool
    """Whether it looks at every level of the pictures, or at the finest alone."""

    @abstractmethod
    def flow(self, before: Pyramid, after: Pyramid, levels: list[tuple[int, int]]) -> list[Field]:
        """The fields of the given levels, finest first."""


class Farneback(Engine):
    """Farneback (2003) as the release has it: one pyramid for flow and tracks, the median before each upsampling."""

    whole_pyramid = True

    def flow(self, before: Pyramid, after: Pyramid, levels: list[tuple[int, int]]) -> list[Field]:
        """One run a level, begun with the field of the coarser level; every level helps, the given ones are kept."""
        found: list[Field] = []
        field: NDArray[np.float32] | None = None
        for first, second in zip(reversed(before), reversed(after), strict=True):
            start = _upsampled(field, first.shape)
            field = np.asarray(
                cv2.calcOpticalFlowFarneback(
                    first, second, start, 0.5, 0, 10, 2, 7, 1.5,
                    cv2.OPTFLOW_USE_INITIAL_FLOW | cv2.OPTFLOW_FARNEBACK_GAUSSIAN,
                ),
                np.float32,
            )  # fmt: skip
            field = np.asarray(cv2.medianBlur(field, MEDIAN), np.float32)
            found.insert(0, Field(field, np.ones(2, np.float32)))
        return found[: len(levels)]


def _upsampled(field: NDArray[np.float32] | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    height, width = shape
    if field is None:
        return np.zeros((height, width, 2), np.float32)
    ratio = np.array([width / field.shape[1], height / field.shape[0]], np.float32)
    return np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), np.float32) * ratio


class Dis(Engine):
    """Dense inverse search (Kroeger et al. 2016), preset `fast`, once at the finest level; coarser ones from it."""

    whole_pyramid = False

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # type: ignore[attr-defined]

    def flow(self, before: Pyramid, after: Pyramid, levels: list[tuple[int, int]]) -> list[Field]:
        """Each level's field is that of the finer one made smaller, then the median."""
        dense = self._search.calc(before[0], after[0], None)
        # saturates instead of wrapping, unlike a cast
        values = cv2.addWeighted(dense, FIXED_POINT, dense, 0, 0, dtype=cv2.CV_16S)
        width, height = levels[0]
        found: list[Field] = []
        for wide, tall in levels:
            if found:
                values = cv2.resize(values, (wide, tall), interpolation=cv2.INTER_LINEAR)
            values = cv2.medianBlur(values, MEDIAN)
            unit = np.array([wide / width, tall / height], np.float32) / np.float32(FIXED_POINT)
            found.append(Field(np.asarray(values), unit))
        return found


ENGINES: dict[str, type[Engine]] = {"farneback": Farneback, "dis": Dis}
