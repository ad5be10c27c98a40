"""Cached clips to train on, and how jobs are timed against each other: what the scripts beside this share."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ego.cache.key import FeatureKey
from ego.cache.pack import Pack
from ego.cache.store import FeatureStore
from ego.heads._deal import Stream
from ego.heads._train import Loop, begin
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline import recipe
from ego.pipeline.cached import CachedClips
from ego.pipeline.fit import Workplace, planned, stored_clips
from ego.pipeline.jobs import entry_key
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder
from ego.tasks._base import Task
from ego.video import Array, Video

VIDEOS, STEP_SECONDS = 20, 0.01
RECIPE = """[dataset]
name = "folder"
csv = "table.csv"
folder = "videos"
split = "listed"
validation = ["0"]
[extractors.mean_rgb]
[tasks.verb]
name = "classify"
label = "verb"
[head]
name = "linear"
[training]
epochs = 1
"""


@dataclass(frozen=True)
class World:
    """Cached clips, their store, and what is learnt of them."""

    root: Path
    clips: CachedClips
    pack: Pack
    keys: list[FeatureKey]
    tasks: Mapping[str, Task]
    seen: np.ndarray[Any, Any]

    @property
    def shapes(self) -> dict[str, Array]:
        return self.clips.shapes


def build(root: Path, count: int, rows: int, width: int, classes: int) -> World:
    """A data set of drawn videos with random rows in its store, and the same as clips in memory."""
    rng = np.random.default_rng(0)
    each = count // VIDEOS
    labels = rng.integers(0, classes, (VIDEOS, each))
    store, lines = FeatureStore(root / "store", create=True), ["video,start,stop,verb"]
    (root / "videos").mkdir()
    (root / "recipe.toml").write_text(RECIPE)
    seconds = each * rows * STEP_SECONDS
    for video in range(VIDEOS):
        frames = (np.full((32, 32, 3), (video * 11 + i) % 256, np.uint8) for i in range(int(seconds * 5) + 5))
        encode(root / "videos" / f"{video}.mp4", frames, 5)
        lines += [
            f"{video},{clip * rows * STEP_SECONDS:.4f},{(clip + 1) * rows * STEP_SECONDS:.4f},{labels[video, clip]}"
            for clip in range(each)
        ]
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    start = np.arange(each * rows) * STEP_SECONDS
    time_rows = np.stack([start, start + STEP_SECONDS / 2, start + STEP_SECONDS], 1)
    source = np.stack([np.arange(each * rows)] * 4, 1)
    finder = WeightFinder([])
    read = recipe.read(root / "recipe.toml", (), finder)
    with Decoder() as decoder:
        at = Workplace(root, store, finder, decoder, root / "runs")
        for video in scan(sorted((root / "videos").iterdir()), decoder):
            assert isinstance(video, Video)
            key = entry_key(video, read.extractors["mean_rgb"], {})
            values = rng.standard_normal((each * rows, width), dtype=np.float32).astype(np.float16)
            store.write(
                key, {"feature": Array((width,))}, [{"time": time_rows, "source": source, "feature": values}], {}
            )
        plan, entries = planned("fit-heads", read, at, ())
        clips = stored_clips(plan, entries, at)
    seen = rng.permutation(each * VIDEOS)[:, None] * rows + np.arange(rows)
    keys = list(entries["mean_rgb"].values())
    return World(root, clips, clips.columns["mean_rgb"].pack, keys, plan.problem.tasks, seen)


_clocks = [time.process_time]


def timed_by(clock: Callable[[], float]) -> None:
    """Jobs are timed by this clock from now on; before, by the CPU time of this process."""
    _clocks[:] = [clock]


def seconds_of(job: Callable[[], object]) -> float:
    """Seconds that a job takes by the clock."""
    started = _clocks[0]()
    job()
    return _clocks[0]() - started


def in_turn(repeats: int, *jobs: Callable[[], object]) -> list[list[float]]:
    """CPU seconds of each job, one after the other, `repeats` times after one round to warm up."""
    found = [[seconds_of(job) for job in jobs] for _ in range(repeats + 1)][1:]
    return [list(column) for column in zip(*found, strict=True)]


def say(words: str, mine: Iterable[float], other: Iterable[float], goal: str) -> None:
    """A line with both medians and the median and range of their ratios."""
    mine, other = list(mine), list(other)
    ratios = sorted(a / b for a, b in zip(mine, other, strict=True))
    middle = statistics.median(ratios)
    sizes = f"{statistics.median(mine) * 1e3:.0f} ms / {statistics.median(other) * 1e3:.0f} ms"
    print(f"{words}: {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}; {sizes}), goal {goal}", flush=True)


def epoch(world: World, head: Linear, training: Training, clips: Any = None) -> Callable[[], object]:
    """One pass of the loop over all clips."""

    def job() -> None:
        module = begin(head, world.shapes, world.tasks, training)
        stream = Stream(world.clips if clips is None else clips, ("verb",))
        for _ in Loop(module, head, world.tasks, [stream], training):
            pass

    return job
