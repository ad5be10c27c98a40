"""Points are sampled once a cell, moved with the flow and judged by the published thresholds."""

from typing import Any

import numpy as np
import pytest

from ego.extractors._idt_flow import Field
from ego.extractors._idt_tracks import Tracks, survives
from ego.extractors.idt import IDT

SIZE = (60, 40)


def moving(x: float, y: float) -> Field:
    return Field(np.tile(np.array([x, y], np.float32), (SIZE[1], SIZE[0], 1)), np.ones(2, np.float32))


def textured() -> Any:
    return np.ones((SIZE[1], SIZE[0]), np.float32)


def fresh(length: int = 10) -> Tracks:
    return Tracks(SIZE, (1.0, 1.0), length, 5)


def straight(steps: Any) -> Any:
    """(1, L + 1, 2) a path along x with these steps."""
    path = np.zeros((1, len(steps) + 1, 2), np.float32)
    path[0, 1:, 0] = np.cumsum(steps)
    return path


def kept(steps: Any, own: float = 5.0, **fields: Any) -> bool:
    spec = IDT(length=len(steps), **fields)
    return bool(survives(straight(steps), np.full((1, len(steps), 1), own, np.float32) * (1, 0), spec)[0])


@pytest.mark.parametrize(("length", "slow", "fast"), [(10, 0.5477, 15.81), (15, 0.3757, 10.85)])
def test_constant_speed_is_kept_between_the_closed_forms(length: int, slow: float, fast: float) -> None:
    factor = np.sqrt(((length + 1) ** 2 - 1) / 12)
    assert straight(np.ones(length)).std(axis=1)[0, 0] == pytest.approx(factor, rel=1e-5)
    assert factor == pytest.approx({10: 3.1623, 15: 4.6098}[length], abs=1e-4)
    for speed, expected in ((slow - 1e-3, False), (slow + 1e-3, True), (fast - 0.01, True), (fast + 0.01, False)):
        assert kept([speed] * length) is expected


def test_one_direction_that_spreads_is_enough_to_be_kept_and_to_be_random() -> None:
    spec = IDT()
    path = straight([1.0] * 10)
    path[0, :, 1] = 30 * np.arange(11)
    own = np.full((1, 10, 2), 5, np.float32)
    assert not survives(path, own, spec)[0]
    path[0, :, 1] = 0
    assert survives(path, own, spec)[0]


def test_a_jump_is_both_long_and_most_of_the_path() -> None:
    assert not kept([1.0] * 9 + [25.0])
    assert kept([1.0] * 9 + [19.0])
    assert kept([5.0] * 9 + [25.0])  # 25 of 70
    assert kept([1.0] * 9 + [25.0], jump_share=0.74)


def test_the_camera_threshold_is_exceeded_not_met() -> None:
    assert not kept([2.0] * 10, own=1.0)
    assert kept([2.0] * 10, own=1.01)
    own = np.zeros((1, 10, 2), np.float32)
    own[0, 4, 1] = -1.01  # one step is enough
    assert survives(straight([2.0] * 10), own, IDT())[0]


def test_no_cell_gets_a_second_point() -> None:
    tracks = fresh()
    assert len(tracks.sample(textured(), 0.001)) == 12 * 8
    _, points, _ = tracks.positions
    assert sorted({tuple(point) for point in points % 5}) == [(2, 2)]
    assert len(tracks.sample(textured(), 0.001)) == 0
    tracks.advance(moving(5, 0), moving(5, 0))
    began = tracks.sample(textured(), 0.001)
    _, points, steps = tracks.positions
    assert len(began) == 8  # the first column is free again
    assert sorted(points[steps == 0][:, 0]) == [2] * 8
    cells = (points // 5).astype(int)
    assert len(np.unique(cells, axis=0)) == len(cells)


def test_only_textured_cells_are_sampled() -> None:
    assert len(fresh().sample(np.zeros((SIZE[1], SIZE[0]), np.float32), 0.001)) == 0
    values = np.zeros((SIZE[1], SIZE[0]), np.float32)
    values[7, 12], values[22, 32], values[3, 3] = 1.0, 0.001, 1000.0
    assert len(fresh().sample(values, 0.001)) == 0  # 1.0 is not above a thousandth of 1000
    values[3, 3] = 999.0
    tracks = fresh()
    assert len(tracks.sample(values, 0.001)) == 1
    assert tracks.positions[1].tolist() == [[12, 7]]


def test_points_end_with_their_length_and_their_own_motion() -> None:
    tracks = fresh(3)
    tracks.sample(textured(), 0.001)
    for step in range(3):
        assert len(tracks.end(3).points) == 0
        tracks.advance(moving(0.5, 0.25), moving(0, step))
    ended = tracks.end(3)
    assert len(ended.points) == 12 * 8
    assert np.diff(ended.points, axis=1).reshape(-1, 2).tolist() == [[0.5, 0.25]] * (12 * 8 * 3)
    assert np.hypot(*ended.own[0].T).tolist() == [0, 1, 2]
    assert len(tracks.positions[0]) == 0


def test_a_point_that_leaves_the_picture_is_dropped_and_never_comes_back() -> None:
    tracks = fresh(4)
    tracks.sample(textured(), 0.001)
    tracks.advance(moving(-2, 0), moving(0, 0))  # 2 - 2 = 0 is outside
    assert tracks.positions[1][:, 0].min() == 5
    for _ in range(3):
        tracks.advance(moving(0, 0), moving(0, 0))
    assert len(tracks.end(4).points) == 11 * 8


def test_places_grow_where_more_points_are_alive_than_cells() -> None:
    tracks = fresh(30)
    for _ in range(6):
        tracks.sample(textured(), 0.001)
        pull = np.zeros((SIZE[1], SIZE[0], 2), np.float32)
        x = np.arange(SIZE[0])
        pull[..., 0] = np.where(x < 30, np.minimum(28 - x, 4), np.maximum(31 - x, -4))
        tracks.advance(Field(pull, np.ones(2, np.float32)), moving(0, 0))
    assert tracks.room > 12 * 8
    assert len(tracks.positions[0]) > 12 * 8
    assert tracks.sampled == len(tracks.positions[0])
