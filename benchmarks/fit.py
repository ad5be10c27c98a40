"""Training heads on cached clips against named baselines, CPU time of one thread, taken in turn in one run.

python benchmarks/fit.py [--clips 10000] [--rows 8] [--width 1024] [--classes 10] [--batch 256] [--repeats 3]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ego.cache.key import FeatureKey
from ego.cache.pack import Pack
from ego.cache.store import FeatureStore
from ego.heads._base import Batch
from ego.heads._deal import Stream
from ego.heads._stacked import Stacked
from ego.heads._train import Loop, begin
from ego.heads._training import Group, Training
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
from ego.tasks.classify import Classify
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
START = """
import sys, time
from pathlib import Path
from ego.cache.store import FeatureStore
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.packs import Packs, packs_folder
from ego.pipeline.weights import WeightFinder
root, started = Path(sys.argv[1]), float(sys.argv[2])
finder = WeightFinder([])
read = recipe.read(root / "recipe.toml", ["training.seed=" + sys.argv[3]], finder)
with Decoder() as decoder:
    at = Workplace(root, FeatureStore(root / "store"), finder, decoder, root / "runs", packs=Packs(packs_folder()))
    for number, event in enumerate(fit(read, at)):
        if not number:
            print(time.time() - started)
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


class Mlp(Linear):
    """Two layers over the mean of the rows."""

    def build(self, shapes: Any, tasks: Any) -> nn.Module:
        return MlpModule(next(iter(shapes.values())).shape[0], len(next(iter(tasks.values())).classes))


class MlpModule(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, classes))

    def forward(self, features: Any, masks: Any, tasks: Any, labels: Any = None) -> dict[str, torch.Tensor]:
        return {"verb": self.layers(features["mean_rgb"][:, 0].float())}


class Translator(Linear):
    """Three layers of a transformer over the rows, as wide as EgoT2's."""

    def build(self, shapes: Any, tasks: Any) -> nn.Module:
        return TranslatorModule(next(iter(shapes.values())).shape[0], len(next(iter(tasks.values())).classes))


class TranslatorModule(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True)
        self.into, self.out = nn.Linear(width, 512), nn.Linear(512, classes)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)

    def forward(self, features: Any, masks: Any, tasks: Any, labels: Any = None) -> dict[str, torch.Tensor]:
        hidden = self.encoder(self.into(features["mean_rgb"].float()), src_key_padding_mask=~masks["mean_rgb"])
        return {"verb": self.out(hidden.mean(1))}


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


