"""Gaze through the whole pipeline: stored maps are those rendered on reading, absence and another's gaze are told."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.extractors._base import Extractor
from ego.extractors.gaze import Gaze
from ego.extractors.gaze_heatmap import GazeHeatmap
from ego.extractors.gaze_prior import GazePrior
from ego.extractors.mean_rgb import MeanRgb
from ego.gaze import SEEN, heatmap
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, entry_key, work
from ego.pipeline.scan import scan
from ego.signals.gaze import gaze_reading
from ego.video import Reading, Video

FRAMES, FPS = 45, 15


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store", create=True)


@pytest.fixture
def video(readable_video: Callable[..., Path], tmp_path: Path) -> Video:
    with Decoder() as decoder:
        (found,) = scan([readable_video(tmp_path / "a.mp4", frames=FRAMES, fps=FPS)], decoder)
    assert isinstance(found, Video)
    return found


def looked(seconds: float) -> Reading:
    """Ten samples a second that wander and are now and then lost."""
    count = round(seconds * 10)
    angle = np.arange(count) / 5
    point = np.stack([0.5 + 0.4 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)], 1)
    return gaze_reading(np.arange(count) / 10, point, (np.arange(count) % 5).astype(np.int8))


def run(store: FeatureStore, video: Video, extractors: list[Extractor], readings: dict[str, Reading]) -> Outcome:
    jobs = work([video], extractors, store, {video.digest: readings})
    (outcome,) = (one for one in extract(jobs, store, {}) if isinstance(one, Outcome))
    return outcome


@pytest.mark.parametrize("grid", [7, 56])
def test_stored_maps_equal_those_rendered_from_stored_points(store: FeatureStore, video: Video, grid: int) -> None:
    gaze = Gaze(label="nearest")
    heat, readings = GazeHeatmap(gaze=gaze, grid=grid), {"gaze": looked(3.0)}
    assert run(store, video, [heat, MeanRgb(), gaze], readings).state == "stored"
    points, maps = (store.read(entry_key(video, one, readings)) for one in (gaze, heat))
    assert len(points) == len(maps) == FRAMES
    assert np.array_equal(points.time, maps.time)
    valid = np.isin(points["type"], SEEN)
    assert 0.3 < valid.mean() < 0.9
    assert np.array_equal(maps["valid"], valid)
    assert np.array_equal(maps["feature"], heatmap(points["point"], valid, (grid, grid)).astype(np.float16))


def test_without_an_eye_tracker_gaze_is_absent_and_the_prior_is_there(store: FeatureStore, video: Video) -> None:
    specs = [Gaze(), GazeHeatmap(), GazePrior()]
    assert run(store, video, specs, {}).error is None
    read = [store.read(entry_key(video, spec, {})) for spec in specs]
    assert [len(one) for one in read] == [0, 0, FRAMES]
    assert read[0].absent
    assert read[1].absent


def test_gaze_of_another_video_fails_this_one(store: FeatureStore, video: Video) -> None:
    outcome = run(store, video, [Gaze()], {"gaze": looked(60.0)})
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert "gaze samples lie outside this video of 3.00 s" in outcome.error
