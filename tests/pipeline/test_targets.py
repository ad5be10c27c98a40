"""Labels that are stored arrays: when the steps of a row are, which rows label them, and where in the view they lie."""

from dataclasses import dataclass

import numpy as np
import pytest

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors.i3d import I3D
from ego.extractors.mfnet import MFNet
from ego.gaze import heatmap
from ego.pipeline import targets
from ego.pipeline.targets import Leading, read_targets, resample, step_times
from ego.sampling import Window
from ego.tasks._base import Target
from ego.tasks.heatmap import Heatmap
from ego.tasks.motion import Motion
from ego.tasks.point import Point
from ego.video import WHOLE, Array, Timeline

FPS = 16
DIGEST = "a" * 64
STAM = (48 / 320, 8 / 240, 272 / 320, 232 / 240)  # a crop of 224 pixels
MIRRORED = (*STAM, 1.0)


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


@dataclass
class World:
    """A store with one entry of labels."""

    store: FeatureStore
    key: FeatureKey

    def labels(self, task, shown: Array, steps=STEPS[None]) -> targets.StepLabels:
        leading = Leading(steps, np.ones(steps.shape[:2], bool), shown)
        return read_targets(task, self.store, {"own": {DIGEST: self.key}}, {DIGEST: leading})


def world(tmp_path, arrays: dict[str, Array], values: dict[str, np.ndarray] | None, count: int = 16) -> World:
    store = FeatureStore(tmp_path / "store", create=True)
    key = FeatureKey("labels", "b" * 64, DIGEST)
    if values is None:
        store.absent(key, arrays, "no eye tracker was on", {})
    else:
        block = {"time": frames(count), "source": np.full((count, 4), -1), **values}
        store.write(key, arrays, [block], {})
    return World(store, key)


HANDS = {"points": Array((2, 2), "float32", "points"), "visible": Array((2,), "bool")}
GAZE = {"point": Array((2,), "float32", "points"), "type": Array((), "int8"), "blink": Array((), "bool")}


def hands_world(tmp_path) -> World:
    points = np.tile(np.array([[0.3, 0.5], [0.8, 0.4]], np.float32), (16, 1, 1))
    visible = np.ones((16, 2), bool)
    visible[8:, 0] = False  # the left hand leaves
    return world(tmp_path, HANDS, {"points": points, "visible": visible})


def test_hands_in_the_crop_that_a_feature_shows(tmp_path):
    task = Point(who="hands")
    found = hands_world(tmp_path).labels(task, Array((8, 2, 7, 7), "float16", "map", box=STAM))
    assert found.labels.shape == (1, 2, 2, 2)
    assert found.mask.tolist() == [[[True, True], [False, True]]]
    left, right = ((x * 320 - 48) / 224 for x in (0.3, 0.8))
    assert found.labels[0, 0] == pytest.approx(
        np.array([[left, (0.5 * 240 - 8) / 224], [right, (0.4 * 240 - 8) / 224]]), abs=1e-6
    )
    assert task.say_label(found.labels[0, 1])["left"] is None


def test_hands_in_two_views_of_which_one_is_mirrored(tmp_path):
    shown = Array((2, 8, 2, 7, 7), "float16", "map", views=((*STAM, 0.0), MIRRORED))
    found = hands_world(tmp_path).labels(Point(who="hands"), shown)
    assert found.labels.shape == (1, 2, 2, 2, 2)  # rows, views, steps, hands, (x, y)
    plain, mirrored = found.labels[0]
    assert mirrored[0, ::-1, 0] == pytest.approx(1 - plain[0, :, 0], abs=1e-6)
    assert mirrored[0, ::-1, 1] == pytest.approx(plain[0, :, 1], abs=1e-6)
    assert found.mask[0, 0].tolist() == [[True, True], [False, True]]
    assert found.mask[0, 1].tolist() == [[True, True], [True, False]]  # a mirrored left hand is a right one
    kept = hands_world(tmp_path / "again").labels(Point(who="hands", swap=False), shown)
    assert kept.mask[0, 1].tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize("legacy", [False, True])
def test_gaze_beyond_the_crop_is_masked_unless_the_code_is_followed(tmp_path, legacy):
    point = np.tile(np.array([[0.1, 0.5]], np.float32), (16, 1))
    point[8:] = (0.5, 0.5)
    types = np.full(16, 1, np.int8)
    types[12:] = 4
    held = world(tmp_path, GAZE, {"point": point, "type": types, "blink": np.zeros(16, bool)})
    task = Point(points="own.point", valid="own.type", missing="legacy" if legacy else "mask")
    found = held.labels(task, Array((8, 2, 7, 7), "float16", "map", box=STAM))
    assert found.mask[0, :, 0].tolist() == [legacy, True]
    if legacy:
        assert found.labels[0, 0, 0, 0] == pytest.approx(-0.0714286, abs=1e-6)
    assert found.labels[0, 1, 0] == pytest.approx([0.5, 0.5], abs=1e-6)


