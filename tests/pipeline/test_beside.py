"""What a network is shown besides pictures, window by window, is what an extraction shows it."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Extractor, Network
from ego.extractors.log_mel import LogMel
from ego.media.decode import Decoder
from ego.pipeline.beside import completed, held_keys
from ego.pipeline.extract import extract
from ego.pipeline.jobs import entry_key, work
from ego.pipeline.scan import scan
from ego.pipeline.windows import Shown, nearest_windows
from ego.sampling import Window
from ego.video import Video

MOMENTS = np.array([5.3, 0.1, 2.4, 2.4, 5.99])
HEARD = LogMel(window=Window(10, 5, fps=10.0, edge="drop"))


@pytest.fixture(scope="module")
def holding() -> ModuleType:
    """Networks that say which rows they were given: see holding.py."""
    if "holding" not in sys.modules:
        spec = importlib.util.spec_from_file_location("holding", Path(__file__).with_name("holding.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules["holding"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["holding"])
    return sys.modules["holding"]


def filled(path: Path, folder: Path, *extractors: Extractor) -> tuple[Video, FeatureStore]:
    """The video and a store in which these are extracted."""
    with Decoder() as decoder:
        (video,) = scan([path], decoder)
    assert isinstance(video, Video)
    store = FeatureStore(folder, create=True)
    list(extract(work([video], list(extractors), store), store, {}))
    return video, store


def windows(network: Network, video: Video, store: FeatureStore) -> list[Shown]:
    with Decoder() as decoder:
        found = nearest_windows(decoder, video, network, {}, MOMENTS)
    return completed(found, network, video, {}, store)


def tone(seconds: float) -> tuple[np.ndarray, int]:
    times = np.arange(round(seconds * 16_000)) / 16_000
    return np.sin(2 * np.pi * (200 + 300 * times) * times).astype(np.float32) * 0.5, 16_000


def test_live_windows_give_the_rows_that_an_extraction_stored(
    holding: ModuleType, readable_video: Callable[..., Path], tmp_path: Path
) -> None:
    path = readable_video(tmp_path / "a.mkv", frames=90, fps=15, size=(160, 120), sound=tone(6.0))
    beside, each = holding.Beneath(), holding.Stack(Window(frames=5, stride=3))
    video, store = filled(path, tmp_path / "store", holding.Steps(), beside, each, HEARD)
    for network in (beside, each, HEARD):
        shown = windows(network, video, store)
        assert all(set(one.given) == set(network.needs()) for one in shown)
        assert shown[2].given is shown[3].given
        inputs = {need: torch.from_numpy(np.stack([one.given[need] for one in shown])) for need in shown[0].given}
        found = network.build({})(**inputs)["feature"].numpy()
        stored = store.read(entry_key(video, network, {}))
        rows = [int(np.abs(stored.time[:, 1] - moment).argmin()) for moment in MOMENTS]
        assert [one.row.time for one in shown] == [pytest.approx(stored.time[row].tolist()) for row in rows]
        np.testing.assert_allclose(found, stored["feature"][rows], rtol=2e-3, atol=2e-3)


def test_what_is_not_there_is_one_sentence(
    holding: ModuleType, readable_video: Callable[..., Path], tmp_path: Path
) -> None:
    path = readable_video(tmp_path / "a.mkv", frames=90, fps=15, sound=tone(4.0))
    video, store = filled(path, tmp_path / "store", HEARD)
    with pytest.raises(BadVideo, match=r"the sound of 'a' ends before 5\.50 s, where a clip is"):
        windows(HEARD, video, store)
    each = holding.Stack()
    (key,) = held_keys(each, video, {}).values()
    store.absent(key, {"feature": holding.Steps().rows({})["feature"].sized(4, 4)}, "nothing moves in it", {})
    with pytest.raises(BadRequest, match=r"of 'a' is absent: nothing moves in it; leave that video out"):
        windows(each, video, store)
