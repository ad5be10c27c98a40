"""A picture of a video's features over time: for each array a strip of colours and the size of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ego.report.strip import colours, norms
from ego.report.text import one_line

WIDTH, LEFT, RIGHT, STRIP, CURVE, GAP = 1200, 20, 20, 36, 56, 30
INK, FAINT, LINE, PAPER = (30, 34, 40), (150, 156, 165), (27, 94, 150), (255, 255, 255)


@dataclass(frozen=True)
class Track:
    """One array of one entry: what to call it, its (rows, 3) times in seconds and its rows (rows, values)."""

    title: str
    time: NDArray[np.float64]
    rows: NDArray[np.float32]


def draw(tracks: Sequence[Track], title: str, file: Path) -> None:
    """Writes a PNG: one band a track on a common axis of seconds; each row fills its own start to stop."""
    stop = max((float(track.time[:, 2].max()) for track in tracks if len(track.time)), default=0.0)
    start = min((float(track.time[:, 0].min()) for track in tracks if len(track.time)), default=0.0)
    axis = Axis(start, max(stop, start + 1e-6))
    band = GAP + STRIP + CURVE
    image = Image.new("RGB", (WIDTH, 44 + band * len(tracks) + 44), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((LEFT, 12), one_line(title), INK, ImageFont.load_default(18))
    for index, track in enumerate(tracks):
        _band(image, pen, track, axis, 44 + index * band)
    _ticks(pen, axis, image.height - 38)
    image.save(file, format="PNG")


@dataclass(frozen=True)
class Axis:
    """Seconds to pixels."""

    start: float
    stop: float

    def x(self, seconds: float) -> float:
        """The pixel column of a moment."""
        return LEFT + (seconds - self.start) / (self.stop - self.start) * (WIDTH - LEFT - RIGHT)

    @property
    def ticks(self) -> list[float]:
        """At most a dozen round moments."""
        rough = (self.stop - self.start) / 10
        unit = 10.0 ** np.floor(np.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        first = np.ceil(self.start / step - 1e-9) * step
        return [float(tick) + 0.0 for tick in np.arange(first, self.stop + step / 1000, step)]


def _band(image: Image.Image, pen: ImageDraw.ImageDraw, track: Track, axis: Axis, top: int) -> None:
    pen.text((LEFT, top + 6), one_line(track.title), INK, ImageFont.load_default(14))
    top += GAP
    if not len(track.rows):
        pen.text((LEFT, top + 8), "no rows", FAINT, ImageFont.load_default(14))
        return
    columns = _row_at(track.time, axis)
    strip = colours(track.rows)[columns]
    strip[columns < 0] = PAPER
    image.paste(Image.fromarray(np.repeat(strip[None], STRIP, axis=0)), (LEFT, top))
    _curve(pen, norms(track.rows), track.time, axis, top + STRIP + 4)


def _row_at(time: NDArray[np.float64], axis: Axis) -> NDArray[np.int64]:
    """Which row each pixel column shows: the last that has started and not stopped; -1 for none."""
    seconds = np.linspace(axis.start, axis.stop, WIDTH - LEFT - RIGHT, endpoint=False)
    found = np.searchsorted(time[:, 0], seconds + 1e-9, side="right") - 1
    return np.where((found >= 0) & (seconds < time[np.maximum(found, 0), 2]), found, -1)


def _curve(
    pen: ImageDraw.ImageDraw, sizes: NDArray[np.float32], time: NDArray[np.float64], axis: Axis, top: int
) -> None:
    known = sizes[np.isfinite(sizes)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    height = CURVE - 12
    scale = height / (high - low) if high > low else 0.0
    points = [
        (axis.x(float(centre)), top + height - (float(size) - low) * scale)
        for centre, size in zip(time[:, 1], sizes, strict=True)
        if np.isfinite(size)
    ]
    pen.line([(LEFT, top + height + 1), (WIDTH - RIGHT, top + height + 1)], FAINT)
    if len(points) > 1:
        pen.line(points, LINE, 2)
    for x, y in points if len(points) <= 100 else ():
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), LINE)
    words = f"root mean square {low:.3g} to {high:.3g}"
    font = ImageFont.load_default(12)
    pen.text((WIDTH - RIGHT - pen.textlength(words, font), top - STRIP - 20), words, FAINT, font)


def _ticks(pen: ImageDraw.ImageDraw, axis: Axis, top: int) -> None:
    font = ImageFont.load_default(12)
    for tick in axis.ticks:
        pen.line([(axis.x(tick), top), (axis.x(tick), top + 6)], INK)
        words = f"{tick:g} s"
        place = axis.x(tick) - pen.textlength(words, font) / 2
        pen.text((min(max(place, 2), WIDTH - 2 - pen.textlength(words, font)), top + 8), words, INK, font)
