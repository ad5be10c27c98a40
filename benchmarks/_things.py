"""A ResNet-18 that has learnt to name things in films that no experiment uses: the stand-in for published weights."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.grammar import PORTABLE
from ego.extractors.resnet import MEAN, STD
from ego.layers.resnet import ResNet
from ego.media.decode import Decoder, Look
from ego.sampling import Window
from ego.video import Picture, Video

SIZE, GRIDS = 192, {"conv3_x": 24, "conv4_x": 12}
EPOCHS, BATCH, RATE, ON = 10, 16, 2e-3, 8.0
"""`ON` is how much more a cell with a thing counts than one without."""


def frames(world: Path) -> Iterator[tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]]]]:
    """(SIZE, SIZE, 3) pictures of films that are no test films, and for every end point the things in its cells."""
    picture = Picture("squash", SIZE)
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
            for frame in decoder.frames(video, [Look(picture, Window(fps=1.2))]):
                if picture in frame.pictures:
                    at = int(np.abs(known["seconds"] - frame.start).argmin())
                    yield frame.pictures[picture].copy(), {tap: cells(known, at, grid) for tap, grid in GRIDS.items()}


def cells(known: truth.Arrays, at: int, grid: int) -> NDArray[np.float32]:
    """(things, grid, grid) 1 in the cell of a thing's centre and in those whose centres its box covers."""
    found = np.zeros((len(PORTABLE), grid, grid), np.float32)
    centres = (np.arange(grid) + 0.5) / grid
    for name, box in zip(known["object_names"], known["object_boxes"][at] / np.tile(known["size"], 2), strict=True):
        if np.isfinite(box).all():
            inside = [(centres >= box[axis]) & (centres < box[axis + 2]) for axis in (0, 1)]
            for axis, own in enumerate(inside):
                own[min(grid - 1, int((box[axis] + box[axis + 2]) / 2 * grid))] = True
            found[PORTABLE.index(str(name))][np.ix_(inside[1], inside[0])] = 1
    return found


class Naming(nn.Module):
    """A ResNet-18 whose maps are read cell by cell by a layer each."""

    def __init__(self) -> None:
        super().__init__()
        self.network = ResNet(18, 1000, None).to(memory_format=torch.channels_last)
        self.readers = nn.ModuleDict(
            {"conv3_x": nn.Conv2d(128, len(PORTABLE), 1), "conv4_x": nn.Conv2d(256, len(PORTABLE), 1)}
        )
        for reader in self.readers.values():
            nn.init.constant_(reader.bias, -4.0)
        self.mean, self.std = (255 * torch.tensor(some).view(1, 3, 1, 1) for some in (MEAN, STD))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, things, grid, grid) logits of pictures (B, 3, SIZE, SIZE) from 0 to 255."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            maps = self.network((x - self.mean) / self.std, tuple(GRIDS))
            return {tap: reader(maps[tap]).float() for tap, reader in self.readers.items()}


def turned(x: Tensor, labels: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Pictures in another light, half of the batches mirrored."""
    if torch.rand(()) < 0.5:
        x, labels = x.flip(3), {tap: y.flip(3) for tap, y in labels.items()}
    x = x * (0.75 + 0.5 * torch.rand(len(x), 3, 1, 1)) + 20 * (2 * torch.rand(len(x), 1, 1, 1) - 1)
    return x.contiguous(memory_format=torch.channels_last), labels


def learn(world: Path, path: Path, seed: int = 0) -> None:
    """Writes the weights; the last 96 frames are kept aside and say how many cells with a thing are named right."""
    began = time.process_time()
    torch.manual_seed(seed)
    shown = list(frames(world))
    pictures = torch.from_numpy(np.stack([one for one, _ in shown])).permute(0, 3, 1, 2)
    labels = {tap: torch.from_numpy(np.stack([some[tap] for _, some in shown])) for tap in GRIDS}
    module, count, weight = Naming(), len(shown) - 96, torch.tensor(ON)
    steps = EPOCHS * (count // BATCH)
    optimiser = torch.optim.AdamW(module.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for some in torch.randperm(count)[: count // BATCH * BATCH].split(BATCH):
            x, y = turned(pictures[some].float(), {tap: one[some] for tap, one in labels.items()})
            said = module(x)
            losses = [F.binary_cross_entropy_with_logits(said[tap], y[tap], pos_weight=weight) for tap in GRIDS]
            optimiser.zero_grad()
            torch.stack(losses).sum().backward()
            optimiser.step()
            schedule.step()
    module.eval()
    with torch.inference_mode():
        said = torch.cat([module(some.float())["conv4_x"] for some in pictures[count:].split(BATCH)])
    truly = labels["conv4_x"][count:]
    right = (said.argmax(1) == truly.argmax(1))[truly.sum(1) > 0].float().mean().item()
    print(f"trunk: {count} frames, {EPOCHS} epochs, {right:.0%} of cells with a thing named right, "
          f"{time.process_time() - began:.0f} s of CPU time")  # fmt: skip
    save_file({key: x.contiguous() for key, x in module.network.state_dict().items()}, path)
