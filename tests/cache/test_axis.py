"""One time axis for features of any rates, and no resampling that was not asked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ego.cache.axis import axis, resample, together
from ego.cache.entry import Feature
from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.video import Array


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store", create=True)


def put(store: FeatureStore, name: str, edges: Sequence[float], values: np.ndarray, array: Array) -> FeatureKey:
    key = FeatureKey(name, name.encode().hex().ljust(64, "0"), "ab" * 32)
    start, stop = np.array(edges[:-1], float), np.array(edges[1:], float)
    time = np.stack([start, (start + stop) / 2, stop], axis=1)
    source = np.zeros((len(time), 4), np.int64)
    store.write(key, {"feature": array}, [{"time": time, "source": source, "feature": values}], {})
    return key


def test_rates_meet_on_one_axis(store: FeatureStore) -> None:
    fast = put(store, "fast", np.arange(41) / 10, np.arange(40, dtype=np.float32), Array((), "float32"))
    slow = put(
        store, "slow", np.arange(5.0), np.array([[0], [10], [20], [30]], np.int8), Array((1,), "int8", scale=0.5)
    )
    spans = axis(0.0, 4.0, 2.0)
    assert spans[:3].tolist() == [[0, 0.5], [0.5, 1.0], [1.0, 1.5]]
    found = together(store, {"fast": fast, "slow": slow}, spans, {"fast": "mean", "slow": "interpolate"})
    assert found["fast"]["feature"].values.tolist() == [2 + 5 * step for step in range(8)]
    slow_at = found["slow"]["feature"].values[:, 0]
    # centres 0.5, 1.5, 2.5, 3.5 hold 0, 5, 10, 15; the axis asks at 0.25, 0.75 ...
    assert slow_at.tolist() == pytest.approx([0, 1.25, 3.75, 6.25, 8.75, 11.25, 13.75, 15])
    assert together(store, {"slow": slow}, spans, "nearest")["slow"]["feature"].values[:, 0].tolist() == [
        0, 0, 10, 10, 20, 20, 30, 30,
    ]  # fmt: skip


def test_a_gap_is_said_and_not_filled(store: FeatureStore) -> None:
    key = put(store, "a", [0, 1, 2], np.array([1, 2], np.float32), Array((), "float32"))
    found = together(store, {"a": key}, axis(-1.0, 4.0, 1.0), "nearest")["a"]["feature"]
    assert found.there.tolist() == [False, True, True, False, False]
    assert found.values.tolist() == [0, 1, 2, 0, 0]


def test_what_is_not_asked_for_is_refused(store: FeatureStore) -> None:
    names = put(store, "names", [0, 1, 2], np.array([3, 7], np.int32), Array((), "int32"))
    with pytest.raises(BadRequest, match="no way to resample 'names'"):
        together(store, {"names": names}, axis(0, 2, 1), {})
    with pytest.raises(BadRequest, match="not a quantity"):
        together(store, {"names": names}, axis(0, 2, 1), "mean")
    with pytest.raises(BadRequest, match="got an axis"):
        axis(2, 1, 10)


def test_rows_of_several_subjects_have_no_one_value(store: FeatureStore) -> None:
    key = FeatureKey("faces", "1" * 64, "2" * 64)
    time = np.array([[0, 0.5, 1], [0, 0.5, 1]], float)
    block = {"time": time, "source": np.zeros((2, 4), np.int64), "feature": np.zeros(2, np.float32)}
    store.write(key, {"feature": Array((), "float32")}, [block], {})
    feature: Feature = store.read(key)
    with pytest.raises(BadRequest, match="several rows at one time"):
        resample(feature, "feature", axis(0, 1, 1), "nearest")


def test_nothing_there_gives_nothing(store: FeatureStore) -> None:
    key = FeatureKey("gaze", "3" * 64, "4" * 64)
    store.absent(key, {"feature": Array((2,), "float32")}, "the video has no gaze", {})
    found = together(store, {"gaze": key}, axis(0, 2, 1), "mean")["gaze"]["feature"]
    assert found.values.shape == (2, 2)
    assert not found.there.any()
