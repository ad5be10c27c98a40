"""Lines through patches of pixels."""

import numpy as np
import pytest

from ego.extractors._parting import Patch, axis, misfit, standing, through, two_lines

WIDE, TALL = 200, 100


def block(left: int, top: int, right: int, bottom: int) -> Patch:
    rows, columns = np.mgrid[top:bottom, left:right]
    return Patch(columns.ravel(), rows.ravel(), WIDE, TALL)


def joined(*patches: Patch) -> Patch:
    columns, rows = (np.concatenate([getattr(one, name) for one in patches]) for name in ("columns", "rows"))
    return Patch(columns, rows, WIDE, TALL)


def test_the_axis_of_a_block_is_its_long_side():
    (short, long), (across, down) = axis(block(50, 20, 62, 80))
    assert (short, long) == pytest.approx(((12**2 - 1) / 12, (60**2 - 1) / 12))
    assert (abs(across), down) == pytest.approx((0, 1), abs=1e-9)


def test_one_line_through_a_strip_misses_by_its_width_only():
    strip = block(50, 0, 62, 100)
    assert misfit(strip, [through(strip, upright=False)]) == pytest.approx(np.sqrt(143 / 12) / WIDE, rel=0.05)


def test_two_strips_are_found_from_a_rough_start():
    one, two = block(20, 10, 30, 90), block(60, 10, 70, 90)
    both = joined(one, two)
    lines = two_lines(both, both.columns < 65, upright=False)
    assert lines is not None
    assert sorted(line.place[0] for line in lines) == pytest.approx([24.5, 64.5])
    assert misfit(both, lines) < 0.2 * misfit(both, [through(both, upright=False)])
    assert two_lines(both, both.columns < 21, upright=False) is None  # a twentieth is no part


def test_only_what_is_low_and_ends_at_the_border_stands():
    assert standing(block(50, 80, 90, TALL))
    assert not standing(block(50, 80, 90, 95))
    assert not standing(block(50, 40, 90, TALL))
