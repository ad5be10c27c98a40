"""The picture of features over time: rows stand at their own seconds, and any mixture of tracks can be drawn."""

from pathlib import Path

import numpy as np
from PIL import Image

from ego.report.timeline import CURVE, GAP, LEFT, RIGHT, STRIP, WIDTH, Axis, Track, draw

BAND = GAP + STRIP + CURVE


def track(start: float, rows: int, seed: int = 0) -> Track:
    begin = start + np.arange(rows, dtype=np.float64)
    values = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    return Track("x · feature", np.stack([begin, begin + 0.5, begin + 1], axis=1), values)


def strip(file: Path, index: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.asarray(Image.open(file).convert("RGB"))[44 + index * BAND + GAP + 3, LEFT : WIDTH - RIGHT]


def test_tracks_share_one_axis_of_seconds(tmp_path: Path) -> None:
    file = tmp_path / "p.png"
    draw([track(0, 10), track(5, 5)], "two tracks", file)
    second = strip(file, 1)
    half = len(second) // 2
    assert (second[: half - 2] == 255).all()  # nothing before its first row starts
    assert (second[half + 2 :] < 255).any(axis=1).all()


def test_no_rows_one_row_and_constant_rows_can_be_drawn(tmp_path: Path) -> None:
    still = Track("still", track(0, 4).time, np.ones((4, 3), np.float32))
    nothing = Track("nothing", np.empty((0, 3)), np.empty((0, 3), np.float32))
    draw([nothing, track(0, 1), still], "odd\nname \udce9", tmp_path / "p.png")
    assert Image.open(tmp_path / "p.png").size == (WIDTH, 44 + 3 * BAND + 44)
    draw([], "nothing at all", tmp_path / "q.png")
    assert Image.open(tmp_path / "q.png").size[0] == WIDTH


def test_ticks_are_few_and_round() -> None:
    for start, stop in ((0, 2), (0, 42.267), (8.333, 9), (0, 36000)):
        ticks = Axis(start, stop).ticks
        assert 2 <= len(ticks) <= 12
        assert all(start - 1e-6 <= tick <= stop + 1e-6 for tick in ticks)
