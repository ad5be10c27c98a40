"""Backbones as they are built against a plain float32 PyTorch loop over the same windows, in turn, in one run.

    python benchmarks/backbones.py [--only NAME ...] [--turns N] [--threads N]

The loop does what most scripts do: bytes to float, channels first, mean and deviation, model(x). CPU seconds
of the best turn of each, which another program on the machine disturbs least. Goal: at least 2.3 for
ResNet-34 and I3D where the CPU has native bfloat16; elsewhere at least 0.9 of the best of float32,
channels last and bfloat16.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from ego.extractors._backbone import Backbone
from ego.extractors.i3d import I3D
from ego.extractors.mfnet import MFNet
from ego.extractors.r3d import R3D
from ego.extractors.resnet import ResNet
from ego.extractors.slowfast import SlowFast
from ego.spec import Weights

RANDOM = Weights("random:0")
BACKBONES: dict[str, tuple[Backbone, int]] = {
    "resnet 34": (ResNet(weights=RANDOM, depth=34), 16),
    "i3d": (I3D(weights=RANDOM), 2),
    "mfnet": (MFNet(weights=RANDOM), 2),
    "r3d": (R3D(weights=RANDOM), 2),
    "slowfast 50": (SlowFast(weights=RANDOM), 1),
}


class Plain(nn.Module):
    """The same network as a script would run it."""

    def __init__(self, built: nn.Module, size: int, taps: tuple[str, ...], precision: torch.dtype, last: bool) -> None:
        super().__init__()
        self.model, self._size, self._taps, self._precision = built.model, size, taps, precision
        self._last = last

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (B, T, 256, 256, 3) -> the tap."""
        edge = (256 - self._size) // 2
        crop = frames[:, :, edge : edge + self._size, edge : edge + self._size].permute(0, 4, 1, 2, 3)
        x = (crop.contiguous().float() / 255 - 0.45) / 0.225
        x = x[:, :, 0] if x.shape[2] == 1 else x
        if self._last:
            x = x.contiguous(memory_format=torch.channels_last if x.ndim == 4 else torch.channels_last_3d)
        with torch.autocast("cpu", self._precision, enabled=self._precision != torch.float32):
            found: torch.Tensor = self.model(x, self._taps)[self._taps[0]]
        return found


def contiguous(built: nn.Module) -> nn.Module:
    """The module with its weights as a file has them in memory."""
    for parameter in built.parameters():
        parameter.data = parameter.data.contiguous()
    return built


def best(deeds: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """CPU seconds of the best turn of each deed, taken in turn."""
    found = dict.fromkeys(deeds, np.inf)
    for turn in range(turns + 1):
        for name, deed in deeds.items():
            before = time.process_time()
            deed()
            if turn:  # the first one warms up
                found[name] = min(found[name], time.process_time() - before)
    return found


def main() -> None:
    """Prints a line a backbone."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", nargs="*", default=list(BACKBONES), choices=list(BACKBONES))
    asked.add_argument("--turns", type=int, default=3)
    asked.add_argument("--threads", type=int, default=1)
    given = asked.parse_args()
    torch.set_num_threads(given.threads)
    native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    print(f"torch {torch.__version__}, {given.threads} threads, native bfloat16: {native}, best of {given.turns}")
    for name in given.only:
        spec, batch = BACKBONES[name]
        side = 256 if spec.size > 128 else 128
        drawn = np.random.default_rng(1).integers(0, 256, (batch, spec.window.frames, 256, 256, 3), np.uint8)
        frames = torch.from_numpy(drawn)
        shown = frames[:, :, :side, :side]
        built, bare = spec.build({}), contiguous(spec.build({}))

        plain = partial(Plain, bare, spec.size, spec.taps)
        modules = {
            "ours": partial(built, frames=shown),
            "float32": partial(plain(torch.float32, False), frames),
            "channels last": partial(plain(torch.float32, True), frames),
            "bfloat16": partial(plain(torch.bfloat16, False), frames),
        }
        with torch.inference_mode():
            found = best(modules, given.turns)
        ratios = "  ".join(
            f"{one} / ours {seconds / found['ours']:.2f}" for one, seconds in found.items() if one != "ours"
        )
        print(f"{name:12} batch {batch:2}: ours {found['ours'] / batch:.3f} s a window; {ratios}", flush=True)


if __name__ == "__main__":
    main()
