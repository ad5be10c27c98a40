"""Tasks of steps in a run that is asked again: the same figures, and points at their seconds in the whole frame."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors.gaze import Gaze
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.evaluate import Asked, evaluate
from ego.pipeline.extract import extract
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.jobs import entry_key, work
from ego.pipeline.predict import Sliding, predict
from ego.pipeline.predicted_steps import points_of
from ego.pipeline.read_run import open_run
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder
from ego.video import Box

WHERE = {"r": (0.2, 0.3), "g": (0.5, 0.5), "b": (0.8, 0.7)}
LOOK = """[extractors.gaze]
[extractors.net]
name = "resnet"
weights = "random:0"
taps = ["conv3_x"]
size = 32
picture = { fit = "short", size = 32 }
window = { fps = 5.0 }
precision = "float32"
[tasks.look]
name = "point"
size = [4, 4]
[head]
name = "multitask"
features = ["net"]"""


@pytest.fixture(scope="module")
def looking(colours, tmp_path_factory):
    """A run that was told where the eyes look (where the colour says), and its place; kept open."""
    folder = tmp_path_factory.mktemp("looking")
    (folder / "look.toml").write_text(
        colours.recipe.read_text().replace('[head]\nname = "linear"', LOOK).replace("lr = 0.1", "lr = 0.01")
    )
    finder = WeightFinder([])
    asked = recipe.read(folder / "look.toml", (), finder)
    store = FeatureStore(folder / "features", colours.store, create=True)
    with Decoder() as decoder:
        videos = {video.name: video for video in scan(asked.dataset.videos(colours.data).values(), decoder)}
        for video in videos.values():
            order = sys.modules["colours"].ORDER[video.name]
            start = np.arange(60)[:, None] / 10
            rows = {
                "time": start + np.array([0, 0.05, 0.1]),
                "source": np.full((60, 4), -1),
                "point": np.repeat([WHERE[letter] for letter in order], 10, axis=0).astype(np.float32),
                "type": np.ones(60, np.int8),
                "blink": np.zeros(60, bool),
            }
            store.write(entry_key(video, Gaze(), {}), Gaze().rows({}), [rows], {})
        at = Workplace(colours.data, store, finder, decoder, folder / "runs")
        yield run_of(asked, at, videos), at, videos


def run_of(asked, at, videos):
    """The run of a recipe whose network sees the videos first."""
    list(extract(work(videos.values(), [asked.extractors["net"]], at.store), at.store, at.files))
    return open_run(list(fit(asked, at, ("two",)))[-1].folder)


def test_figures_of_steps_are_those_of_the_run(looking):
    run, at, _ = looking
    found = evaluate(run, at, Asked())
    assert found.metrics["folds"]["two"]["validation"] == run.metrics["folds"]["two"]["validation"]
    assert found.metrics["folds"]["two"]["validation"]["look"]["clips"] == 6
    labels = found.results[0].predictions["validation"]["look"].labels
    x, y = WHERE["r"]  # the crop shows some three quarters of the frame
    left, _, right, _ = run.recipe.extractors["net"].box(64, 48)
    assert labels[4, 0, 0].tolist() == pytest.approx([(x - left) / (right - left), y], abs=1e-5)


def test_points_come_at_their_seconds_without_gaze_being_there(looking, tmp_path):
    """Of a video no tracker looked at: a step a row, moved from the crop that the network sees to the whole frame."""
    run, at, videos = looking
    store = FeatureStore(tmp_path / "features", create=True)
    net = run.recipe.extractors["net"]
    list(extract(work([videos["two"]], [net], store), store, at.files))
    guesses = predict(run, [videos["two"]], replace(at, store=store), Sliding(1, 1), ())
    found = [one for one in guesses if one.task == "look"]
    assert [(one.start, one.stop, one.said, one.score) for one in found] == [
        (float(second), second + 1.0, None, None) for second in range(6)
    ]
    left, top, right, bottom = net.box(64, 48)  # 32 of 43 columns
    assert (left, top, right, bottom) == pytest.approx((0.125, 0, 0.875, 1), abs=0.02)
    for one in found:
        assert [round(step.seconds - one.start, 3) for step in one.steps] == pytest.approx(
            [0, 0.2, 0.4, 0.6, 0.8], abs=0.11
        )
        for step in one.steps:
            ((name, x, y),) = step.points
            assert name == "gaze"
            assert x == pytest.approx(left + step.said["gaze"][0] * (right - left))
            assert y == pytest.approx(top + step.said["gaze"][1] * (bottom - top))


def test_views_of_a_wide_frame_show_other_parts_of_it_than_of_a_square_one(looking, tmp_path):
    """Two squares of 32 columns of the 43 to which 64 are scaled, the right one mirrored; truth and points in each."""
    run, at, videos = looking
    settings = ('net.views=["left", "right flipped"]', 'sampling.views="draw"', "training.epochs=2")
    asked = recipe.read(Path(run.recipe.path), settings, at.files)
    assert asked.extractors["net"].rows({})["feature"].views == ((0, 0, 1, 1, 0), (0, 0, 1, 1, 1))  # of a square frame
    viewed = run_of(asked, replace(at, out=tmp_path / "runs"), videos)
    said = evaluate(viewed, at, Asked()).results[0].predictions["validation"]["look"]
    assert said.labels.shape[:2] == (6, 10)  # the five rows of a second in one view, then in the other
    for second, letter in enumerate(sys.modules["colours"].ORDER["two"]):
        x, y = WHERE[letter]
        left, right = x * 43 / 32, 1 - (x * 43 - 11) / 32
        for steps, across in ((slice(0, 5), left), (slice(5, 10), right)):
            assert said.mask[second, steps].all() == (0 <= across <= 1)
            if 0 <= across <= 1:
                assert said.labels[second, 2 if across == left else 7, 0] == pytest.approx([across, y], abs=1e-5)
    found = [one for one in predict(viewed, [videos["two"]], at, Sliding(1, 1), ()) if one.task == "look"]
    for one in found:
        assert len(one.steps) == 5
        for step in one.steps:
            ((_, x, y),) = step.points
            assert (x, y) == pytest.approx((step.said["gaze"][0] * 32 / 43, step.said["gaze"][1]))


def test_points_are_not_told_in_a_mirror(looking, tmp_path):
    run, at, videos = looking
    settings = ('net.views=["right flipped", "left"]', 'sampling.views="draw"', "training.epochs=1")
    viewed = run_of(recipe.read(Path(run.recipe.path), settings, at.files), replace(at, out=tmp_path / "runs"), videos)
    with pytest.raises(BadRequest, match="first view of 'net', which is mirrored; name another view first"):
        predict(viewed, [videos["two"]], at, Sliding(1, 1), ())


def test_points_are_moved_from_what_is_shown_to_the_frame():
    box = Box(0.25, 0.0, 0.75, 1.0)
    assert list(points_of({"left": [0.5, 0.2], "right": [1.0, 1.0]}, box)) == [("left", 0.5, 0.2), ("right", 0.75, 1.0)]
    assert list(points_of([0.0, 0.5], box)) == [("", 0.25, 0.5)]
    assert list(points_of([[0.1, 0.2], [0.3, 0.4]], box)) == []
    assert list(points_of("cut", box)) == []
