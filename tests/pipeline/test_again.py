"""Entries made again are compared row by row; what differs is said."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ego.cache.entry import Feature
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors.mean_rgb import MeanRgb
from ego.media.encode import encode
from ego.pipeline.again import differ, extractor_of, recompute
from ego.pipeline.extract import extract
from ego.pipeline.jobs import work
from ego.video import Video


@pytest.fixture
def held(tmp_path: Path) -> tuple[FeatureStore, list[Video]]:
    """A store with mean_rgb of three small videos."""
    videos = []
    for number in range(3):
        levels = np.linspace(30 + 40 * number, 200, 12).astype(np.uint8)
        path = encode(tmp_path / f"v{number}.mp4", (np.full((32, 48, 3), one, np.uint8) for one in levels), 12)
        videos.append(Video(f"{number:064x}"[::-1], f"v{number}", str(path)))
    store = FeatureStore(tmp_path / "features", create=True)
    events = list(extract(work(videos, [MeanRgb()], store), store, {}, device="cpu"))
    assert len([one for one in events if getattr(one, "state", "") == "stored"]) == 3
    return store, videos


def first(store: FeatureStore) -> Feature:
    return store.read(next(iter(store)))


def test_an_entry_equals_itself_and_the_worst_row_counts(held: tuple[FeatureStore, list[Video]]) -> None:
    feature = first(held[0])
    assert differ(feature, feature, 0.0) == (0.0, "")
    changed = feature["feature"].copy()
    changed[5] *= 1.25
    worst, problem = differ(feature, replace(feature, _data={"feature": changed}), 0.1)
    assert worst == pytest.approx(0.25, rel=1e-5)
    assert "0.25" in problem
    assert differ(feature, replace(feature, _data={"feature": changed}), 0.3)[1] == ""


def test_other_rows_times_and_frames_are_told(held: tuple[FeatureStore, list[Video]]) -> None:
    feature = first(held[0])
    shorter = replace(feature, time=feature.time[:-1], source=feature.source[:-1])
    assert "11 rows instead of 12" in differ(feature, shorter, 1.0)[1]
    assert "other times" in differ(feature, replace(feature, time=feature.time + 0.5), 1.0)[1]
    assert "other frames" in differ(feature, replace(feature, source=feature.source + 1), 1.0)[1]


def test_recompute_takes_as_many_random_entries_as_asked(held: tuple[FeatureStore, list[Video]]) -> None:
    store, videos = held
    found = list(recompute(store, videos, {}, 2, chance=random.Random(0), device="cpu"))
    assert len({one.video for one in found}) == 2
    assert all(one.problem == "" and one.relative <= one.tolerance for one in found)
    assert len(list(recompute(store, videos, {}, 99, device="cpu"))) == 3


def test_a_video_that_no_longer_decodes_is_a_problem_and_no_crash(held: tuple[FeatureStore, list[Video]]) -> None:
    store, videos = held
    Path(videos[0].path).write_bytes(b"no video any more")
    (found,) = recompute(store, videos[:1], {}, 1, device="cpu")
    assert found.problem


def test_videos_without_entries_are_a_bad_request(held: tuple[FeatureStore, list[Video]], tmp_path: Path) -> None:
    stranger = Video("f" * 64, "stranger", str(shutil.copy(held[1][0].path, tmp_path / "s.mp4")))
    with pytest.raises(BadRequest, match="none of the videos"):
        list(recompute(held[0], [stranger], {}, 1))


def test_an_extractor_is_known_by_its_description_alone() -> None:
    assert extractor_of(MeanRgb().describe(), "somewhere") == MeanRgb()
    with pytest.raises(BadRequest, match="not noted"):
        extractor_of(None, "somewhere")
    with pytest.raises(BadRequest, match="no extractor"):
        extractor_of({"room": "heads", "name": "linear", "version": 1, "fields": {}}, "somewhere")
