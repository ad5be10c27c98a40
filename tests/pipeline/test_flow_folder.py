"""Flow as a folder of pictures: numbers, grey levels, whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted
from ego.layers.flow_codec import from_bytes, to_bytes
from ego.pipeline import flow_folder
from ego.pipeline.flow_folder import export_flow
from ego.video import Array

Fill = Callable[..., FeatureStore]
FLOW = Array((2, 5, 7), "float16", "flow")


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Writes one entry of flow: `fill(values, first=..., array=...)`."""

    def write(values: NDArray[Any], first: list[int] | None = None, array: Array = FLOW) -> FeatureStore:
        store = FeatureStore(tmp_path / "store", create=True)
        start = np.arange(len(values)) / 10.0
        frames = np.array(first if first is not None else range(len(values)), np.int64)
        rows = {
            "time": np.stack([start, start + 0.1, start + 0.2], 1),
            "source": np.stack([frames, frames + (frames >= 0), frames, frames], 1),
            "feature": array.cast(values),
        }
        key = FeatureKey("tvl1", "a" * 64, "b" * 64)
        store.write(key, {"feature": array}, [rows], {"video": {"name": "clip"}})
        store.remember_video(key.video, name="clip", size=1, mtime_ns=1, facts={})
        return store

    return write


def drawn(rows: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-19, 19, (rows, 2, 5, 7)).astype(np.float32)


def grey(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


@pytest.mark.parametrize("array", [FLOW, Array((2, 5, 7), "int8", "flow", 20 / 127, compress=True)])
def test_png_holds_the_bytes_of_dense_flow(fill: Fill, tmp_path: Path, array: Array) -> None:
    values = drawn(3)
    done = export_flow(fill(values, array=array), "clip", "tvl1", tmp_path / "out/clip", suffix="png")
    assert (done.pairs, done.width, done.height, done.cut) == (3, 7, 5, 0)
    names = sorted(path.name for path in (tmp_path / "out/clip").iterdir())
    assert names == [f"flow_{axis}_0000{number}.png" for axis in "xy" for number in (1, 2, 3)]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["clip"]
    stored = array.real(array.cast(values))
    for row in range(3):
        for axis, name in enumerate("xy"):
            picture = grey(tmp_path / f"out/clip/flow_{name}_0000{row + 1}.png")
            assert picture.dtype == np.uint8
            assert (picture == to_bytes(stored[row, axis])).all()
            assert np.abs(from_bytes(picture) - values[row, axis]).max() < 0.18


def test_jpg_is_close_and_no_motion_is_128(fill: Fill, tmp_path: Path) -> None:
    export_flow(fill(np.zeros((2, 2, 5, 7), np.float32)), "clip", "tvl1", tmp_path / "out")
    assert (grey(tmp_path / "out/flow_x_00002.jpg") == 128).all()


def test_pairs_are_numbered_by_their_first_frame_from_1(fill: Fill, tmp_path: Path) -> None:
    export_flow(fill(drawn(3), first=[0, 2, 7]), "clip", "tvl1", tmp_path / "out", suffix="png")
    assert [path.name[7:12] for path in sorted((tmp_path / "out").glob("flow_x*"))] == ["00001", "00003", "00008"]


def test_without_frames_by_their_place(fill: Fill, tmp_path: Path) -> None:
    export_flow(fill(drawn(2), first=[-1, -1]), "clip", "tvl1", tmp_path / "out", suffix="png")
    assert [path.name[7:12] for path in sorted((tmp_path / "out").glob("flow_x*"))] == ["00001", "00002"]


def test_what_lies_beyond_the_bound_is_cut_and_counted(fill: Fill, tmp_path: Path) -> None:
    values = np.zeros((1, 2, 5, 7), np.float32)
    values[0, 0, 0] = -30
    done = export_flow(fill(values), "clip", "tvl1", tmp_path / "out", suffix="png", bound=25)
    assert done.cut == pytest.approx(7 / 70)
    assert grey(tmp_path / "out/flow_x_00001.png")[0].tolist() == [0] * 7


def test_it_appears_whole_or_not_at_all(fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, count = fill(drawn(3)), []

    def full(path: Path, picture: NDArray[np.uint8]) -> None:
        count.append(path)
        if len(count) == 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(flow_folder, "_write_picture", full)
    with pytest.raises(
        BadRequest, match=r"out cannot be written: No space left on device; see whether the disk is full"
    ):
        export_flow(store, "clip", "tvl1", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if path.name != "user-cache"] == ["store"]


def test_each_refusal_is_one_sentence(fill: Fill, tmp_path: Path) -> None:
    store = fill(drawn(1))
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(BadRequest, match="there is already there; name a folder that is not"):
        export_flow(store, "clip", "tvl1", tmp_path / "there")
    with pytest.raises(BadRequest, match="clip cannot be written: "):
        export_flow(store, "clip", "tvl1", tmp_path / "file" / "clip")
    with pytest.raises(BadRequest, match="got a bound of 0, expected pixels above 0"):
        export_flow(store, "clip", "tvl1", tmp_path / "out", bound=0)
    with pytest.raises(NotExtracted, match="run: ego extract"):
        export_flow(store, "other", "tvl1", tmp_path / "out")
    arrays = {"feature": Array((3,))}
    store.absent(
        FeatureKey("tvl1", "c" * 64, "d" * 64), arrays, "the video has no picture", {"video": {"name": "empty"}}
    )
    store.remember_video("d" * 64, name="empty", size=1, mtime_ns=2, facts={})
    with pytest.raises(BadRequest, match="holds nothing to export: the video has no picture"):
        export_flow(store, "empty", "tvl1-" + "c" * 16, tmp_path / "out")


def test_another_feature_is_no_flow(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", create=True)
    rows = {"time": np.zeros((1, 3)), "source": np.zeros((1, 4), np.int64), "feature": np.zeros((1, 3), np.float16)}
    key = FeatureKey("mean_rgb", "a" * 64, "b" * 64)
    store.write(key, {"feature": Array((3,))}, [rows], {"video": {"name": "clip"}})
    store.remember_video(key.video, name="clip", size=1, mtime_ns=1, facts={})
    with pytest.raises(BadRequest, match=r"mean_rgb of clip is no flow, it has: feature \(vector\)"):
        export_flow(store, "clip", "mean_rgb", tmp_path / "out")
