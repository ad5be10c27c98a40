"""R3D-18 and R(2+1)D-18 (Tran et al. 2018), with the key names and numbers of torchvision's checkpoints.

Tensors are (B, C, T, H, W).
"""

from collections.abc import Sequence

import torch
from torch import nn

from ego.layers.r3d_plan import BLOCKS, STAGES, TAPS, WIDTHS


def conv3d(channels: int, out: int, stride: int, between: int | None) -> nn.Module:
    """A 3x3x3 convolution; with `between` channels, one over space, a norm, a ReLU and one over time."""
    if between is None:
        return nn.Conv3d(channels, out, 3, stride, 1, bias=False)
    return nn.Sequential(
        nn.Conv3d(channels, between, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(between),
        nn.ReLU(),
        nn.Conv3d(between, out, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


class Block(nn.Module):
    """Two convolutions and a shortcut; (B, channels, T, H, W) -> (B, out, T / stride, H / stride, W / stride)."""

    def __init__(self, channels: int, out: int, stride: int, factored: bool) -> None:
        super().__init__()
        # as many as give the factored pair the parameters of the whole convolution
        between = channels * out * 27 // (channels * 9 + 3 * out) if factored else None
        self.conv1 = nn.Sequential(conv3d(channels, out, stride, between), nn.BatchNorm3d(out), nn.ReLU())
        self.conv2 = nn.Sequential(conv3d(out, out, 1, between), nn.BatchNorm3d(out))
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv3d(channels, out, 1, stride, bias=False), nn.BatchNorm3d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output, after the sum and its ReLU."""
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.conv2(self.conv1(x)) + shortcut)


def stem(factored: bool) -> nn.Sequential:
    """A 7x7 convolution over space that sees three frames: at once, or in a second one over time."""
    if not factored:
        return nn.Sequential(
            nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(64), nn.ReLU()
        )
    return nn.Sequential(
        nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
        nn.BatchNorm3d(45),
        nn.ReLU(),
        nn.Conv3d(45, 64, (3, 1, 1), 1, (1, 0, 0), bias=False),
        nn.BatchNorm3d(64),
        nn.ReLU(),
    )


class R3D(nn.Module):
    """The network from its clip, or from above a stage: `after="conv4_x"` holds `layer4` and `fc` only.

    forward((B, 3, T, H, W)) gives the wanted taps by name: `conv2_x` to `conv5_x` maps (B, C, T', h, w),
    `pool` (B, 512), `logits` (B, classes). `factored` is R(2+1)D.
    """

    def __init__(self, factored: bool, classes: int = 400, after: str | None = None) -> None:
        super().__init__()
        self._steps = TAPS if after is None else TAPS[TAPS.index(after) + 1 :]
        self._whole = after is None
        if self._whole:
            self.stem = stem(factored)
        for place, (name, out) in enumerate(zip(STAGES, WIDTHS, strict=True)):
            if name in self._steps:
                channels = WIDTHS[place - 1] if place else 64
                blocks = [
                    Block(out if i else channels, out, 2 if i == 0 and place else 1, factored) for i in range(BLOCKS)
                ]
                self.add_module(f"layer{place + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """The wanted taps by name; nothing above the highest of them is computed."""
        found = {}
        if self._whole:
            x = self.stem(x)
        for step in self._steps[: max(map(self._steps.index, taps)) + 1]:
            x = self._step(step, x)
            if step in taps:
                found[step] = x
        return found

    def _step(self, step: str, x: torch.Tensor) -> torch.Tensor:
        if step == "pool":
            return x.mean(dim=(2, 3, 4))
        module = self.fc if step == "logits" else self.get_submodule(f"layer{STAGES.index(step) + 1}")
        out: torch.Tensor = module(x)
        return out