def test_a_video_without_an_eye_tracker_is_masked(tmp_path):
    held = world(tmp_path, GAZE, None)
    for task in (Point(), Heatmap()):
        found = held.labels(task, Array((8, 2, 7, 7), "float16", "map"))
        assert not found.mask.any()
        assert found.labels.shape[:2] == (1, 2)


def test_the_mean_gaze_makes_the_map_of_its_view(tmp_path):
    point = np.stack([np.linspace(0.3, 0.6, 16), np.full(16, 0.5)], 1).astype(np.float32)
    held = world(tmp_path, GAZE, {"point": point, "type": np.ones(16, np.int8), "blink": np.zeros(16, bool)})
    found = held.labels(Heatmap(), Array((8, 2, 7, 7), "float16", "map", box=STAM))
    expected = (point[:8].mean(axis=0) * (320, 240) - (48, 8)) / 224
    assert found.labels[0, 0] == pytest.approx(expected, abs=1e-6)
    drawn = heatmap(found.labels[0], found.mask[0], (7, 7))
    assert drawn.argmax() == 7 * 3 + int(expected[0] * 7)


@pytest.mark.parametrize("piece", [1, 64_000_000])
def test_motion_in_a_crop_moves_with_it(tmp_path, monkeypatch, piece):
    """The lower right quarter of the frame; in the crop it begins at its own middle, mirrored it is on the left."""
    monkeypatch.setattr(targets, "PIECE_BYTES", piece)
    maps = np.zeros((16, 240, 320), bool)
    maps[8:, 120:, 160:] = True
    held = world(tmp_path, {"feature": Array((240, 320), "bool", "mask", compress=True)}, {"feature": maps})
    steps = np.concatenate([STEPS[None], STEPS[None]])
    shown = Array((2, 8, 2, 7, 7), "float16", "map", views=((*STAM, 0.0), MIRRORED))
    found = held.labels(Motion(map="own", size=14), shown, steps)
    assert found.labels.shape == (2, 2, 2, 14, 14)
    assert found.mask.all()
    expected = np.zeros((14, 14))
    expected[7:, 7:] = 1
    for row in range(2):
        assert not found.labels[row, :, 0].any()
        assert found.labels[row, 0, 1] == pytest.approx(expected, abs=0.02)
        assert found.labels[row, 1, 1] == pytest.approx(expected[:, ::-1], abs=0.02)


def test_maps_of_a_part_of_the_frame_lie_there(tmp_path):
    """A map of the right half alone says nothing of the left one."""
    array = Array((8, 8), "float32", "map", box=(0.5, 0.0, 1.0, 1.0))
    held = world(tmp_path, {"feature": array}, {"feature": np.ones((16, 8, 8), np.float32)})
    found = held.labels(Motion(map="own", size=2), Array((8, 2, 7, 7), "float16", "map", box=WHOLE))
    assert found.labels[0, 0].tolist() == [[0, 1], [0, 1]]


def test_an_entry_of_no_maps_is_masked(tmp_path):
    held = world(tmp_path, {"feature": Array((1, 1), "bool", "mask")}, None)
    found = held.labels(Motion(map="own"), Array((8, 2, 7, 7), "float16", "map"))
    assert found.labels.shape == (1, 2, 7, 7)
    assert not found.mask.any()


def test_a_video_without_rows_has_none(tmp_path):
    found = hands_world(tmp_path).labels(Point(who="hands"), Array((8, 2, 7, 7), "float16", "map"), np.empty((0, 2, 4)))
    assert found.labels.shape == (0, 2, 2, 2)


def test_an_array_that_is_not_stored(tmp_path):
    with pytest.raises(BadRequest, match=r"the task reads 'gaze.point', what is stored is: points, visible"):
        hands_world(tmp_path).labels(Point(), Array((8, 2, 7, 7), "float16", "map"))


def test_labels_of_two_extractors(tmp_path):
    held = hands_world(tmp_path)
    both = {"a": {DIGEST: held.key}, "b": {DIGEST: held.key}}
    leading = Leading(STEPS[None], np.ones((1, 2), bool), Array((8, 2, 7, 7), kind="map"))
    with pytest.raises(BadRequest, match="got labels from a, b, expected arrays of one extractor"):
        read_targets(Point(), held.store, both, {DIGEST: leading})


def test_a_last_row_moved_back_counts_what_it_shows_first(tmp_path):
    """20 frames in rows of 16 that end with the video: of the second row only the last four frames are new."""
    window = {"frames": 16, "stride": 16, "edge": "align"}
    shown = Array((8, 4, 7, 7), "float16", "map")
    leading = Leading.of(rows(Window(**window), 20), 4, network(**window), shown)
    assert in_frames(leading.steps)[1][0] == [4, 4.5, 6, 8]
    maps = np.ones((20, 4, 4), bool)
    held = world(tmp_path, {"feature": Array((4, 4), "bool", "mask")}, {"feature": maps}, 20)
    found = read_targets(Motion(map="own"), held.store, {"own": {DIGEST: held.key}}, {DIGEST: leading})
    assert found.mask.tolist() == [[True] * 4, [False, False, False, True]]
