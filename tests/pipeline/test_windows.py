"""Decoded windows: the rows that extraction stores, and the pixels of each."""

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadVideo
from ego.media.decode import Decoder
from ego.pipeline.jobs import entry_key
from ego.pipeline.scan import scan
from ego.pipeline.windows import nearest_windows, windows
from ego.spec import make


@pytest.fixture
def video(colours):
    with Decoder() as decoder:
        return next(scan([colours.data / "videos" / "one.mp4"], decoder))


def test_windows_are_the_rows_of_the_store(colours, video):
    extractor = make("extractors", "mean_rgb", {"window": {"fps": 5.0}})
    stored = FeatureStore(colours.store).read(entry_key(video, extractor, {}))
    with Decoder() as decoder:
        shown = list(windows(decoder, video, extractor, {}))
    assert np.array_equal(np.array([one.row.time for one in shown]), stored.time)
    means = np.array([one.given["frames"].mean(axis=(0, 1, 2)) / 255 for one in shown])
    assert np.allclose(means, stored["feature"], atol=1e-6)


@pytest.mark.parametrize(
    "window", [{"fps": 5.0}, {"frames": 4, "stride": 3, "interval": 2}, {"edge": "drop", "stride": 7}]
)
def test_the_nearest_window_of_each_moment(video, window):
    extractor = make("extractors", "mean_rgb", {"window": window})
    moments = np.array([3.3, 0.0, 5.99, 2.0, 2.0])
    with Decoder() as decoder:
        every = list(windows(decoder, video, extractor, {}))
        found = nearest_windows(decoder, video, extractor, {}, moments)
    centres = np.array([one.row.time[1] for one in every])
    for moment, one in zip(moments, found, strict=True):
        best = every[int(np.abs(centres - moment).argmin())]
        assert one.row == best.row
        assert np.array_equal(one.given["frames"], best.given["frames"])
        assert one.given["frames"].shape[0] == extractor.window.frames


def test_a_video_shorter_than_a_window(video):
    extractor = make("extractors", "mean_rgb", {"window": {"frames": 500, "edge": "drop"}})
    with Decoder() as decoder, pytest.raises(BadVideo, match="shorter than one window"):
        nearest_windows(decoder, video, extractor, {}, np.array([1.0]))
