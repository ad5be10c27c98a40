"""Points become discs of an exact radius where enough of them stand together."""

import numpy as np
import pytest

from ego.extractors._discs import count, discs, supported


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
