"""SORT against the published tracker's numbers and closed forms."""

from pathlib import Path

import numpy as np
import pytest

from ego.extractors._boxes import overlaps, suppress
from ego.extractors._sort import Kalman, Sort, match

RUNS = {"seq3101_age1_hits3_iou0.3": (1, 3, 0.3), "seq3101_age10_hits3_iou0.3": (10, 3, 0.3),
        "seq3101_age3_hits1_iou0.5": (3, 1, 0.5)}  # fmt: skip
FRAMES = 40


@pytest.mark.parametrize("run", RUNS)
def test_the_published_tracks(run: str, shared_data: Path):
    with np.load(shared_data / "parity" / "sort.npz") as pins:
        detections, expected = pins[f"{run}/detections_f64"], pins[f"{run}/tracks_f64"]
    tracker, found = Sort(*RUNS[run]), []
    for frame in range(1, FRAMES + 1):
        tracked = tracker.update(detections[detections[:, 0] == frame, 1:5])
        for place in np.flatnonzero(tracked.shown):
            found.append([frame, *tracked.boxes[place], tracked.ids[place]])
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-9)


def test_the_published_filter(shared_data: Path):
    with np.load(shared_data / "parity" / "sort.npz") as pins:
        boxes, predicted = pins["kalman/boxes_f64"], pins["kalman/state_predicted_f64"]
        updated, unsure = pins["kalman/state_updated_f64"], pins["kalman/P_updated_f64"]
    filters = Kalman()
    filters.begin(boxes[:1])
    for step, state in enumerate(predicted):
        filters.predict()
        np.testing.assert_allclose(filters.state[0], state, rtol=1e-9, atol=1e-9)
        if step < len(updated):
            filters.update(np.array([0]), boxes[step + 1 : step + 2])
            np.testing.assert_allclose(filters.state[0], updated[step], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(filters.unsure[0], unsure[step], rtol=1e-9, atol=1e-9)


def test_a_box_at_constant_speed_is_learnt():
    filters = Kalman()
    filters.begin(square(100.0))
    for step in range(1, 6):
        filters.predict()
        filters.update(np.array([0]), square(100.0 + 4 * step))
    assert filters.state[0, 0] == pytest.approx(119.9999, abs=5e-5)
    assert filters.state[0, 4] == pytest.approx(3.9999, abs=5e-5)
    filters.predict()
    assert filters.state[0, 0] == pytest.approx(123.9998, abs=5e-5)


def square(centre: float) -> np.ndarray:
    return np.array([[centre - 25, 75.0, centre + 25, 125.0]])


def test_two_tracks_at_once_are_two_tracks_alone():
    both, left, right = Kalman(), Kalman(), Kalman()
    starts = [square(100.0), square(400.0)]
    for filters, boxes in ((both, np.vstack(starts)), (left, starts[0]), (right, starts[1])):
        filters.begin(boxes)
        filters.predict()
        filters.update(np.arange(len(boxes)), boxes + 3)
        filters.predict()
    np.testing.assert_allclose(both.state, np.vstack([left.state, right.state]), rtol=1e-12)
    np.testing.assert_allclose(both.unsure, np.concatenate([left.unsure, right.unsure]), rtol=1e-12)


def test_a_late_track_shows_at_its_fourth_detection_and_at_the_third_after_a_gap():
    tracker, shown = Sort(max_age=5, min_hits=3), []
    seen = [False] * 5 + [True] * 5 + [False] * 2 + [True] * 4
    for here in seen:
        tracked = tracker.update(square(100.0) if here else np.zeros((0, 4)))
        shown.append(bool(tracked.shown.any()))
    assert [frame for frame, one in enumerate(shown) if one] == [8, 9, 14, 15]


def test_a_gap_is_predicted_until_the_track_dies():
    tracker = Sort(max_age=2)
    for step in range(5):
        tracker.update(square(100.0 + 4 * step))
    alive = [tracker.update(np.zeros((0, 4))) for _ in range(4)]
    assert [len(one.ids) for one in alive] == [1, 1, 0, 0]
    assert alive[1].detection[0] == -1
    assert alive[1].boxes[0, [0, 2]].mean() == pytest.approx(124, abs=0.1)


def test_a_track_without_a_box_is_dropped():
    tracker = Sort(max_age=9)
    tracker.update(np.array([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 50.0, 60.0]]))  # the second has no width
    assert len(tracker.update(np.zeros((0, 4))).ids) == 1


def test_pairs_are_those_of_the_greatest_sum():
    predicted = np.array([[0.0, 0, 10, 10], [4.0, 0, 14, 10]])
    boxes = np.array([[3.0, 0, 13, 10], [-3.0, 0, 7, 10]])  # both overlap the first by more than the threshold
    detections, tracks, fresh = match(boxes, predicted, 0.3)
    assert dict(zip(detections.tolist(), tracks.tolist(), strict=True)) == {0: 1, 1: 0}
    assert len(fresh) == 0


def test_overlap_and_suppression():
    boxes = np.array([[0.0, 0, 2, 2], [1.0, 0, 3, 2], [5.0, 5, 6, 6], [0.0, 0, 2, 2]])
    assert overlaps(boxes[:1], boxes)[0] == pytest.approx([1, 1 / 3, 0, 1])
    assert suppress(boxes, np.array([0.5, 0.9, 0.1, 0.5]), 0.3).tolist() == [1, 2]
    assert suppress(boxes, np.array([0.5, 0.9, 0.1, 0.5]), 0.4).tolist() == [1, 0, 2]
