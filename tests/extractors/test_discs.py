"""Points become discs of an exact radius where enough of them stand together."""

import numpy as np
import pytest

from ego.extractors._discs import count, discs, moves, supported
from ego.extractors.motion_map import MotionMap


@pytest.mark.parametrize("radius", [0.0, 3.0, 7.5, 14.0])
def test_one_mark_is_one_disc(radius: float) -> None:
    marks = np.zeros((60, 80), bool)
    marks[30, 40] = True
    y, x = np.mgrid[:60, :80]
    assert np.array_equal(discs(marks, radius), (x - 40) ** 2 + (y - 30) ** 2 <= radius**2 + 1e-6)
    assert not discs(np.zeros((60, 80), bool), radius).any()


def test_points_are_counted_at_their_pixel_and_only_inside() -> None:
    counts = np.zeros((10, 20), np.uint16)
    points = [(0.0, 0.0), (0.999, 0.999), (0.5, 0.5), (0.5, 0.5), (1.0, 0.5), (-0.01, 0.5)]
    count(counts, np.array(points, np.float32))
    assert counts.sum() == 4
    assert (counts[0, 0], counts[9, 19], counts[5, 10]) == (1, 1, 2)


def test_points_alone_are_not_supported() -> None:
    counts = np.zeros((60, 80), np.uint16)
    counts[10, 10] = 2
    counts[40, 40], counts[40, 44], counts[44, 40] = 1, 1, 1
    assert np.argwhere(supported(counts, 4.0, 3)).tolist() == [[40, 40], [40, 44], [44, 40]]
    assert np.array_equal(supported(counts, 4.0, 0), counts > 0)
    assert not supported(counts, 3.0, 3).any()  # 4 away is outside the square about a disc of 3
    assert not supported(np.zeros((60, 80), np.uint16), 4.0, 0).any()


def at(spec: MotionMap, *gain: float) -> list[int]:
    """At which of its points a track of these gains moves."""
    return np.flatnonzero(moves(spec, np.array([gain], np.float32))[0]).tolist()


def test_a_track_moves_at_the_points_of_five_steps_that_gain_enough() -> None:
    spec = MotionMap(moving_gain=0.6)
    assert at(spec, 0, 0, 0, 2, 1.5, 0, 0, 0, 0, 0) == list(range(9))  # the two in the first or the last of five
    assert at(spec, 2, 1.5, 0, 0, 0, 0, 0, 0, 0, 0) == list(range(6))
    assert at(spec, 1.5, 0, 0, 0, 0, 0, 0, 0, 0, 2) == []  # never in the same five
    assert at(spec, *[0.59] * 10) == []
    assert at(spec, *[0.61] * 10) == list(range(11))


def test_one_large_gain_is_a_hand_that_passes_and_a_loss_counts_against() -> None:
    assert at(MotionMap(), 0, 0, 0, 0, 50, 0, 0, 0, 0, 0) == []
    assert at(MotionMap(moving_gain=0.3), 0, 0, 0, 0, 50, 0, 0, 0, 0, 0) == list(range(10))
    assert at(MotionMap(), *[3, -3] * 5) == []


def test_tracks_of_few_steps_and_no_rule() -> None:
    assert at(MotionMap(), 5.0, 5.0, 0.0) == [0, 1, 2, 3]
    assert at(MotionMap(), 5.0, 0.0, -1.0) == []
    assert at(MotionMap(moving_gain=0.0), *[-1.0] * 10) == list(range(11))
    assert moves(MotionMap(), np.zeros((0, 10), np.float32)).shape == (0, 11)
