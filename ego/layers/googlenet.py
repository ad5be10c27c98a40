"""Inception-v1 of single frames (Szegedy et al. 2015), with the key names and numbers of torchvision's GoogLeNet.

The second branch has 3x3 kernels and every convolution a batch norm, as in the published weights; their auxiliary
classifiers, which serve training from scratch alone, are left out.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ego.layers.googlenet_plan import CONVOLUTIONS, END_POINTS, KEYS, MIXTURES, POOLINGS, channels_after


class Unit(nn.Module):
    """A convolution without bias, its norm and ReLU; padded so that a stride of 1 keeps the size."""

    def __init__(self, channels: int, out: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) -> (B, out, H / stride, W / stride); tested, the norm is part of the convolution."""
        if self.training:
            return torch.relu(self.bn(self.conv(x)))
        norm = self.bn
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight, bias = self.conv.weight * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale
        return torch.relu(F.conv2d(x, weight, bias, self.conv.stride, self.conv.padding))


class Mixed(nn.Module):
    """An inception module: four branches side by side."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = widths
        self.branch1 = Unit(channels, b0)
        self.branch2 = nn.Sequential(Unit(channels, b1a), Unit(b1a, b1b, 3))
        self.branch3 = nn.Sequential(Unit(channels, b2a), Unit(b2a, b2b, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), Unit(channels, b3b))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) -> (B, b0 + b1b + b2b + b3b, H, W)."""
        return torch.cat([branch(x) for branch in (self.branch1, self.branch2, self.branch3, self.branch4)], dim=1)


class GoogLeNet(nn.Module):
    """The network from its picture, or from above an end point: `after="Mixed_4f"` holds what follows only.

    forward((B, channels, H, W) in [-1, 1]) gives the wanted end points by name. Without classes there is no `fc`.
    """

    def __init__(self, channels: int = 3, classes: int = 1000, after: str | None = None) -> None:
        super().__init__()
        self._first = 0 if after is None else END_POINTS.index(after) + 1
        width = channels
        for place, name in enumerate(END_POINTS):
            module = _end_point(name, width, classes)
            if place >= self._first and module is not None:
                self.add_module(KEYS[name], module)
            width = channels_after(name, width, classes)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """The wanted end points by name; nothing above the highest of them is computed."""
        found = {}
        for name in END_POINTS[self._first : max(map(END_POINTS.index, taps)) + 1]:
            if name in POOLINGS:
                x = F.max_pool2d(x, *POOLINGS[name], ceil_mode=True)
            elif name == "avg_pool":
                x = x.mean(dim=(2, 3))
            else:
                x = self.get_submodule(KEYS[name])(self.dropout(x) if name == "logits" else x)
            if name in taps:
                found[name] = x
        return found


def _end_point(name: str, channels: int, classes: int) -> nn.Module | None:
    """The module of an end point; None where it has no weights of its own."""
    if name in CONVOLUTIONS:
        return Unit(channels, channels_after(name, channels, classes), *CONVOLUTIONS[name])
    if name in MIXTURES:
        return Mixed(channels, MIXTURES[name])
    return nn.Linear(channels, classes) if name == "logits" and classes else None
