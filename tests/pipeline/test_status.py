"""Status and plan: what stands how, and what the rest would cost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ego.cache.store import FeatureStore
from ego.extractors._base import Extractor
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import entry_key, work
from ego.pipeline.plan import plan
from ego.pipeline.scan import scan
from ego.pipeline.status import entries, summary
from ego.spec import make
from ego.video import Video

Make = Callable[..., Path]


@pytest.fixture
def videos(readable_video: Make, tmp_path: Path) -> list[Video]:
    paths = [readable_video(tmp_path / f"{i}.mp4", frames=30 + i, fps=15) for i in range(4)]
    with Decoder() as decoder:
        return [one for one in scan(paths, decoder) if isinstance(one, Video)]


@pytest.fixture
def extractor() -> Extractor:
    return make("extractors", "mean_rgb", {})  # type: ignore[return-value]


def test_each_state_is_told(videos: list[Video], extractor: Extractor, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", create=True)
    list(extract(work(videos[:2], [extractor], store), store, {}))
    broken = entry_key(videos[1], extractor, {})
    (store.place / broken.path / "marker.json").unlink()
    store.note_failure(entry_key(videos[2], extractor, {}), "2", "too dark")
    told = {state.video: state for state in entries(store, videos, [extractor])}
    assert {name: state.state for name, state in told.items()} == {
        "0": "stored",
        "1": "broken",
        "2": "failed",
        "3": "missing",
    }
    assert told["0"].rows == 30
    assert told["0"].seconds == pytest.approx(2.0, abs=1e-3)
    assert (told["0"].extractor, told["0"].digest) == ("mean_rgb", extractor.digest)
    assert told["2"].error == "too dark"
    assert "--repair" in (told["1"].error or "")
    known = {state.video: state.state for state in entries(store)}
    assert known == {"0": "stored", "1": "broken", "2": "failed"}
    assert [(state.video, state.state) for state in entries(store, videos[:1])] == [("0", "stored")]
    assert {state.video: state.state for state in entries(store, videos)} == {
        "0": "stored", "1": "broken", "2": "failed", "3": "missing"
    }  # fmt: skip
    (total,) = summary(store)
    assert total.counts == {"stored": 1, "broken": 1, "failed": 1}
    assert total.extractor == "mean_rgb"


def test_a_summary_opens_no_marker(videos: list[Video], extractor: Extractor, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", create=True)
    list(extract(work(videos, [extractor], store), store, {}))
    for video in videos:
        (store.place / entry_key(video, extractor, {}).path / "marker.json").write_text("nonsense")
    assert summary(store)[0].counts == {"stored": 4}
    assert {state.state for state in entries(store)} == {"broken"}


def test_a_plan_is_what_then_happens(videos: list[Video], extractor: Extractor, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", create=True)
    jobs = work(videos, [extractor, make("extractors", "mean_rgb", {"window": {"fps": 4.0}})], store)  # type: ignore[list-item]
    planned = plan(jobs, {})
    assert planned.videos == 4
    assert planned.seconds_estimated is not None
    assert planned.seconds_estimated > 0
    list(extract(jobs, store, {}))
    states = list(entries(store))
    assert planned.rows == sum(state.rows or 0 for state in states)
    inodes = sum(len(list((store.place / key.path).rglob("*"))) + 1 for key in store)
    assert planned.inodes == inodes
    arrays = sum(marker.nbytes for marker in map(store.marker, store))
    assert 0.2 < planned.bytes / arrays < 1.2  # tiny entries: the rest is their metadata
    assert plan(work(videos, [extractor], store), {}).videos == 0
