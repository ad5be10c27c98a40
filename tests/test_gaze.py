"""The value of a frame from its samples, and heatmaps around it: closed forms and published rules."""

import math

import numpy as np
import pytest

from ego.gaze import FIXATION, SACCADE, TRUNCATED, UNKNOWN, UNTRACKED, by_frame, heatmap, kernel_heatmap
from ego.video import Reading

YES = np.ones(1, bool)


def reading(*samples: tuple, **more: list) -> Reading:
    """Samples (seconds, x, y, type)."""
    rows = np.array(samples, float).reshape(-1, 4)
    arrays = {"point": rows[:, 1:3], "type": rows[:, 3].astype(np.int8)}
    return Reading("gaze", np.repeat(rows[:, 0], 2).reshape(-1, 2), arrays | {k: np.array(v) for k, v in more.items()})


def test_the_median_of_the_best_kind_speaks_for_a_frame() -> None:
    gaze = reading((0.01, 0.1, 0.2, 1), (0.02, 0.3, 0.2, 1), (0.03, 0.9, 0.9, 2), (0.11, 0.5, 0.5, 2), (0.25, 0, 0, 0))
    point, kinds, blink = by_frame(gaze, np.arange(4) / 10)
    assert point == pytest.approx(np.array([[0.2, 0.2], [0.5, 0.5], [0, 0]]))
    assert kinds.tolist() == [FIXATION, SACCADE, UNTRACKED]
    assert not blink.any()


def test_folded_pairwise_later_samples_weigh_more() -> None:
    gaze = reading((0.01, 100 / 1280, 100 / 960, 1), (0.02, 300 / 1280, 300 / 960, 2), (0.02, 0.9, 0.9, 4))
    point, kinds, _ = by_frame(gaze, np.array([0.0, 0.015, 0.1]), "pairwise")
    assert kinds.tolist() == [FIXATION, TRUNCATED]
    point, kinds, _ = by_frame(reading((0.01, 0.1, 0.1, 1), (0.02, 0.3, 0.3, 2)), np.array([0.0, 0.1]), "pairwise")
    assert point[0] == pytest.approx([0.2, 0.2])
    assert kinds.tolist() == [SACCADE]
    point, _, _ = by_frame(
        reading((0, 0.1, 0.1, 1), (0.01, 0.3, 0.3, 1), (0.02, 0.8, 0.8, 1)), np.array([0, 0.1]), "pairwise"
    )
    assert point[0] == pytest.approx([0.5, 0.5])


def test_the_nearest_sample_is_not_the_last() -> None:
    gaze = reading((0.030, 0.1, 0.1, 3), (0.034, 0.2, 0.2, 3), (0.060, 0.9, 0.9, 3), (0.2, 0.4, 0.4, 1))
    point, kinds, _ = by_frame(gaze, np.arange(5) / 30, "nearest")
    assert point[1] == pytest.approx([0.2, 0.2])
    assert point[2] == pytest.approx([0.9, 0.9])
    assert kinds.tolist() == [UNKNOWN, UNKNOWN, UNKNOWN, UNTRACKED]  # too far from any
    assert by_frame(gaze, np.array([0.3, 0.33]), "nearest")[1].tolist() == [UNTRACKED]


def test_slow_samples_reach_the_frames_between_only_by_nearest() -> None:
    gaze = reading(*[(k / 10, k / 20, 0.5, 3) for k in range(11)])
    edges = np.arange(31) / 30
    assert (by_frame(gaze, edges)[1] == UNKNOWN).sum() == 10
    assert (by_frame(gaze, edges, "nearest")[1] == UNKNOWN).all()


def test_what_is_no_point_is_untracked_and_what_is_outside_is_held_at_the_edge() -> None:
    gaze = reading((0.0, math.nan, math.nan, 1), (0.1, 1.2, -0.1, 1), (0.2, 0.5, 0.5, 3), confidence=[1.0, 1.0, 0.3])
    point, kinds, _ = by_frame(gaze, np.arange(4) / 10)
    assert kinds.tolist() == [UNTRACKED, TRUNCATED, UNTRACKED]
    assert point.tolist() == [[0, 0], [1, 0], [0, 0]]
    sure = by_frame(gaze, np.arange(4) / 10, least_confidence=0.0)
    assert sure[1].tolist() == [UNTRACKED, TRUNCATED, UNKNOWN]


