"""Frames with what a run says of them: maps laid over them, predicted points beside true ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ego.report.charts import STYLE

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]
HEAT_SHARE, FRAME_SHARE = 0.3, 0.5
SAID, TRUE = "#ef4444", "#22c55e"
BESIDE = {"gaze": (0, 7, "center"), "left": (-6, -3, "right"), "right": (6, -3, "left")}
"""Where a point's name stands, in points of type from it, and which of its ends: apart where points coincide."""


class Shown(Protocol):
    """One moment, as `ego.pipeline.exhibits.Exhibit`."""

    @property
    def words(self) -> str:
        """What the clip is and what is said of it."""

    @property
    def frame(self) -> Pixels:
        """(h, w, 3)."""

    @property
    def box(self) -> Sequence[float]:
        """The part of the frame that the maps are of."""

    @property
    def maps(self) -> Mapping[str, Map]:
        """(h, w) by name."""

    @property
    def points(self) -> Mapping[str, tuple[float, float]]:
        """Predicted, as fractions of the frame, by name."""

    @property
    def truth(self) -> Mapping[str, tuple[float, float]]:
        """Those that are true."""


def heat(frame: Pixels, values: Map, box: Sequence[float]) -> Pixels:
    """The frame with a map laid over the part it is of: JET colours from its least to its greatest value.

    As FPAR shows attention: 0.3 of the colours and 0.5 of the frame; what the map is not of is the frame, dimmed.
    """
    height, width = frame.shape[:2]
    left, top, right, bottom = (round(side * size) for side, size in zip(box, (width, height) * 2, strict=True))
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    low, high = float(values.min()), float(values.max())
    grey = np.rint((values - low) / (high - low) * 255) if high > low else np.zeros_like(values)
    grown = cv2.resize(grey.astype(np.uint8), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap(grown, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    drawn = frame * FRAME_SHARE
    drawn[top:bottom, left:right] += HEAT_SHARE * colours
    return np.asarray(np.rint(drawn.clip(0, 255)), np.uint8)


def sheet(shown: Sequence[Shown], path: Path) -> None:
    """Writes one picture: a row for each moment, its frame with the points first, then each of its maps."""
    names = list(dict.fromkeys(name for one in shown for name in one.maps))
    height, width = shown[0].frame.shape[:2]
    with mpl.rc_context(STYLE):
        columns, tile = 1 + len(names), 3.2
        figure = Figure(figsize=(tile * columns, (tile * height / width + 0.35) * len(shown)), layout="constrained")
        tiles = np.asarray(figure.subplots(len(shown), columns, squeeze=False))
        for one, row in zip(shown, tiles, strict=True):
            _frame(row[0], one)
            for name, axes in zip(names, row[1:], strict=True):
                axes.axis("off")
                if name in one.maps:
                    axes.imshow(heat(one.frame, one.maps[name], one.box))
                    axes.set_title(name, fontsize=9)
        if any(one.points or one.truth for one in shown):
            _legend(figure)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)


def _legend(figure: Figure) -> None:
    """Says above the frames which mark is which."""
    marks = [
        Line2D([], [], ls="", marker="o", mfc="none", mec=TRUE, mew=2.2, ms=8, label="true"),
        Line2D([], [], ls="", marker="x", color=SAID, mew=2.2, ms=8, label="predicted"),
    ]
    figure.legend(handles=marks, loc="outside upper left", ncols=2, frameon=False, fontsize=9)


def _frame(axes: Axes, one: Shown) -> None:
    """The frame, true points green and predicted ones red, by their names where there are several."""
    height, width = one.frame.shape[:2]
    axes.imshow(one.frame)
    axes.axis("off")
    axes.set_title(one.words, fontsize=9)
    several = len({*one.truth, *one.points}) > 1
    for points, colour, mark in ((one.truth, TRUE, "o"), (one.points, SAID, "x")):
        places = {name: (x * width, y * height) for name, (x, y) in points.items()}
        _marks(axes, list(places.values()), colour, mark)
        for name, place in places.items() if several else ():
            word = name.rpartition(" ")[2]
            across, down, side = BESIDE.get(word, BESIDE["right"])
            axes.annotate(word, place, xytext=(across, down), textcoords="offset points", color=colour, ha=side,
                          fontsize=8, path_effects=[withStroke(linewidth=2, foreground="white")])  # fmt: skip


def _marks(axes: Axes, places: Sequence[tuple[float, float]], colour: str, mark: Any) -> None:
    if places:
        across, down = zip(*places, strict=True)
        colours: Any = {"facecolors": "none", "edgecolors": colour} if mark == "o" else {"color": colour}
        axes.scatter(across, down, s=70, marker=mark, linewidths=2.2, **colours)
