"""Descriptors along a track: their widths, and values that can be worked out by hand."""

from typing import Any

import numpy as np
import pytest

from ego.extractors._idt_descriptors import BINS, EPSILON, Described, trajectory, width_of
from ego.extractors._idt_flow import Field
from ego.extractors._idt_tracks import Tracks

SIZE = (80, 64)
NAMES = ("hog", "hof", "mbhx", "mbhy")


def field(values: Any) -> Field:
    whole = np.zeros((SIZE[1], SIZE[0], 2), np.float32)
    whole[...] = values
    return Field(whole, np.ones(2, np.float32))


def ramp(direction: float) -> Any:
    """A picture that grows brighter by 2 a pixel in this direction, in degrees."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    slope = np.cos(np.radians(direction)) * x + np.sin(np.radians(direction)) * y
    return np.clip(100 + slope, 0, 255).astype(np.uint8)


def described(grey: Any, flow: Field, length: int = 6) -> dict[str, Any]:
    """The descriptors of the points of a level after `length` equal frames, one of the middle points."""
    tracks = Tracks(SIZE, (1.0, 1.0), length, 5)
    kept = Described(NAMES, tracks)
    kept.begin(tracks.sample(np.ones((SIZE[1], SIZE[0]), np.float32), 0.001))
    for _ in range(length):
        kept.see(grey, flow)
        tracks.advance(field((0, 0)), flow)
    ended = tracks.end(length)
    middle = int(np.argmin(np.abs(ended.points[:, 0] - (40, 32)).sum(1)))
    return {name: rows[middle] for name, rows in kept.of(ended.places).items()}


def test_published_widths() -> None:
    assert [width_of(name, 15) for name in ("trajectory", *NAMES)] == [30, 96, 108, 96, 96]
    assert width_of("trajectory", 10) == 20
    found = described(ramp(0), field((1, 0)))
    assert [len(found[name]) for name in NAMES] == [96, 108, 96, 96]


def test_a_trajectory_is_its_steps_over_its_length() -> None:
    points = np.array([[[0, 0], [3, 4], [3, 9]]], np.float32)
    assert trajectory(points)[0] == pytest.approx([0.3, 0.4, 0, 0.5])
    assert np.isfinite(trajectory(np.zeros((2, 4, 2), np.float32))).all()


def cell(vector: Any, name: str) -> Any:
    """The first cell of the first part of a descriptor, its values as shares of the whole patch."""
    return vector.reshape(3, 4, BINS[name])[0, 0] ** 2


def test_each_part_is_the_root_of_shares_that_sum_to_one() -> None:
    found = described(ramp(30), field((1, 2)))
    for name in NAMES:
        parts = found[name].reshape(3, -1)
        assert (parts**2).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
        assert np.allclose(parts[0], parts[1])  # nothing changed in between


def test_gradients_fall_into_the_bins_of_their_direction() -> None:
    for place, direction in enumerate((0, 45, 90, 135, 180, 225, 270, 315)):
        share = cell(described(ramp(direction), field((0, 0)))["hog"], "hog")
        assert share.argmax() == place
    slanted = cell(described(ramp(0), field((0, 0)))["hog"], "hog")
    assert slanted[0] > 0.24  # of four equal cells


def test_still_flow_is_counted_apart() -> None:
    still = cell(described(ramp(0), field((0.3, 0.2)))["hof"], "hof")
    assert still.argmax() == 8
    assert still[8] == pytest.approx((256 + EPSILON) / (4 * 256 + 36 * EPSILON), rel=1e-4)
    moves = cell(described(ramp(0), field((0, -0.5)))["hof"], "hof")
    assert moves.argmax() == 6


def test_a_direction_between_two_bins_is_shared() -> None:
    angle = np.radians(45 + 45 / 4)
    shares = cell(described(ramp(0), field((3 * np.cos(angle), 3 * np.sin(angle))))["hof"], "hof")
    assert shares[1] / shares[2] == pytest.approx(3, rel=1e-2)


def test_motion_boundaries_see_changes_of_the_flow_only() -> None:
    uniform = described(ramp(0), field((4, 1)))
    for name in ("mbhx", "mbhy"):
        assert np.allclose(cell(uniform[name], name), 1 / 32)  # nothing but epsilon
    values = np.zeros((SIZE[1], SIZE[0], 2), np.float32)
    values[..., 0] = np.arange(SIZE[1])[:, None]
    sheared = described(ramp(0), field(values))
    assert cell(sheared["mbhx"], "mbhx").argmax() == 2  # u grows downwards: 90 degrees
    assert np.allclose(cell(sheared["mbhy"], "mbhy"), 1 / 32)
