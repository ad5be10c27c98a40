"""Training heads on cached clips against named baselines, taken in turn in one run.

python benchmarks/fit.py [--clips 10000] [--rows 8] [--width 1024] [--classes 10] [--batch 256] [--repeats 3]
                         [--threads 1]

CPU time of one thread, or with more threads wall time: np.take has one thread whatever is asked for.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from _cached import VIDEOS, World, build, epoch, in_turn, say, seconds_of, timed_by
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ego.heads._base import Batch
from ego.heads._deal import Stream
from ego.heads._stacked import Stacked
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.heads.mlp import MLP


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


def first_epoch(world: World, training: Training) -> Callable[[], object]:
    """One pass of the loop over all clips of which nothing is pooled yet."""

    def job() -> None:
        columns = {name: replace(column) for name, column in world.clips.columns.items()}
        epoch(world, Linear(), training, replace(world.clips, columns=columns))()

    return job


def epochs(world: World, batch: int, repeats: int) -> None:
    """The linear head's epoch over gathering alone, over a data loader."""
    whole = np.empty((*world.seen.shape, world.pack["feature"].shape[1]), np.float16)
    for size in sorted({64, batch, 1024}):
        some = whole[:size]

        def batches(size: int = size, some: np.ndarray[Any, Any] = some) -> None:
            for start in range(0, len(world.seen), size):
                rows = world.seen[start : start + size]
                np.take(world.pack["feature"], rows, axis=0, out=some[: len(rows)], mode="clip")

        mine, plain, take, parts = in_turn(
            repeats, first_epoch(world, Training(epochs=1, batch=size)),
            lambda: np.take(world.pack["feature"], world.seen, axis=0),
            lambda: np.take(world.pack["feature"], world.seen, axis=0, out=whole, mode="clip"), batches,
        )  # fmt: skip
        later = epoch(world, Linear(), Training(epochs=6, batch=size))
        five = [(seconds_of(later) - first) / 5 for first in mine]
        say(f"a linear epoch after the first, batch {size} / np.take of all rows into a ready array", five, take, "2")
        say(f"a linear epoch after the first, batch {size} / np.take of all rows", five, plain, "2")
        say(f"linear epoch, batch {size} / np.take of all rows", mine, plain, "2")
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

        still = True

        def __init__(self) -> None:
            self._held = [some.batch(np.arange(start, start + 64)) for start in range(0, 256, 64)]

        def __len__(self) -> int:
            return 256

        def batch(self, indices: Any, draw: Any = None) -> Batch:
            return self._held[0]

    alone, mine = in_turn(repeats, epoch(world, head, training, Ready()), epoch(world, head, training, some))
    say("a translator on batches that are ready / from the cache", alone, mine, "above 0.9")


def sweeps(world: World, batch: int, repeats: int) -> None:
    """32 settings as one computation over one setting alone; on one core no less than 32 times its products."""
    rates, decays = (1e-4, 3e-4, 1e-3, 3e-3), (0.0, 1e-3, 1e-2, 3e-2, 0.1, 0.2, 0.3, 0.5)
    base = Training(epochs=2, batch=batch)
    for words, head in (("linear", Linear()), ("mlp of 16 hidden", MLP(hidden=(16,)))):
        for seeds in (1, 4):
            grid = list(product(range(seeds), rates, decays))[::seeds]
            trainings = [replace(base, seed=seed, lr=lr, weight_decay=decay) for seed, lr, decay in grid]

            def all_of(head: Linear = head, trainings: list[Training] = trainings) -> None:
                stream = Stream(world.clips, ("verb",))
                for _ in Stacked(head, world.shapes, world.tasks, world.tasks, stream, trainings):
                    pass

            many, one = in_turn(repeats, all_of, epoch(world, head, base))
            say(f"{len(grid)} {words} settings of {seeds} seeds / one", many, one, "4")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("clips", 10_000), ("rows", 8), ("width", 1024), ("classes", 10), ("batch", 256),
                          ("repeats", 3), ("threads", 1)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.threads > 1:
        timed_by(time.perf_counter)
    print(f"{asked}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        world = build(Path(folder), asked.clips, asked.rows, asked.width, asked.classes)
        epochs(world, asked.batch, asked.repeats)
        share_of_model(world, asked.repeats)
        sweeps(world, asked.batch, asked.repeats)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
