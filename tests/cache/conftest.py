"""Small entries with known rows, and a store on the fastest disk there is."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ego.cache.entry import Feature
from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.video import Array


def make_key(video: int = 1, extractor: int = 1, name: str = "mean_rgb", signals: tuple[str, ...] = ()) -> FeatureKey:
    """A key whose digests tell small numbers apart in their first digits."""
    return FeatureKey(name, f"{extractor:016x}" + "e" * 48, f"{video:016x}" + "f" * 48, signals)


def make_block(arrays: dict[str, Array], rows: int, seed: int = 0, first: int = 0) -> dict[str, np.ndarray]:
    """Rows `first` to `first + rows` of an entry: half-second rows, random values of every dtype."""
    rng = np.random.default_rng([seed, first])
    start = np.arange(first, first + rows) / 2.0
    frames = np.arange(first, first + rows, dtype=np.int64)
    block = {"time": np.stack([start, start + 0.25, start + 0.5], 1), "source": np.stack([frames, frames + 1] * 2, 1)}
    for name, array in arrays.items():
        kind = np.dtype(array.dtype).kind
        low, high = {"b": (0, 2), "u": (0, 200)}.get(kind, (-100, 100))
        block[name] = rng.uniform(low, high, (rows, *array.shape)).astype(array.dtype)
    return block


def same(feature: Feature, block: dict[str, np.ndarray]) -> None:
    """Fails unless a feature holds exactly these rows, in these dtypes."""
    for name, values in block.items():
        found = {"time": feature.time, "source": feature.source}[name] if name in ("time", "source") else feature[name]
        assert found.dtype == values.dtype, name
        np.testing.assert_array_equal(found, values, err_msg=name)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def size_on_disk(folder: Path) -> int:
    """Bytes of every file below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """`make.key(video, extractor)`, `make.block(arrays, rows)`, and what compares them."""
    small = {"feature": Array((8,))}
    return SimpleNamespace(
        key=make_key, block=make_block, arrays=small, same=same, tree=tree, size_on_disk=size_on_disk
    )


@pytest.fixture
def fast_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the machine has one: syncing thousands of files is not what is tested."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def store(fast_path: Path) -> FeatureStore:
    """A new empty store."""
    return FeatureStore(fast_path / "store", create=True)