def seconds_of(job: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    job()
    return time.process_time() - started


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


class ZarrClips(Dataset[Any]):
    """One clip an item, read from the store's arrays as a plain dataset class does."""

    def __init__(self, world: World) -> None:
        self._arrays = [
            zarr.open_group(str(world.root / "store" / key.path), mode="r")["feature"] for key in world.keys
        ]
        self._each = len(world.clips) // VIDEOS
        self._rows = world.seen.shape[1]

    def __len__(self) -> int:
        return len(self._arrays) * self._each

    def __getitem__(self, index: int) -> np.ndarray[Any, Any]:
        video, clip = divmod(index, self._each)
        return np.asarray(self._arrays[video][clip * self._rows : (clip + 1) * self._rows])


def epochs(world: World, batch: int, repeats: int) -> None:
    """The linear head's epoch over gathering alone, over a data loader."""
    whole = np.empty((*world.seen.shape, world.pack["feature"].shape[1]), np.float16)
    for size in sorted({64, batch, 1024}):
        some = whole[:size]

        def batches(size: int = size, some: np.ndarray[Any, Any] = some) -> None:
            for start in range(0, len(world.seen), size):
                rows = world.seen[start : start + size]
                np.take(world.pack["feature"], rows, axis=0, out=some[: len(rows)], mode="clip")

        mine, take, parts = in_turn(
            repeats, epoch(world, Linear(), Training(epochs=1, batch=size)),
            lambda: np.take(world.pack["feature"], world.seen, axis=0, out=whole, mode="clip"), batches,
        )  # fmt: skip
        say(f"linear epoch, batch {size} / np.take of all rows into a ready array", mine, take, "2")
        say(f"linear epoch, batch {size} / np.take batch by batch into one buffer", mine, parts, "2")
    loader = DataLoader(ZarrClips(world), batch_size=batch, shuffle=True)
    part = 4
    read = [seconds_of(lambda: [x for x, _ in zip(loader, range(part), strict=False)]) for _ in range(repeats)]
    full = [one * len(world.clips) / (part * batch) for one in read]
    say(f"a per-sample DataLoader over zarr ({part} batches, scaled) / linear epoch", full, mine, "at least 10")


def share_of_model(world: World, repeats: int) -> None:
    """How much of a translator's training is the model's own arithmetic."""
    head, training = Translator(), Training(epochs=1, batch=64)
    columns = {name: replace(column, pooled=False) for name, column in world.clips.columns.items()}
    some = replace(world.clips, columns=columns).only(np.arange(256))

    class Ready:
        """The same clips, gathered before."""

        def __init__(self) -> None:
            self._held = [some.batch(np.arange(start, start + 64)) for start in range(0, 256, 64)]

        def __len__(self) -> int:
            return 256

        def batch(self, indices: Any, draw: Any = None) -> Batch:
            return self._held[0]

    alone, mine = in_turn(repeats, epoch(world, head, training, Ready()), epoch(world, head, training, some))
    say("a translator on batches that are ready / from the cache", alone, mine, "above 0.9")


def sweeps(world: World, batch: int, repeats: int) -> None:
    """32 settings as one computation over one setting alone."""
    rates, decays = (1e-4, 3e-4, 1e-3, 3e-3), (0.0, 1e-3, 1e-2, 3e-2, 0.1, 0.2, 0.3, 0.5)
    base = Training(epochs=2, batch=batch)
    for words, head in (("linear", Linear()), ("mlp of 16 hidden", Mlp())):
        for seeds in (1, 4):
            grid = list(product(range(seeds), rates, decays))[::seeds]
            trainings = [replace(base, seed=seed, lr=lr, weight_decay=decay) for seed, lr, decay in grid]

            def all_of(head: Linear = head, trainings: list[Training] = trainings) -> None:
                stream = Stream(world.clips, ("verb",))
                for _ in Stacked(head, world.shapes, world.tasks, world.tasks, stream, trainings):
                    pass

            many, one = in_turn(repeats, all_of, epoch(world, head, base))
            say(f"{len(grid)} {words} settings of {seeds} seeds / one", many, one, "4")


def against_scikit_learn(repeats: int) -> None:
    """The same convex problem: mean cross-entropy and half the decay times the weights' square, no decay of biases."""
    from sklearn.linear_model import LogisticRegression

    rng, (count, width, classes), decay = np.random.default_rng(0), (10_000, 256, 10), 1e-2
    rows = rng.standard_normal((count, width), dtype=np.float32)
    labels = (rows @ rng.standard_normal((width, classes)) / 4 + rng.gumbel(size=(count, classes))).argmax(1)
    given, known = torch.from_numpy(rows)[:, None], torch.from_numpy(labels)
    tasks = {"verb": Classify(label="verb", classes=tuple(map(str, range(classes))))}
    there = torch.ones(count, 1, dtype=torch.bool)

    class Rows:
        def __len__(self) -> int:
            return count

        def batch(self, indices: Any, draw: Any = None) -> Batch:
            mask = there[indices]
            return Batch(
                {"mean_rgb": given[indices]}, {"mean_rgb": mask}, {"verb": known[indices]}, {"verb": mask[:, 0]}
            )

    training = Training(optimiser="sgd", nesterov=True, lr=0.3, weight_decay=decay, batch=1000, epochs=12,
                        groups=(Group("*.bias", weight_decay=0.0),))  # fmt: skip
    head, shapes, found = Linear(norm="none"), {"mean_rgb": Array((width,), "float32")}, {}

    def ours() -> None:
        found["torch"] = begin(head, shapes, tasks, training)
        for _ in Loop(found["torch"], head, tasks, [Stream(Rows(), ("verb",))], training):
            pass

    def theirs() -> None:
        found["scikit-learn"] = LogisticRegression(C=1 / (decay * count), max_iter=1000).fit(rows, labels)

    mine, other = in_turn(repeats, ours, theirs)
    layer, model = found["torch"].layers["of_verb"], found["scikit-learn"]
    sides = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()), (model.coef_, model.intercept_)]
    losses = [
        float(nn.functional.cross_entropy(torch.from_numpy(rows @ w.T + b), known) + decay / 2 * (w**2).sum())
        for w, b in sides
    ]
    print(f"convex loss: torch {losses[0]:.6f}, scikit-learn {losses[1]:.6f}, {losses[0] / losses[1] - 1:+.1e}")
    say(f"linear head / LogisticRegression, {count} x {width}, {classes} classes", mine, other, "at most 1")


def starts(world: World, repeats: int) -> None:
    """From the start of the program to its first step, with and without kept rows; wall time."""
    size = world.pack["feature"].nbytes
    world.pack["feature"].tofile(world.root / "plain.bin")
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(repeats):
            environment = {**os.environ, "XDG_CACHE_HOME": f"{cache}/{turn}"}
            for words in ("cold", "warm"):
                asked = [
                    sys.executable,
                    "-c",
                    START,
                    str(world.root),
                    str(time.time()),
                    f"{turn + 1}{int(words == 'warm')}",
                ]
                done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
                print(f"first step, {words}: {float(done.stdout):.2f} s, goal {'3 s' if words == 'warm' else ''}")
            imports = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import ego.pipeline.fit"], check=True)
            imports = time.perf_counter() - imports
            read = time.perf_counter()
            np.fromfile(world.root / "plain.bin", np.uint8)
            read = time.perf_counter() - read
            print(f"  of which importing {imports:.2f} s; one sequential read of {size / 1e6:.0f} MB {read:.2f} s")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("clips", 10_000), ("rows", 8), ("width", 1024), ("classes", 10), ("batch", 256),
                          ("repeats", 3)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{asked}, one thread, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        world = build(Path(folder), asked.clips, asked.rows, asked.width, asked.classes)
        epochs(world, asked.batch, asked.repeats)
        share_of_model(world, asked.repeats)
        sweeps(world, asked.batch, asked.repeats)
        against_scikit_learn(asked.repeats)
        starts(world, asked.repeats)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
