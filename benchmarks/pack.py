"""Packing and reopening against plain reads, warm, in one run: prints both ratios and their settings.

python benchmarks/pack.py [--entries 40] [--rows 2000] [--width 1280] [--repeats 5]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr

from ego.cache.key import FeatureKey
from ego.cache.pack import Pack, pack
from ego.cache.store import FeatureStore
from ego.video import Array


def fill(store: FeatureStore, entries: int, rows: int, width: int) -> list[FeatureKey]:
    """Writes entries of random float16 rows; their keys."""
    rng = np.random.default_rng(0)
    start = np.arange(rows) / 2.0
    time_rows = np.stack([start, start + 0.25, start + 0.5], 1)
    source = np.stack([np.arange(rows)] * 4, 1)
    keys = [FeatureKey("mean_rgb", f"{1:064x}", f"{number + 1:016x}" + "0" * 48) for number in range(entries)]
    for key in keys:
        block = {"time": time_rows, "source": source, "feature": rng.standard_normal((rows, width)).astype(np.float16)}
        store.write(key, {"feature": Array((width,))}, [block], {})
    return keys


def interleaved(repeats: int, *jobs: Callable[[], object]) -> list[float]:
    """The best of `repeats` seconds of each job, taken in turn, after one round to warm up."""
    best = [float("inf")] * len(jobs)
    for turn in range(repeats + 1):
        for number, job in enumerate(jobs):
            started = time.perf_counter()
            job()
            if turn:
                best[number] = min(best[number], time.perf_counter() - started)
    return best


def measure(store: FeatureStore, keys: list[FeatureKey], folder: Path, repeats: int) -> dict[str, float]:
    """Seconds of each way to have the rows of these entries."""
    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})

    def plain() -> list[object]:
        groups = [zarr.open_group(str(store.place / key.path), mode="r") for key in keys]
        return [np.asarray(group[name][:]) for group in groups for name in ("time", "feature")]

    def fromfile() -> list[object]:
        return [np.fromfile(folder / f"{name}.bin", np.uint8) for name in ("time", "feature")]

    pack(store, keys, folder=folder)
    jobs: dict[str, Callable[[], object]] = {
        "plain zarr + zarrs read": plain,
        "pack (verified, memory)": lambda: pack(store, keys),
        "np.fromfile": fromfile,
        "Pack.open (mapped)": lambda: Pack.open(folder),
        "Pack.open (memory)": lambda: Pack.open(folder, memory=True),
    }
    return dict(zip(jobs, interleaved(repeats, *jobs.values()), strict=True))


def windows_per_second(opened: Pack, width: int, repeats: int) -> float:
    """Windows of 16 rows gathered a second, 256 at once."""
    rows = np.random.default_rng(1).integers(0, len(opened) - 16, 256)[:, None] + np.arange(16)
    out = np.empty((256, 16, width), np.float16)
    (seconds,) = interleaved(repeats, lambda: [opened.gather("feature", rows, out) for _ in range(20)])
    return 20 * 256 / seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("entries", 40), ("rows", 2000), ("width", 1280), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "store", create=True)
        keys = fill(store, asked.entries, asked.rows, asked.width)
        seconds = measure(store, keys, Path(folder) / "packed", asked.repeats)
        gathered = windows_per_second(Pack.open(Path(folder) / "packed"), asked.width, asked.repeats)
    size = asked.entries * asked.rows * (asked.width * 2 + 24)
    words = f"{asked.entries} entries x {asked.rows} rows x {asked.width} float16, {size / 1e6:.0f} MB"
    print(f"{words}, warm, interleaved, best of {asked.repeats}")
    for name, taken in seconds.items():
        print(f"{name:26s} {taken * 1e3:8.1f} ms {size / taken / 1e9:6.2f} GB/s")
    plain, packed, fromfile, mapped, memory = seconds.values()
    print(f"gather 256 windows x 16    {gathered:8.0f} windows/s")
    print(f"pack / plain read: {plain / packed:.2f} (goal 0.9)")
    print(f"reopen / fromfile: mapped {fromfile / mapped:.2f}, memory {fromfile / memory:.2f} (goal 0.7)")


if __name__ == "__main__":
    main()
