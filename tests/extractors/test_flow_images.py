"""Flow that a data set ships, all the way: files -> signal -> rows; and our own flow written and read back."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.extractors._base import Beside
from ego.extractors.flow_images import FlowImages
from ego.extractors.map_images import MapImages
from ego.layers.flow_codec import to_bytes
from ego.pipeline.flow_folder import export_flow
from ego.spec import make
from ego.video import Array, Reading

CLIP = "S1/open_jam/1"


def saved(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def readings(root: Path, layout: str) -> dict[str, Reading]:
    data = make("datasets", "gtea61", {"layout": layout})
    return data.readings(root, CLIP)  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def flow() -> np.ndarray:
    return np.random.default_rng(0).uniform(-20, 20, (4, 2, 6, 8)).astype(np.float32)


def test_the_released_tree_comes_back_as_pixels(tmp_path: Path, flow: np.ndarray) -> None:
    for number in range(1, 6):
        saved(tmp_path / "processed_frames2" / CLIP / f"rgb/rgb{number:04d}.png", np.zeros((6, 8), np.uint8))
    for number in (1, 2, 4):  # map 3 is missing
        saved(tmp_path / "processed_frames2" / CLIP / f"mmaps/map{number:04d}.png", np.full((6, 8), number, np.uint8))
    for row, planes in enumerate(to_bytes(flow), 1):
        for axis, plane in zip("xy", planes, strict=True):
            saved(tmp_path / f"flow_{axis}_processed" / CLIP / f"flow_{axis}_{row:05d}.png", plane)
    beside = readings(tmp_path, "fpar")
    (rows,) = FlowImages().follow(iter(()), Beside({"images": beside["flow_images"]}, 8, 6), {}, "cpu")
    assert np.abs(rows.arrays["feature"] - flow).max() < 0.0785
    assert rows.time[:, 0] == pytest.approx(np.arange(4) / 15)
    (maps,) = MapImages(threshold=1).follow(iter(()), Beside({"images": beside["map_images"]}, 8, 6), {}, "cpu")
    assert maps.arrays["feature"].all(axis=(1, 2)).tolist() == [False, True, True]
    assert maps.source[:, 0].tolist() == [0, 1, 3]


def test_what_ego_export_writes_is_read_back(tmp_path: Path, flow: np.ndarray) -> None:
    store, array = FeatureStore(tmp_path / "store", create=True), Array((2, 6, 8), "float16", "flow")
    time, source = np.arange(4)[:, None] / 15 + np.array([0, 1, 2]) / 15, np.arange(4)[:, None] + np.array([0, 1, 0, 1])
    key = FeatureKey("tvl1", "a" * 64, "b" * 64)
    store.write(key, {"feature": array}, [{"time": time, "source": source, "feature": array.cast(flow)}], {})
    store.remember_video(key.video, name="clip", size=1, mtime_ns=1, facts={})
    export_flow(store, "clip", "tvl1", tmp_path / "out", suffix="png")
    for axis in "xy":
        (tmp_path / f"flow_{axis}" / CLIP).mkdir(parents=True)
        for path in (tmp_path / "out").glob(f"flow_{axis}_*"):
            path.rename(tmp_path / f"flow_{axis}" / CLIP / path.name)
    (tmp_path / "frames").mkdir()
    reading = readings(tmp_path, "ego-rnn")["flow_images"]
    (rows,) = FlowImages().follow(iter(()), Beside({"images": reading}, 8, 6), {}, "cpu")
    assert np.abs(rows.arrays["feature"] - flow).max() < 0.0785 + 0.008
    assert rows.time == pytest.approx(time)
