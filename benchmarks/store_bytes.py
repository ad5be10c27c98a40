"""What an entry costs: bytes on disk against bytes of its rows, and the time to list many entries.

python benchmarks/store_bytes.py [--videos 10000] [--extractors 5]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.video import Array

CASES = {
    "mobilenet, 3 minutes at 2 rows/s": (360, {"feature": Array((1280,))}),
    "resnet-50, 15 minutes at 2 rows/s": (1800, {"feature": Array((2048,))}),
    "i3d, 1 hour at 3.75 rows/s": (13_500, {"feature": Array((1024,))}),
    "a prime number of rows": (1999, {"feature": Array((1024,))}),
    "maps 7 x 7 x 512": (1100, {"feature": Array((7, 7, 512), kind="map")}),
    "flow int8 320 x 240": (500, {"flow": Array((240, 320, 2), "int8", "flow")}),
}


def entry_bytes(store: FeatureStore, number: int, rows: int, arrays: dict[str, Array]) -> tuple[int, int]:
    """(bytes of the rows, bytes on disk) of one entry, metadata and marker included."""
    rng = np.random.default_rng(number)
    start = np.arange(rows) / 2.0
    frames = np.arange(rows, dtype=np.int64) * 15
    block = {
        "time": np.stack([start, start + 0.25, start + 0.5], 1),
        "source": np.stack([frames, frames + 14, frames * 512, (frames + 14) * 512], 1),
    }
    for name, array in arrays.items():
        block[name] = (rng.standard_normal((rows, *array.shape), np.float32) * 20).astype(array.dtype)
    key = FeatureKey("mean_rgb", f"{1:064x}", f"{number + 1:016x}" + "0" * 48)
    store.write(key, arrays, [block], {"video": {"name": "a video"}, "time_base": "1/15360"})
    disk = sum(path.stat().st_size for path in (store.place / key.path).rglob("*") if path.is_file())
    return sum(values.nbytes for values in block.values()), disk


def listing_seconds(store: FeatureStore, videos: int, extractors: int) -> list[float]:
    """Seconds of three listings of entries that have only the shape of one."""
    pattern = next(iter((store.place / "mean_rgb-0000000000000000").iterdir()))
    for extractor in range(2, extractors + 2):
        group = store.place / f"mean_rgb-{extractor:016x}"
        for video in range(videos):
            entry = group / f"{video:016x}"
            for part in ("time", "source", "feature"):
                (entry / part).mkdir(parents=True)
            for file in ("marker.json", "zarr.json"):
                os.link(pattern / file, entry / file)
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        store.listing()
        taken.append(time.perf_counter() - started)
    return taken


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--extractors", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "store", create=True)
        for number, (name, (rows, arrays)) in enumerate(CASES.items()):
            raw, disk = entry_bytes(store, number, rows, arrays)
            print(f"{name:36s} {raw / 1e6:8.2f} MB of rows {disk / 1e6:8.2f} MB on disk  ratio {disk / raw:.4f}")
        seconds = listing_seconds(store, asked.videos, asked.extractors)
    words = " ".join(f"{one:.2f}" for one in seconds)
    print(f"listing {asked.videos} videos x {asked.extractors} extractors: {words} s")


if __name__ == "__main__":
    main()
