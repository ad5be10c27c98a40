"""Gaze of real and drawn recordings, frame by frame, and what is refused."""

from collections.abc import Iterator

import numpy as np
import pytest

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.film import direct
from ego.datasets.kitchen.world import World
from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Beside, Block
from ego.extractors.gaze import Gaze
from ego.gaze import FIXATION, SACCADE, UNKNOWN, UNTRACKED, by_frame
from ego.signals.begaze import read_begaze
from ego.video import Reading


def blocks(frames: int, fps: float, size: int = 100, start: float = 0.0) -> Iterator[Block]:
    edges = start + np.arange(frames + 1) / fps
    for first in range(0, frames, size):
        last = min(first + size, frames)
        begin, end = edges[first:last], edges[first + 1 : last + 1]
        number = np.arange(first, last)
        yield Block({}, np.stack([begin, (begin + end) / 2, end], 1), np.stack([number] * 4, 1))


def gaze(seconds: np.ndarray, kinds: list[int] | None = None) -> Reading:
    count = len(seconds)
    point = np.stack([np.linspace(0.1, 0.9, count), np.full(count, 0.5)], 1)
    types = np.array(kinds if kinds is not None else [FIXATION] * count, np.int8)
    return Reading("gaze", np.repeat(seconds, 2).reshape(-1, 2), {"point": point, "type": types})


def follow(spec: Gaze, reading: Reading, frames: int, fps: float, whole: bool = True, **more) -> dict:
    beside = Beside({"gaze": reading}, 640, 480, whole)
    found = list(spec.follow(blocks(frames, fps, **more), beside, {}, "cpu"))
    return {name: np.concatenate([rows.arrays[name] for rows in found]) for name in spec.rows({})}


def test_rows_are_those_of_the_whole_reading_however_the_blocks_fall() -> None:
    reading = gaze(np.arange(0, 9.9, 0.013), [1, 1, 2, 0, 3] * 152 + [1, 1])
    whole = by_frame(reading, np.arange(241) / 24)
    for size in (1, 7, 240):
        rows = follow(Gaze(), reading, 240, 24, size=size)
        assert np.allclose(rows["point"], whole[0])
        assert np.array_equal(rows["type"], whole[1])
        assert np.array_equal(rows["blink"], whole[2])


def test_rows_are_what_is_declared() -> None:
    rows = follow(Gaze(), gaze(np.arange(10) / 10), 24, 24)
    for name, array in Gaze().rows({}).items():
        assert rows[name].shape == (24, *array.shape)
        assert array.cast(rows[name]).dtype == np.dtype(array.dtype)


def test_a_real_session_has_its_counted_fixations(shared_data) -> None:
    samples = read_begaze(shared_data / "annotations/egtea_gaze/OP01-R04-ContinentalBreakfast.txt")
    rows = follow(Gaze(), samples.reading(), 11_787, 24)
    assert (rows["type"] == FIXATION).sum() == 8643
    assert np.isin(rows["type"], [FIXATION, SACCADE]).sum() == 11_038
    assert (rows["type"] == UNTRACKED).sum() >= 521


def test_a_lost_point_is_held_only_as_long_as_asked() -> None:
    reading = gaze(np.array([0.0, 0.5]))
    plain = follow(Gaze(), reading, 10, 10)
    assert plain["type"].tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    for size in (1, 3, 10):
        held = follow(Gaze(hold_frames=2), reading, 10, 10, size=size)
        assert held["type"].tolist() == [1, UNKNOWN, UNKNOWN, 0, 0, 1, UNKNOWN, UNKNOWN, 0, 0]
        assert held["point"][2].tolist() == held["point"][0].tolist()
        assert held["point"][3].tolist() == [0, 0]


def test_eyes_at_rest_are_told_by_how_far_the_point_goes() -> None:
    """40 of 1088 pixels from frame to frame, as GLC; the frame is as wide as 640 and as high as 480 here."""
    x = np.array([0.5, 0.53, 0.53, 0.6, 0.6, 0.6, 0.6])
    y = np.array([0.5, 0.5, 0.545, 0.545, 0.545, 0.65, 0.65])
    kinds = np.array([3, 3, 3, 3, 0, 3, 3], np.int8)
    reading = Reading(
        "gaze", np.repeat(np.arange(7) / 10, 2).reshape(-1, 2), {"point": np.stack([x, y], 1), "type": kinds}
    )
    expected = [UNKNOWN, FIXATION, FIXATION, SACCADE, UNTRACKED, UNKNOWN, FIXATION]
    for size in (1, 2, 7):
        assert follow(Gaze(still=40 / 1088), reading, 7, 10, size=size)["type"].tolist() == expected
    assert follow(Gaze(still=0.03), reading, 7, 10)["type"].tolist()[2] == SACCADE  # 0.045 of the height
    assert follow(Gaze(), reading, 7, 10)["type"].tolist() == kinds.tolist()


def test_the_true_gaze_of_the_kitchen_is_that_of_its_frames() -> None:
    known = truth.known(direct(World(seed=4, seconds=10.0).order(0)))
    seconds = np.repeat(known["seconds"][:, None], 2, 1)
    reading = Reading("gaze", seconds, {"point": known["gaze"], "type": known["gaze_type"]})
    count, fps = len(seconds), 1 / (seconds[1, 0] - seconds[0, 0])
    for label in ("median", "nearest", "pairwise"):
        rows = follow(Gaze(label=label), reading, count, fps)
        assert np.array_equal(rows["type"], known["gaze_type"])
        seen = np.isin(known["gaze_type"], [FIXATION, SACCADE, UNKNOWN])
        assert seen.mean() > 0.5
        assert np.allclose(rows["point"][seen], known["gaze"][seen], atol=1e-6)
        assert not rows["point"][known["gaze_type"] == UNTRACKED].any()


def test_gaze_of_another_video_is_refused() -> None:
    with pytest.raises(BadVideo, match=r"699 of 800 gaze samples lie outside this video of 9.00 s .* from 0 to 79.9 s"):
        follow(Gaze(), gaze(np.arange(800) / 10), 90, 10)
    with pytest.raises(BadVideo, match="10 of 10 gaze samples lie outside"):
        follow(Gaze(), gaze(500 + np.arange(10.0)), 90, 10)
    assert (follow(Gaze(), gaze(np.arange(800) / 10), 90, 10, whole=False)["type"] == FIXATION).all()
    assert (follow(Gaze(), gaze(np.arange(0)), 90, 10)["type"] == UNTRACKED).all()
    assert (follow(Gaze(), gaze(np.arange(150) / 10), 90, 10)["type"] == FIXATION).all()


def test_times_of_no_clock_are_refused() -> None:
    with pytest.raises(BadVideo, match=r"begins 2.5 s before it"):
        follow(Gaze(), gaze(np.arange(100) / 10 - 2.5), 90, 10)
    with pytest.raises(BadVideo, match=r"goes back from 0.9 to 0.8 s"):
        follow(Gaze(), gaze(np.arange(9, 0, -1) / 10), 90, 10)


def test_fields_that_mean_nothing_are_refused() -> None:
    with pytest.raises(BadRequest, match="hold_frames"):
        Gaze(hold_frames=-1)
    with pytest.raises(BadRequest, match="confidence"):
        Gaze(least_confidence=1.5)
