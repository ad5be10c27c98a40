"""Colours of features: equal rows look equal, different ones differ, odd values do not break the picture."""

import numpy as np

from ego.report.strip import ansi, colours, flat, norms, resampled


def test_equal_rows_have_equal_colours_and_two_scenes_differ() -> None:
    scenes = np.repeat(np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32), 10, axis=0)
    seen = colours(scenes)
    assert len(np.unique(seen[:10], axis=0)) == len(np.unique(seen[10:], axis=0)) == 1
    assert (seen[0] != seen[10]).any()


def test_the_first_colour_follows_the_direction_of_greatest_variance_whatever_the_sign() -> None:
    slope = np.linspace(-1, 1, 50)[:, None].astype(np.float32)
    rows = np.concatenate([slope * 10, slope[::-1] * 0.1, np.zeros_like(slope)], axis=1)
    red = colours(rows)[:, 0].astype(int)
    assert (np.diff(red) >= 0).all()
    assert (red[0], red[-1]) == (0, 255)
    assert np.array_equal(colours(rows), colours(rows.copy()))


def test_values_that_are_not_finite_leave_the_other_rows_as_they_are() -> None:
    rows = np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32)
    rows[3] = np.nan
    assert colours(rows).shape == (20, 3)
    assert np.isnan(norms(rows)[3])
    assert np.isfinite(np.delete(norms(rows), 3)).all()


def test_large_rows_are_thinned_and_no_rows_are_no_colours() -> None:
    assert flat(np.zeros((3, 2, 240, 320), np.int8)).shape == (3, 4043)
    assert colours(np.zeros((0, 5), np.float32)).shape == (0, 3)


def test_a_strip_has_at_most_its_width_and_averages_its_parts() -> None:
    pixels = np.array([[0, 0, 0], [100, 0, 0], [200, 10, 0], [200, 30, 0]], np.uint8)
    assert resampled(pixels, 2) == [(50, 0, 0), (200, 20, 0)]
    assert ansi(pixels, 2).count("█") == 2
