"""Steps of rows: when each of them is, and which stored rows label it."""

import numpy as np
import pytest

from ego.extractors.i3d import I3D
from ego.extractors.mfnet import MFNet
from ego.pipeline.targets import Leading, resample, step_times
from ego.sampling import Window
from ego.tasks._base import Target
from ego.tasks.heatmap import Heatmap
from ego.video import Array, Timeline

FPS = 16


def frames(count: int, fps: float = FPS) -> np.ndarray:
    """(count, 3) start, centre and stop of frames."""
    start = np.arange(count) / fps
    return np.stack([start, start + 0.5 / fps, start + 1 / fps], 1)


def rows(window: Window, count: int, fps: float = FPS) -> np.ndarray:
    """(rows, 3) the times of the rows of a window on a video of `count` frames."""
    return np.array([row.time for row in window.rows(Timeline.regular(count, fps))])


def network(**window):
    return I3D(weights="random:0", taps=("Mixed_3b",), window=Window(**window))


def in_frames(steps: np.ndarray) -> list:
    """Steps in frames instead of seconds, to the hundredth."""
    return np.round(steps * FPS, 2).tolist()


def test_steps_of_a_window_are_its_equal_parts():
    window = Window(frames=16, stride=16)
    steps = step_times(rows(window, 32), 2, network(frames=16, stride=16))
    assert in_frames(steps) == [[[0, 0.5, 4, 8], [8, 8.5, 12, 16]], [[16, 16.5, 20, 24], [24, 24.5, 28, 32]]]


def test_steps_of_a_window_with_an_interval_begin_with_their_frames():
    """16 frames, every second: 8 steps begin with frames 0, 4, 8 ... each has two; MFNet labels the first."""
    window = {"frames": 16, "stride": 32, "interval": 2}
    steps = step_times(rows(Window(**window), 64), 8, MFNet(weights="random:0", window=Window(**window)))
    assert in_frames(steps)[0] == [[4 * k, 4 * k + 0.5, 4 * k + 2, 4 * k + 4] for k in range(8)]


@pytest.mark.parametrize("rate", [None, float(FPS)])
def test_steps_beyond_the_end_of_the_video_have_no_length(rate):
    """16 frames of which the second row has 6: its third and fourth step repeat the last frame."""
    window = {"frames": 16, "stride": 16, "fps": rate}
    steps = step_times(rows(Window(**window), 22), 4, network(**window))
    assert in_frames(steps)[1] == [[16, 16.5, 18, 20], [20, 20.5, 21, 22], [22, 22, 22, 22], [22, 22, 22, 22]]
    labels = resample(Target(np.arange(22), np.ones(22, bool)), frames(22), steps.reshape(-1, 4), "first")
    assert labels.values[4:].tolist() == [16, 20, 0, 0]
    assert labels.valid[4:].tolist() == [True, True, False, False]


def test_steps_of_spans():
    spans = np.array([[1.0, 3.0]])
    whole = Window(frames=4, at="segments")
    times = np.array([row.time for row in whole.rows(Timeline.regular(80, FPS), spans)])
    assert in_frames(step_times(times, 2, network(frames=4, at="segments")))[0] == [[16, 20, 24, 32], [32, 36, 40, 48]]
    # at a rate the four moments are the first quarter of it; with 40 a second and a half are beyond it
    part = step_times(times, 2, network(frames=4, at="segments", fps=8.0))
    assert in_frames(part)[0] == [[16, 17, 18, 20], [20, 21, 22, 24]]
    beyond = step_times(times, 4, network(frames=32, at="segments", fps=8.0))
    assert in_frames(beyond)[0][2:] == [[48, 48, 48, 48]] * 2


def test_one_step_is_the_row():
    time = frames(4)
    assert step_times(time, 1, network())[:, 0] == pytest.approx(time[:, [0, 1, 1, 2]])
    assert step_times(np.empty((0, 3)), 3, network(frames=16)).shape == (0, 3, 4)


STEPS = np.array([[0, 0.5, 4, 8], [8, 8.5, 12, 16]]) / FPS


