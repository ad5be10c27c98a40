"""Patches of pixels and lines: what two arms that touch look like, and one that something cuts in two."""

from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]
Place = tuple[float, float]
Part = NDArray[np.bool_]

ROUNDS, LEAST_PART = 8, 0.06
"""How often pixels are given anew to the nearer line at most, and what share of a patch is a part of it."""

THIN = 4
"""Lines are drawn through every so many pixels."""

LOW = 0.35
"""A patch on the lower border that is no higher than this part of the frame shows no arm's length."""

LONG = 1.6
"""From here on the ratio of a patch's length to its width tells where its arm points."""

STRAIGHT, STEEP, PARALLEL, GAP = 0.03, 0.5, 0.9, 0.25
"""Two patches are one arm where they stray no farther from one line (in widths of the frame), it goes down by this much
of its length, the lower patch points along it (cosine), and no more than this lies between (in widths)."""


class Patch(NamedTuple):
    """The pixels of a patch of skin and the size of the picture."""

    columns: Places
    rows: Places
    width: int
    height: int

    def take(self, part: Part) -> "Patch":
        """Some of its pixels."""
        return self._replace(columns=self.columns[part], rows=self.rows[part])

    def thin(self) -> "Patch":
        """Every fourth of its pixels."""
        return self._replace(columns=self.columns[::THIN], rows=self.rows[::THIN])

    def nearer(self, first: Place, second: Place) -> Part:
        """(pixels,) whether each is no farther from the first place than from the second."""
        one, two = (np.hypot(self.columns - x, self.rows - y) for x, y in (first, second))
        return np.asarray(one <= two)


class Line(NamedTuple):
    """A stretch of a line: a place on it, its direction, and from where to where along it."""

    place: Place
    direction: Place
    start: float
    stop: float

    def away(self, patch: Patch) -> NDArray[np.float64]:
        """(pixels,) how far each is from the stretch, in pixels."""
        (x, y), (across, down) = self.place, self.direction
        along = np.clip((patch.columns - x) * across + (patch.rows - y) * down, self.start, self.stop)
        return np.asarray(np.hypot(patch.columns - x - along * across, patch.rows - y - along * down))


def axis(patch: Patch) -> tuple[Place, Place]:
    """The variances across and along a patch, and the direction in which it is long, downwards."""
    across, slant, upright = np.cov(np.stack([patch.columns, patch.rows]), bias=True).ravel()[[0, 1, 3]]
    spread, lines = np.linalg.eigh(np.array([[across, slant], [slant, upright]]))
    line = lines[:, 1] * np.sign(lines[1, 1] or 1.0)
    return (float(spread[0]), float(spread[1])), (float(line[0]), float(line[1]))


def through(patch: Patch, upright: bool) -> Line:
    """The line along a patch, or straight up through it, as long as the patch is."""
    x, y = float(patch.columns.mean()), float(patch.rows.mean())
    across, down = (0.0, 1.0) if upright else axis(patch)[1]
    start, stop = np.percentile((patch.columns - x) * across + (patch.rows - y) * down, [5, 95])
    return Line((x, y), (across, down), float(start), float(stop))


def misfit(patch: Patch, lines: list[Line]) -> float:
    """Root mean square distance of the pixels from the nearest of these lines, in widths of the picture."""
    away = np.min([line.away(patch) for line in lines], axis=0)
    return float(np.sqrt((away**2).mean())) / patch.width


def two_lines(patch: Patch, first: Part, upright: bool) -> list[Line] | None:
    """Two lines through a patch, each the line of the pixels nearer to it, begun from these two parts.

    None where one of them has next to no pixels.
    """
    lines = None
    for _ in range(ROUNDS):
        if not LEAST_PART <= first.mean() <= 1 - LEAST_PART:
            return None
        lines = [through(patch.take(part), upright) for part in (first, ~first)]
        nearer = lines[0].away(patch) <= lines[1].away(patch)
        if (nearer == first).all():
            break
        first = nearer
    return lines


def standing(patch: Patch) -> bool:
    """Whether a patch is low and most of its columns end at the lower border: it is wide, then, and not long."""
    if patch.rows.min() < (1 - LOW) * patch.height:
        return False
    lowest = np.full(int(patch.columns.max()) + 1, -1)
    np.maximum.at(lowest, patch.columns, patch.rows)
    return bool((lowest[lowest >= 0] >= patch.height - 2).mean() > 0.7)


def joined(patches: list[Patch]) -> list[Patch]:
    """The patches, with those made one that are one arm: a strap or a sleeve's stripes cut it."""
    for lower, upper in permutations(patches, 2):
        if _one_arm(lower, upper):
            columns, rows = (np.concatenate(both) for both in zip(lower[:2], upper[:2], strict=True))
            others = [one for one in patches if one is not lower and one is not upper]
            return joined([*others, lower._replace(columns=columns, rows=rows)])
    return patches


def _one_arm(lower: Patch, upper: Patch) -> bool:
    """Whether one patch is the arm of the other above it: it is long and points to it."""
    if lower.rows.mean() <= upper.rows.mean():
        return False
    (across, along), (x, y) = axis(lower)
    if along < LONG**2 * across:
        return False
    one, two = lower.thin(), upper.thin()
    both = one._replace(columns=np.concatenate([one.columns, two.columns]), rows=np.concatenate([one.rows, two.rows]))
    line = through(both, upright=False)
    right, down = line.direction
    if down < STEEP or abs(right * x + down * y) < PARALLEL or misfit(both, [line]) > STRAIGHT:
        return False
    start = np.percentile(one.columns * right + one.rows * down, 3)
    return bool(start - np.percentile(two.columns * right + two.rows * down, 97) < GAP * lower.width)
