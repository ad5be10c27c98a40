"""Means over seeds and their intervals."""

import math

import pytest

from ego.pipeline.intervals import interval


def test_the_interval_is_students():
    # deviation 1, three seeds: t(2 degrees, 97.5 %) = 4.3027
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2.0, 3)
    assert found.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert interval([0.5]).half is None
