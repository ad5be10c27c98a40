"""The hands of a patch of skin: how many arms it is made of, from where they come and where they end."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ego.extractors._boxes import overlaps
from ego.extractors._parting import LONG, Line, Part, Patch, Place, Places, axis, misfit, standing, through, two_lines

Box = tuple[float, float, float, float]

ELBOWS = 1.35
"""How far below the frame's top the elbows are, in heights of the frame."""

BROAD, BROAD_LOW = 0.042, 0.05
"""How far pixels stray from one line, in widths of the frame, where a patch is too broad for one arm, and where it is
for one hand at the lower border."""

TWO = 0.5
"""Two lines fit two arms so much better than one does."""

ALONE = 0.5
"""What one hand for two of a moment ago counts beside the overlap of a second one."""


class Hand(NamedTuple):
    """The end of an arm: its box and the elbow's x in fractions, and which pixels it is made of."""

    box: Box
    origin: float
    columns: Places
    rows: Places


class Before(NamedTuple):
    """A hand of a moment ago: its box, its box and the elbow's x when it last was a patch of its own, and whether
    that is not long ago."""

    box: Box
    origin: float
    rest: Box
    lately: bool


def ends(
    columns: Places, rows: Places, width: int, height: int, reach: float, before: Sequence[Before] = ()
) -> list[Hand]:
    """The hands of one patch of skin, one or two; `before` are those that were there a moment ago, two at most."""
    patch = Patch(columns, rows, width, height)
    found = [_hands(patch, parts, reach) for parts in _ways(patch, before)]
    return found[0] if len(found) == 1 else max(found, key=lambda hands: _agreement(hands, before))


def _agreement(hands: list[Hand], before: Sequence[Before]) -> float:
    """How well hands overlap with two of a moment ago; one alone agrees with one."""
    boxes = np.array([hand.box for hand in hands]).reshape(-1, 4)
    overlap = overlaps(boxes, np.array([one.box for one in before]).reshape(-1, 4))
    if len(hands) < 2:
        return ALONE + float(overlap.max(initial=0))
    return float(max(overlap[0, 0] + overlap[1, 1], overlap[0, 1] + overlap[1, 0]))


def _hands(patch: Patch, parts: list[Part], reach: float) -> list[Hand]:
    hands = []
    for part in parts:
        columns, rows, width, height = patch.take(part)
        if len(columns):
            entries = _entries(columns, rows, width, height) or [_beyond(columns, rows, width, height)]
            hands += _end(columns, rows, entries[0], width, height, reach)
    return hands


def _ways(patch: Patch, before: Sequence[Before]) -> list[list[Part]]:
    """The ways to part a patch in arms.

    It is two where it has the shape of two arms, comes in at two places of the border, or is broad and low and had two
    hands in it. Where two hands met in it lately, it may be any of these, one hand, or one that rests where it was and
    another that reaches across.
    """
    entries = sorted(_entries(*patch))
    thin, low = patch.thin(), standing(patch)
    stray = misfit(thin, [through(thin, low)])
    shape = _shape(thin, entries, stray) if not low and stray > BROAD else None
    met = len(before) == 2 and all(one.lately for one in before)
    if shape and not met:
        return [_parts(patch, shape)]
    ways = [_parts(patch, shape)] if shape else [] if len(entries) > 1 else [[np.ones(len(patch.columns), bool)]]
    if len(before) == 2 and (met or (low and stray > BROAD_LOW)):
        lines = two_lines(thin, _nearer_arm(thin, before), low)
        ways += [_parts(patch, lines)] if lines else []
        if lines and not met:
            return ways[-1:]
        ways += _resting(patch, before)
    if len(entries) > 1:
        lines = two_lines(thin, thin.nearer(entries[0], entries[-1]), low)
        nearer = patch.nearer(entries[0], entries[-1])
        parts = _parts(patch, lines) if lines else [nearer, ~nearer]
        ways.append(parts if all(len(_entries(*patch.take(part))) < 2 for part in parts) else [nearer, ~nearer])
    return ways


def _shape(patch: Patch, entries: list[Place], stray: float) -> list[Line] | None:
    """The lines of two arms, where two lines fit a patch much better than one, which leaves `stray`."""
    starts = [patch.columns <= (int(patch.columns.min()) + int(patch.columns.max())) / 2]
    if len(entries) > 1:
        starts.insert(0, patch.nearer(entries[0], entries[-1]))
    for start in starts:
        lines = two_lines(patch, start, upright=False)
        if lines and misfit(patch, lines) < TWO * stray:
            return lines
    return None


