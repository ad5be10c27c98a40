"""Eight settings of overlapping windows in one pass, against the model's own forward time for the same windows.

    python benchmarks/overlap.py [--only NAME ...] [--seconds S] [--turns N]

Extraction counts all there is: decoding in the child, gathering, the networks (built once before) and the store.
The model's own time is that of the module as it is built, on windows that lie in memory, in batches of the same
size and by as many threads, for a window, times the rows. CPU seconds of the best turn of each, taken in turn, which
other programs disturb less than wall time. Goal: at most 1.15. Below 1, windows share more than extraction costs.
"""

import argparse
import os
import resource
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from ego.cache.store import FeatureStore
from ego.extractors._backbone import Backbone
from ego.extractors.i3d import I3D
from ego.extractors.r3d import R3D
from ego.extractors.resnet import ResNet
from ego.extractors.slow import Slow
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline import extract as extraction
from ego.pipeline.engine import How
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.scan import scan
from ego.pipeline.windows import windows
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Video

RANDOM = Weights("random:0")
WINDOWS = 16
"""How many are timed."""
RATES = (6.0, 7.5, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0)
STRIDES = (4, 5, 6, 8, 10, 12, 16, 20)
SETTINGS: dict[str, tuple[Backbone, list[Window]]] = {
    "resnet 18": (ResNet(weights=RANDOM), [Window(fps=rate) for rate in RATES]),
    "slow": (Slow(weights=RANDOM), [Window(8, 2 * stride, 8, 30.0) for stride in STRIDES]),
    "r3d, strides": (R3D(weights=RANDOM), [Window(16, stride, fps=15.0) for stride in STRIDES]),
    "r3d, rates": (R3D(weights=RANDOM), [Window(16, 8, fps=rate) for rate in RATES]),
    "i3d": (I3D(weights=RANDOM), [Window(64, 2 * stride, fps=25.0) for stride in STRIDES]),
}


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def drawn(path: Path, seconds: float) -> Video:
    """Textures that move, 320x256 at 30 frames a second."""
    ground = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    encode(path, (ground[t % 200 : t % 200 + 256, t % 300 : t % 300 + 320] for t in range(round(seconds * 30))), fps=30)
    with Decoder() as decoder:
        (video,) = scan([path], decoder)
    assert isinstance(video, Video)
    return video


def own(network: Backbone, video: Video, workers: int) -> float:
    """CPU seconds of the module's forward for one window, in batches as extraction makes them, by all threads."""
    module = network.build({})
    with Decoder() as decoder:
        seen = list(islice((shown.pixels["frames"] for shown in windows(decoder, video, network, {})), 16))
    frames = torch.from_numpy(np.stack(seen[: How().rows(seen[0].nbytes)]))
    calls = -(-WINDOWS // len(frames))
    _forward(module, frames)
    before = cpu_seconds()
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(_forward, module, frames) for _ in range(calls)]:
            done.result()
    return (cpu_seconds() - before) / (calls * len(frames))


def _forward(module: torch.nn.Module, frames: torch.Tensor) -> None:
    with torch.inference_mode():
        module(frames=frames)


def together(settings: Sequence[Backbone], video: Video) -> tuple[float, list[int]]:
    """CPU seconds of one pass beyond the building of its networks, and each setting's rows."""
    building, make = [0.0], extraction.lanes_of

    def timed(*given: object) -> object:
        before = cpu_seconds()
        lanes = make(*given)  # type: ignore[arg-type]
        building[0] += cpu_seconds() - before
        return lanes

    extraction.lanes_of = timed  # type: ignore[assignment]
    try:
        with tempfile.TemporaryDirectory() as folder:
            store = FeatureStore(folder, create=True)
            jobs = work([video], settings, store)
            before = cpu_seconds()
            events = list(extraction.extract(jobs, store, {}))
            spent = cpu_seconds() - before
            assert [one.state for one in events if isinstance(one, Outcome)] == ["stored"]
            rows = [len(store.read(jobs[0].key(one)).time) for one in settings]
    finally:
        extraction.lanes_of = make
    return spent - building[0], rows


def main() -> None:
    """Prints a line a network."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    asked.add_argument("--seconds", type=float, default=10.0)
    asked.add_argument("--turns", type=int, default=2)
    given = asked.parse_args()
    workers = os.cpu_count() or 1
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {workers} threads, best of {given.turns}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        video = drawn(Path(folder) / "drawn.mp4", given.seconds)
        for name in given.only:
            network, grids = SETTINGS[name]
            settings = [replace(network, window=grid) for grid in grids]
            ours, window, rows = np.inf, np.inf, [0]
            for _ in range(given.turns):
                spent, rows = together(settings, video)
                ours, window = min(ours, spent), min(window, own(settings[0], video, workers))
            forward = window * sum(rows)
            print(
                f"{name:13} {network.precision}, {sum(rows)} rows of {len(settings)} settings of {given.seconds:g} s: "
                f"extraction {ours:.1f} CPU s, the model alone {forward:.1f}: {ours / forward:.2f}",
                flush=True,
            )
    print("goal: at most 1.15")


if __name__ == "__main__":
    main()