@pytest.mark.parametrize(
    ("how", "lost", "values", "valid"),
    [
        ("first", [], [0, 8], [True, True]),
        ("first", [0], [0, 8], [False, True]),
        ("nearest", [], [3, 11], [True, True]),  # between two the earlier
        ("nearest", [3, 4, 11], [2, 12], [True, True]),
        ("nearest", list(range(8)), [0, 11], [False, True]),
        ("mean", [], [3.5, 11.5], [True, True]),
        ("mean", [0, 1, 2, 3], [5.5, 11.5], [True, True]),  # of those that count
        ("mean", [1, 2, 3, 4, 5, 6, 7], [0, 11.5], [True, True]),
        ("mean", list(range(8, 16)), [3.5, 0], [True, False]),
    ],
)
def test_rows_on_steps(how, lost, values, valid):
    counts = np.ones(16, bool)
    counts[lost] = False
    found = resample(Target(np.arange(16), counts), frames(16), STEPS, how)
    assert found.values.tolist() == values
    assert found.valid.tolist() == valid


def test_each_mark_is_read_from_the_rows_where_it_is_there():
    values = np.stack([np.arange(16), 100 + np.arange(16)], 1)
    counts = np.ones((16, 2), bool)
    counts[:12, 1] = False
    found = resample(Target(values, counts), frames(16), STEPS, "mean")
    assert found.values.tolist() == [[3.5, 0], [11.5, 113.5]]
    assert found.valid.tolist() == [[True, False], [True, True]]


def test_rows_longer_than_steps_label_them_all():
    time = np.array([[0.0, 0.5, 1.0], [1.0, 1.5, 2.0]])
    steps = np.array([[k / 4, k / 4 + 0.01, k / 4 + 1 / 8, (k + 1) / 4] for k in range(8)])
    for how in ("first", "nearest", "mean"):
        found = resample(Target(np.array([7, 9]), np.ones(2, bool)), time, steps, how)
        assert found.values.tolist() == [7] * 4 + [9] * 4


def test_the_row_on_display_need_not_have_the_nearest_centre():
    time = np.array([[0.0, 0.5, 1.0], [1.0, 1.05, 1.1]])
    found = resample(Target(np.array([7, 9]), np.ones(2, bool)), time, np.array([[0.9, 0.9, 0.95, 1.0]]), "first")
    assert (found.values.tolist(), found.valid.tolist()) == ([7], [True])


def test_no_row_is_no_label():
    found = resample(Target(np.empty((0, 2, 2)), np.empty((0, 2), bool)), np.empty((0, 3)), STEPS, "nearest")
    assert found.values.shape == (2, 2, 2)
    assert not found.valid.any()


def test_gaze_that_is_constant_and_gaze_that_moves():
    """Sixteen frames on two steps: the second half has no part in the first step."""
    point = np.full((16, 2), 0.4, np.float32)
    task = Heatmap()
    counts = np.ones(16, bool)
    same = resample(Target(point, counts, "points"), frames(16), STEPS, task.how)
    assert same.values[0] == pytest.approx(same.values[1])
    point[8:] = 0.9
    two = resample(Target(point, counts, "points"), frames(16), STEPS, task.how)
    assert two.values == pytest.approx(np.array([[0.4, 0.4], [0.9, 0.9]]))


def test_a_moment_between_two_rows_that_rounding_parts_is_labelled():
    """Rows of a tenth of a second whose stops are computed: 4.6 + 0.1 is less than 4.7."""
    start = np.arange(60) / 10
    time = np.stack([start, start + 0.05, start + 0.1], 1)
    first = 4.6 + 0.2 / 2
    assert time[46, 2] <= first < time[47, 0]
    step = np.array([[4.6, first, 4.7, 4.8]])
    assert resample(Target(np.arange(60), np.ones(60, bool)), time, step, "first").valid.tolist() == [True]


def test_a_last_row_moved_back_counts_what_it_shows_first():
    """20 frames in rows of 16 that end with the video: of the second row only the last four frames are new."""
    window = {"frames": 16, "stride": 16, "edge": "align"}
    shown = Array((8, 4, 7, 7), "float16", "map")
    leading = Leading.of(rows(Window(**window), 20), 4, network(**window), shown)
    assert in_frames(leading.steps)[1][0] == [4, 4.5, 6, 8]
    assert leading.counts.tolist() == [[True] * 4, [False, False, False, True]]
