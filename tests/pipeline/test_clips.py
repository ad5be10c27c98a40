"""Which rows a clip sees: by their centres, or the nearest to evenly spaced moments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ego.errors import BadRequest
from ego.pipeline.clips import _check_apart, moments, nearest, rows_of
from ego.video import Clip, Video


def grid(rows, step=0.5, start=0.0):
    begin = start + np.arange(rows) * step
    return np.stack([begin, begin + step / 2, begin + step], 1)


@pytest.mark.parametrize(
    ("parts", "count", "seen"),
    [
        (((1.0, 2.0),), 0, [2, 3]),
        (((1.0, 2.25),), 0, [2, 3]),  # a centre at the stop belongs to what follows
        (((1.0, 2.26),), 0, [2, 3, 4]),
        (((1.3, 1.7),), 0, [2]),  # no centre inside: the nearer row, of two the earlier
        (((1.6, 1.6),), 0, [3]),
        ((), 0, list(range(10))),
        (((0.0, 1.0), (3.0, 4.0)), 0, [0, 1, 6, 7]),
        (((0.0, 5.0),), 2, [2, 7]),
        (((0.0, 1.0), (3.0, 4.0)), 1, [0, 6]),
        (((1.0, 1.5),), 3, [2, 2, 2]),
        ((), 5, [0, 2, 4, 6, 8]),
    ],
)
def test_rows_of_a_clip(parts, count, seen):
    assert rows_of(grid(10), parts, count).tolist() == seen


def test_no_rows_are_no_rows():
    assert rows_of(np.empty((0, 3)), ((0.0, 1.0),), 0).tolist() == []
    assert rows_of(np.empty((0, 3)), (), 4).tolist() == []


def test_moments_are_the_centres_of_equal_parts():
    assert moments([(0.0, 2.0), (4.0, 5.0)], 2).tolist() == [0.5, 1.5, 4.25, 4.75]


numbers = st.lists(st.integers(-50, 50), min_size=1, max_size=20)


@settings(deadline=None)
@given(numbers, numbers)
def test_nearest_is_the_nearest(centres, wanted):
    centres, wanted = np.array(centres, float), np.array(wanted, float)
    found = centres[nearest(centres, wanted)]
    assert np.array_equal(np.abs(found - wanted), np.abs(centres[:, None] - wanted).min(axis=0))


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(0, 10), st.floats(0.01, 10))
def test_every_row_belongs_to_exactly_one_of_the_clips_that_tile_a_video(rows, cut, step):
    time = grid(rows, step)
    end = float(time[-1, 2])
    cut = min(cut, end)
    first = np.flatnonzero((time[:, 1] >= 0) & (time[:, 1] < cut))
    second = np.flatnonzero((time[:, 1] >= cut) & (time[:, 1] < end))
    together = [rows_of(time, ((a, b),), 0).tolist() for a, b in ((0.0, cut), (cut, end))]
    assert [row for row, inside in zip(together, (first, second), strict=True) if len(inside)] == [
        inside.tolist() for inside in (first, second) if len(inside)
    ]


def test_splits_that_cut_through_videos_must_not_share_seconds():
    clips = [Clip(Video("a" * 64, "a", "a"), (span,)) for span in ((0.0, 1.0), (1.0, 2.0), (0.0, 1.0))]
    splits = {"train": np.array([0]), "test": np.array([1])}
    _check_apart("", splits, clips, within_videos=True)
    with pytest.raises(BadRequest, match="the video 'a' is in train and in test"):
        _check_apart("", splits, clips, within_videos=False)
    with pytest.raises(BadRequest, match="the video 'a' is in train and in test of fold '1'"):
        _check_apart("1", {"train": np.array([0]), "test": np.array([2])}, clips, within_videos=True)
    with pytest.raises(BadRequest, match="there is no clip to train on, expected some in the split 'train'"):
        _check_apart("", {"test": np.array([1])}, clips, within_videos=True)
