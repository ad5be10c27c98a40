"""ResNet-18, -34 and -50 (He et al. 2016), with the key names and numbers of torchvision's checkpoints."""

from collections.abc import Sequence

import torch
from torch import nn

from ego.layers.resnet_plan import BLOCKS, STAGES, TAPS, WIDTHS


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; (B, in, H, W) -> (B, width, H / stride, W / stride)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(channels, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output, after the sum and its ReLU."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride) and 1x1 convolutions; widens four times."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.downsample = shortcut(channels, width * 4, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output, after the sum and its ReLU."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def shortcut(channels: int, out: int, stride: int) -> nn.Sequential | None:
    """A 1x1 convolution and a norm where width or size change, else None (the identity)."""
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))


class ResNet(nn.Module):
    """The network from its picture, or from above a stage: `after="conv4_x"` holds `layer4` and `fc` only.

    forward((B, 3, H, W) normalised, or the stage's map) gives the wanted taps by name: `conv2_x` to
    `conv5_x` maps (B, C, h, w), `pool` (B, C), `logits` (B, classes).
    """

    def __init__(self, depth: int, classes: int = 1000, after: str | None = None) -> None:
        super().__init__()
        block = Bottleneck if depth >= 50 else BasicBlock
        if after is None:
            self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
        self._first = 0 if after is None else TAPS.index(after) + 1
        channels = 64
        for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS[depth], strict=True)):
            if stage >= self._first:
                layers = [
                    block(channels if i == 0 else width * block.expansion, width, 2 if i == 0 and stage else 1)
                    for i in range(blocks)
                ]
                self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
            channels = width * block.expansion
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """The wanted taps by name; nothing above the highest of them is computed."""
        found = {}
        if self._first == 0:
            x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for tap in TAPS[self._first : max(map(TAPS.index, taps)) + 1]:
            x = self._step(tap, x)
            if tap in taps:
                found[tap] = x
        return found

    def _step(self, tap: str, x: torch.Tensor) -> torch.Tensor:
        if tap == "pool":
            return x.mean(dim=(2, 3))
        if tap == "logits":
            out: torch.Tensor = self.fc(x)
            return out
        y: torch.Tensor = self.get_submodule(f"layer{STAGES.index(tap) + 1}")(x)
        return y
