"""MFNet-3D with 16 fibres (Chen et al. 2018), with the key names of its published checkpoint.

Tensors are (B, C, T, H, W).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ego.layers.mfnet_plan import FIBRES, STAGES, STEM, TAPS, UNITS, WIDTHS

Triple = tuple[int, int, int]
ONE: Triple = (1, 1, 1)


class NormConv(nn.Module):
    """Batch norm, ReLU and a convolution without bias, padded to keep the size but for its stride."""

    def __init__(self, channels: int, out: int, kernel: Triple = ONE, stride: Triple = ONE, groups: int = 1) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.bn = nn.BatchNorm3d(channels)
        self.conv = nn.Conv3d(channels, out, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, T, H, W) -> (B, out, ...)."""
        out: torch.Tensor = self.conv(torch.relu(self.bn(x)))
        return out


class Unit(nn.Module):
    """A multi-fibre unit: the multiplexer mixes the fibres, then they run apart through two convolutions.

    The shortcut takes the input from before the multiplexer; the `first` unit of a stage has the stride,
    a 1x1x1 convolution in its shortcut and one instead of its second convolution.
    """

    def __init__(self, channels: int, out: int, stride: Triple = ONE, first: bool = False) -> None:
        super().__init__()
        self.conv_i1 = NormConv(channels, out // 4)
        self.conv_i2 = NormConv(out // 4, channels)
        self.conv_m1 = NormConv(channels, out, (3, 3, 3), stride, FIBRES)
        self.conv_m2 = NormConv(out, out) if first else NormConv(out, out, (1, 3, 3), groups=FIBRES)
        self.conv_w1 = NormConv(channels, out, stride=stride) if first else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, T, H, W) -> (B, out, T / stride ...)."""
        mixed = x + self.conv_i2(self.conv_i1(x))
        shortcut = x if self.conv_w1 is None else self.conv_w1(x)
        out: torch.Tensor = self.conv_m2(self.conv_m1(mixed)) + shortcut
        return out


class Stem(nn.Module):
    """The first convolution, its norm and ReLU: (B, 3, T, H, W) -> (B, 16, T, H / 2, W / 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, STEM, (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False)
        self.bn = nn.BatchNorm3d(STEM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stem's map."""
        return torch.relu(self.bn(self.conv(x)))


class Tail(nn.Module):
    """The last norm and its ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm3d(WIDTHS[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x`, normalised, nothing below 0."""
        return torch.relu(self.bn(x))


class MFNet3d(nn.Module):
    """The network from its clip, or from above a tap: `after="conv4"` holds `conv5`, `tail` and `classifier` only.

    forward((B, 3, T, H, W)) gives the wanted taps by name: `conv2` to `conv5` and `tail`, maps (B, C, T / 2,
    h, w), `pool` (B, 768), the mean over time and space, and `logits`. Without `classes` it has no classifier.
    """

    def __init__(self, classes: int = 400, after: str | None = None) -> None:
        super().__init__()
        self._steps = TAPS if after is None else TAPS[TAPS.index(after) + 1 :]
        self._whole = after is None
        if self._whole:
            self.conv1 = Stem()
        for place, (name, out, units) in enumerate(zip(STAGES, WIDTHS, UNITS, strict=True)):
            if name in self._steps:
                channels = WIDTHS[place - 1] if place else STEM
                stride = (1, 2, 2) if place else (2, 1, 1)
                stage = nn.Sequential()
                for i in range(units):
                    unit = Unit(out, out) if i else Unit(channels, out, stride, first=True)
                    stage.add_module(f"B{i + 1:02d}", unit)
                self.add_module(name, stage)
        if "tail" in self._steps:
            self.tail = Tail()
        if classes and "logits" in self._steps:
            self.classifier = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """The wanted taps by name; nothing above the highest of them is computed."""
        found = {}
        if self._whole:
            x = F.max_pool3d(self.conv1(x), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        for step in self._steps:
            if step == "pool":
                x = x.mean(dim=(2, 3, 4))
            else:
                x = self.get_submodule("classifier" if step == "logits" else step)(x)
            if step in taps:
                found[step] = x
            if len(found) == len(taps):
                break
        return found
