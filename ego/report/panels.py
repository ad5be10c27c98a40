"""Pictures side by side under their titles, and the sound below: one moment of a video, or several."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.report.overlay import Pixels

TITLE, GAP, STRIP = 22, 4, 64
INK, PAPER, CURSOR = (30, 34, 40), (255, 255, 255), (220, 40, 40)


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture (h, w, 3) and what it shows."""

    title: str
    picture: Pixels


@dataclass(frozen=True, eq=False)
class Strip:
    """The sound around a moment: rows over time (steps, values), and where in [0, 1] the moment lies."""

    title: str
    values: NDArray[np.float32]
    now: float


def moment(panels: Sequence[Panel], strips: Sequence[Strip], columns: int) -> Pixels:
    """(h, w, 3): the panels in rows of `columns`, all of one size, and below them each strip; sides are even."""
    tiles = [_titled(panel) for panel in panels]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    whole = np.vstack([*rows, *(_strip(strip, rows[0].shape[1]) for strip in strips)])
    height, width = whole.shape[:2]
    return np.ascontiguousarray(whole[: height - height % 2, : width - width % 2])


def sheet(moments: Sequence[tuple[float, Sequence[Panel], Sequence[Strip]]], columns: int) -> Pixels:
    """(h, w, 3): the panels of each moment (seconds, panels, strips), from early to late."""
    rows = []
    for seconds, panels, strips in moments:
        first = Panel(f"{seconds:.2f} s  {panels[0].title}", panels[0].picture)
        rows.append(moment([first, *panels[1:]], strips, min(columns, len(panels))))
    return np.vstack(rows)


def _titled(panel: Panel) -> Pixels:
    height, width = panel.picture.shape[:2]
    tile = np.full((height + TITLE + GAP, width + GAP, 3), 255, np.uint8)
    tile[TITLE : TITLE + height, :width] = panel.picture
    cv2.putText(tile, panel.title, (4, TITLE - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    return tile


def _strip(strip: Strip, width: int) -> Pixels:
    """A band as wide as the panels: low values dark; one row of values is drawn as its extent."""
    band = np.full((TITLE + STRIP + GAP, width, 3), 255, np.uint8)
    cv2.putText(band, strip.title, (4, TITLE - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    inner = width - GAP
    values = strip.values.T[::-1]
    if values.size:
        low, high = float(values.min()), float(values.max())
        grey = ((values - low) / (high - low or 1.0) * 255).astype(np.uint8)
        grown = cv2.resize(grey, (inner, STRIP), interpolation=cv2.INTER_AREA)
        colours = cv2.cvtColor(cv2.applyColorMap(np.asarray(grown, np.uint8), cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
        band[TITLE : TITLE + STRIP, :inner] = colours
    x = round(min(max(strip.now, 0.0), 1.0) * (inner - 1))
    band[TITLE : TITLE + STRIP, max(x - 1, 0) : x + 1] = CURSOR
    return band