def test_a_sample_on_a_frames_own_time_is_that_frames() -> None:
    """Truth on the frame's second falls on either side of a container's rounded clock."""
    gaze = reading(*[(k / 30, 0.5, 0.5, 1) for k in range(10)], blink=[False, True] + [False] * 8)
    for edges in (np.arange(11) / 30, np.round(np.arange(11) / 30, 3), np.arange(11) / 30 + 1e-7):
        assert (by_frame(gaze, edges)[1] == FIXATION).all()
        assert by_frame(gaze, edges)[2].tolist() == [False, True] + [False] * 8


@pytest.mark.parametrize("label", ["median", "nearest", "pairwise"])
def test_without_samples_all_is_untracked(label: str) -> None:
    point, kinds, blink = by_frame(reading(), np.arange(3) / 24, label)
    assert point.tolist() == [[0, 0], [0, 0]]
    assert kinds.tolist() == [UNTRACKED, UNTRACKED]
    assert blink.tolist() == [False, False]


@pytest.mark.parametrize(
    ("sigma", "corner", "side", "mean", "zero"),
    [(3.5, 0.47965, 0.69257, 0.73564, 0.56151), (3.0, 0.36788, 0.60653, 0.66456, 0.47173)],
)
def test_the_released_target_of_stam(sigma: float, corner: float, side: float, mean: float, zero: float) -> None:
    target = heatmap(np.array([[3 / 7, 3 / 7]]), YES, (7, 7), sigma, centres="whole")[0]
    assert target[3, 3] == pytest.approx(1)
    assert target[0, 0] == pytest.approx(corner, abs=1e-5)
    assert target[0, 3] == target[3, 6] == pytest.approx(side, abs=1e-5)
    assert target.mean() == pytest.approx(mean, abs=1e-5)
    assert (target**2).mean() == pytest.approx(zero, abs=1e-5)
    far = heatmap(np.array([[0.0, 0.0]]), YES, (7, 7), 3.5, centres="whole")[0]
    assert far[6, 6] == pytest.approx(math.exp(-72 / 24.5), abs=1e-5)
    middle = heatmap(np.array([[0.5, 0.5]]), YES, (7, 7), 3.5, centres="whole")[0]
    assert (middle.max(), middle.min()) == pytest.approx((0.97980, 0.36788), abs=1e-5)


def test_columns_follow_x_and_sigma_is_half_the_height() -> None:
    found = heatmap(np.array([[0.9, 0.1]]), YES, (7, 14))[0]
    assert np.unravel_index(found.argmax(), found.shape) == (0, 12)
    assert np.array_equal(found, heatmap(np.array([[0.9, 0.1]]), YES, (7, 14), 3.5)[0])


def test_maps_of_probability_sum_to_one_and_what_is_not_valid_is_nothing() -> None:
    point = np.random.default_rng(0).uniform(0, 1, (50, 2))
    valid = np.arange(50) % 3 > 0
    for found in (heatmap(point, valid, (14, 14), 2.0, "prob"), kernel_heatmap(point, valid, (56, 56), 19)):
        assert found.sum(axis=(1, 2)) == pytest.approx(valid.astype(float), abs=1e-6)


def test_mirrored_gaze_gives_the_mirrored_map_only_between_cells() -> None:
    point = np.array([[0.3, 0.6]])
    mirrored = np.array([[0.7, 0.6]])
    assert np.allclose(heatmap(mirrored, YES, (7, 7)), heatmap(point, YES, (7, 7))[..., ::-1], atol=1e-6)
    whole = heatmap(mirrored, YES, (7, 7), centres="whole")
    assert not np.allclose(whole, heatmap(point, YES, (7, 7), centres="whole")[..., ::-1], atol=1e-2)


def test_the_square_kernel_of_glc() -> None:
    """OpenCV's automatic sigma for 19 cells is 3.2; the square is cut at its edge and at the map's."""
    import cv2

    found = kernel_heatmap(np.array([[0.5, 0.25], [0.0, 1.0]]), np.ones(2, bool), (56, 56), 19)
    line = cv2.getGaussianKernel(19, -1)
    assert found[0, 5:24, 19:38] == pytest.approx(line @ line.T, abs=1e-6)
    assert found[0, 4].sum() == found[0, :, 38].sum() == 0
    assert np.unravel_index(found[1].argmax(), (56, 56)) == (55, 0)
    assert (found[1] > 0).sum() == 9 * 10