def _resting(patch: Patch, before: Sequence[Before]) -> list[list[Part]]:
    """Each hand in turn at rest in the place and below where it last was seen alone, the other one being the rest."""
    ways = []
    for left, top, right, _ in (one.rest for one in before):
        inside = (patch.columns >= left * patch.width) & (patch.columns < right * patch.width)
        rests = inside & (patch.rows >= top * patch.height)
        if 0.01 < rests.mean() < 0.99:
            ways.append([rests, ~rests])
    return ways


def _parts(patch: Patch, lines: list[Line]) -> list[Part]:
    first = lines[0].away(patch) <= lines[1].away(patch)
    return [first, ~first]


def _nearer_arm(patch: Patch, before: Sequence[Before]) -> Part:
    """(pixels,) whether each is no farther from the first of two arms of a moment ago than from the second."""
    one, two = (_arm(each, patch).away(patch) for each in before)
    return np.asarray(one <= two)


def _arm(one: Before, patch: Patch) -> Line:
    """From the middle of a hand to its elbow."""
    left, top, right, bottom = one.box
    x, y = (left + right) / 2 * patch.width, (top + bottom) / 2 * patch.height
    across, down = one.origin * patch.width - x, ELBOWS * patch.height - y
    length = float(np.hypot(across, down))
    return Line((x, y), (across / length, down / length), 0.0, length)


def _beyond(columns: Places, rows: Places, width: int, height: int) -> tuple[float, float]:
    """Where the line of a patch that ends inside the frame, at its sleeve, comes to the lower border or a side."""
    x, y = float(columns.mean()), float(rows.mean())
    spread, line = axis(Patch(columns, rows, width, height))
    if spread[1] < LONG**2 * spread[0] or line[1] < 0.3:
        return x, 1.2 * height
    steps = min((height - y) / line[1], ((width - x) if line[0] > 0 else x) / max(abs(line[0]), 1e-9))
    return x + steps * line[0], y + steps * line[1]


def _entries(columns: Places, rows: Places, width: int, height: int) -> list[tuple[float, float]]:
    """Where a patch touches the border from the sides' middles down, first where it does on the longest way."""
    half = height // 2
    left, right, low = columns <= 1, columns >= width - 2, rows >= height - 2
    way = [rows[left] - half, columns[low] + half, 3 * half + width - rows[right]]
    along = np.unique(np.concatenate(way))
    along = along[(along >= 0) & (along <= 2 * half + width)]
    runs = np.split(along, np.flatnonzero(np.diff(along) > 0.05 * width) + 1) if len(along) else []
    found = []
    for run in runs:
        if len(run) >= 0.02 * width:
            place = float(run.mean())
            x = min(max(place - half, 0.0), float(width))
            found.append((len(run), (x, half + min(place, half, 2 * half + width - place))))
    return [entry for _, entry in sorted(found, key=lambda one: -one[0])]


def _end(
    columns: Places, rows: Places, entry: tuple[float, float], width: int, height: int, reach: float
) -> list[Hand]:
    """What of a patch lies around its point farthest from where the arm comes in."""
    if len(columns) < 0.0015 * width * height:
        return []
    away = np.hypot(columns - entry[0], rows - entry[1])
    far = away >= np.percentile(away, 95)
    x, y = np.median(columns[far]), np.median(rows[far])
    near = (np.hypot(columns - x, rows - y) < 1.25 * reach) & (away > away.max() - 1.15 * reach)
    if not near.any():
        return []
    left, right = np.percentile(columns[near], [2, 98])
    top, bottom = np.percentile(rows[near], [2, 98])
    box = (left / width, top / height, (right + 1) / width, (bottom + 1) / height)
    return [Hand(box, _elbow(entry, (float(x), float(y)), height) / width, columns[near], rows[near])]


def _elbow(entry: tuple[float, float], tip: tuple[float, float], height: int) -> float:
    """x where an arm's line comes to the height of the elbows, below the frame; a short arm's is where it comes in."""
    rise = entry[1] - tip[1]
    if rise < 0.2 * height:
        return entry[0]
    lean = float(np.clip((entry[0] - tip[0]) / rise, -1.5, 1.5))
    return entry[0] + lean * (ELBOWS * height - entry[1])
