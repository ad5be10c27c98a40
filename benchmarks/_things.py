"""A ResNet-18 that has learnt to name things, or things and hands, in films that no experiment uses.

It stands in for published weights: `THINGS` for those of a large set of pictures, `HANDS` for those of a network that
also finds both hands of the wearer (100DOH, EgoHands).
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.grammar import PORTABLE
from ego.extractors.resnet import MEAN, STD
from ego.layers.resnet import ResNet
from ego.media.decode import Decoder, Look
from ego.sampling import Window
from ego.video import Picture, Video

BATCH, RATE, ON = 16, 2e-3, 8.0
"""`ON` is how much more a cell with a thing counts than one without."""
TAPS = {"conv3_x": (128, 8), "conv4_x": (256, 16), "conv5_x": (512, 32)}
"""Channels and stride."""


@dataclass(frozen=True)
class Lesson:
    """What is named, at which end points, in pictures of which size; `fps` frames a second for so many epochs."""

    size: int = 192
    taps: tuple[str, ...] = ("conv3_x", "conv4_x")
    hands: bool = False
    fps: float = 1.2
    epochs: int = 10

    @property
    def count(self) -> int:
        """How many things; the left and the right hand come last."""
        return len(PORTABLE) + 2 * self.hands


THINGS, HANDS = Lesson(), Lesson(128, tuple(TAPS), hands=True, fps=2.4, epochs=6)


def frames(world: Path, lesson: Lesson) -> Iterator[tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]]]]:
    """(size, size, 3) pictures of films that are no test films, and for every end point the things in its cells."""
    picture = Picture("squash", lesson.size)
    with Decoder() as decoder:
        for record in sorted(world.glob("truth/*.json")):
            about = json.loads(record.read_text(encoding="utf-8"))
            if about["split"] == "test":
                continue
            known, path = (
                truth.load(world / "truth" / f"{about['name']}.npz"),
                world / "videos" / f"{about['name']}.mp4",
            )
            video = Video("0" * 64, about["name"], str(path), decoder.probe(str(path)))
            for frame in decoder.frames(video, [Look(picture, Window(fps=lesson.fps))]):
                if picture in frame.pictures:
                    at = int(np.abs(known["seconds"] - frame.start).argmin())
                    grids = {tap: lesson.size // TAPS[tap][1] for tap in lesson.taps}
                    yield (
                        frame.pictures[picture].copy(),
                        {tap: cells(known, at, grid)[: lesson.count] for tap, grid in grids.items()},
                    )


def cells(known: truth.Arrays, at: int, grid: int) -> NDArray[np.float32]:
    """(things and both hands, grid, grid) 1 in the cell of a box's centre and in those whose centres it covers."""
    found = np.zeros((len(PORTABLE) + 2, grid, grid), np.float32)
    centres = (np.arange(grid) + 0.5) / grid
    channels = [PORTABLE.index(str(name)) for name in known["object_names"]] + [len(PORTABLE), len(PORTABLE) + 1]
    boxes = np.concatenate([known["object_boxes"][at], known["hand_boxes"][at]]) / np.tile(known["size"], 2)
    for channel, box in zip(channels, boxes, strict=True):
        if np.isfinite(box).all():
            inside = [(centres >= box[axis]) & (centres < box[axis + 2]) for axis in (0, 1)]
            for axis, own in enumerate(inside):
                own[min(grid - 1, int((box[axis] + box[axis + 2]) / 2 * grid))] = True
            found[channel][np.ix_(inside[1], inside[0])] = 1
    return found


class Naming(nn.Module):
    """A ResNet-18 whose maps are read cell by cell by a layer each."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.taps = lesson.taps
        self.network = ResNet(18, 1000, None).to(memory_format=torch.channels_last)
        self.readers = nn.ModuleDict({tap: nn.Conv2d(TAPS[tap][0], lesson.count, 1) for tap in lesson.taps})
        for reader in self.readers.values():
            nn.init.constant_(reader.bias, -4.0)
        self.mean, self.std = (255 * torch.tensor(some).view(1, 3, 1, 1) for some in (MEAN, STD))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, things, grid, grid) logits of pictures (B, 3, size, size) from 0 to 255."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            maps = self.network((x - self.mean) / self.std, self.taps)
            return {tap: reader(maps[tap]).float() for tap, reader in self.readers.items()}


def turned(x: Tensor, labels: dict[str, Tensor], hands: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Pictures in another light, half of the batches mirrored, where left hands are right hands."""
    if torch.rand(()) < 0.5:
        x, labels = x.flip(3), {tap: y.flip(3) for tap, y in labels.items()}
        if hands:
            labels = {tap: torch.cat([y[:, :-2], y[:, -2:].flip(1)], 1) for tap, y in labels.items()}
    x = x * (0.75 + 0.5 * torch.rand(len(x), 3, 1, 1)) + 20 * (2 * torch.rand(len(x), 1, 1, 1) - 1)
    return x.contiguous(memory_format=torch.channels_last), labels


def learn(world: Path, path: Path, lesson: Lesson = THINGS, start: Path | None = None, seed: int = 0) -> None:
    """Writes the weights, gone on from those at `start`; the last 96 frames are kept aside and say what it knows."""
    began = time.process_time()
    torch.manual_seed(seed)
    shown = list(frames(world, lesson))
    pictures = torch.from_numpy(np.stack([one for one, _ in shown])).permute(0, 3, 1, 2)
    labels = {tap: torch.from_numpy(np.stack([some[tap] for _, some in shown])) for tap in lesson.taps}
    module, count = Naming(lesson), len(shown) - 96
    if start:
        module.network.load_state_dict(load_file(start))
    fit(module, pictures[:count], {tap: y[:count] for tap, y in labels.items()}, lesson)
    module.eval()
    with torch.inference_mode():
        said = torch.cat([module(some.float())[lesson.taps[-1]] for some in pictures[count:].split(BATCH)])
    truly = labels[lesson.taps[-1]][count:]
    right = (said.argmax(1) == truly.argmax(1))[truly.sum(1) > 0].float().mean().item()
    print(f"{path.stem}: {count} frames, {lesson.epochs} epochs, {right:.0%} of cells with a thing named right, "
          f"{time.process_time() - began:.0f} s of CPU time")  # fmt: skip
    save_file({key: x.contiguous() for key, x in module.network.state_dict().items()}, path)


def fit(module: Naming, pictures: Tensor, labels: dict[str, Tensor], lesson: Lesson) -> None:
    """Trains the network and what reads it."""
    steps, weight = lesson.epochs * (len(pictures) // BATCH), torch.tensor(ON)
    optimiser = torch.optim.AdamW(module.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(lesson.epochs):
        for some in torch.randperm(len(pictures))[: len(pictures) // BATCH * BATCH].split(BATCH):
            x, y = turned(pictures[some].float(), {tap: one[some] for tap, one in labels.items()}, lesson.hands)
            said = module(x)
            losses = [F.binary_cross_entropy_with_logits(said[tap], y[tap], pos_weight=weight) for tap in lesson.taps]
            optimiser.zero_grad()
            torch.stack(losses).sum().backward()
            optimiser.step()
            schedule.step()
