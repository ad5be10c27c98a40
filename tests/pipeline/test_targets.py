"""Labels that are stored arrays: when the steps of a row are, which rows label them, and where in the view they lie."""

from dataclasses import dataclass

import numpy as np
import pytest

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.gaze import heatmap
from ego.pipeline import targets
from ego.pipeline.targets import Leading, read_targets
from ego.tasks.heatmap import Heatmap
from ego.tasks.motion import Motion
from ego.tasks.point import Point
from ego.video import WHOLE, Array

FPS = 16
DIGEST = "a" * 64
STAM = (48 / 320, 8 / 240, 272 / 320, 232 / 240)  # a crop of 224 pixels
MIRRORED = (*STAM, 1.0)


def frames(count: int, fps: float = FPS) -> np.ndarray:
    """(count, 3) start, centre and stop of frames."""
    start = np.arange(count) / fps
    return np.stack([start, start + 0.5 / fps, start + 1 / fps], 1)


STEPS = np.array([[0, 0.5, 4, 8], [8, 8.5, 12, 16]]) / FPS


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


def test_steps_that_do_not_count_are_masked(tmp_path):
    held = world(tmp_path, {"feature": Array((4, 4), "bool", "mask")}, {"feature": np.ones((16, 4, 4), bool)})
    leading = Leading(STEPS[None], np.array([[False, True]]), Array((8, 2, 7, 7), "float16", "map"))
    found = read_targets(Motion(map="own"), held.store, {"own": {DIGEST: held.key}}, {DIGEST: leading})
    assert found.mask.tolist() == [[False, True]]
