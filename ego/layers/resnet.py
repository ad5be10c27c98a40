"""ResNet-18, -34 and -50 (He et al. 2016), with the key names and numbers of torchvision's checkpoints."""

from collections.abc import Sequence

import torch
from torch import nn

from ego.layers.resnet_plan import BLOCKS, STAGES, WIDTHS


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; (B, in, H, W) -> (B, width, H / stride, W / stride)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = projection(channels, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output, after the sum and its ReLU."""
        return self.join(*self.parts(x))

    def parts(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The residual before its last norm, and the shortcut."""
        y = torch.relu(self.bn1(self.conv1(x)))
        return self.conv2(y), x if self.downsample is None else self.downsample(x)

    def join(self, residual: torch.Tensor, shortcut: torch.Tensor) -> torch.Tensor:
        """Their sum, normalised, after its ReLU."""
        return torch.relu(self.bn2(residual) + shortcut)


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
        self.downsample = projection(channels, width * 4, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output, after the sum and its ReLU."""
        return self.join(*self.parts(x))

    def parts(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The residual before its last norm, and the shortcut."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return self.conv3(y), x if self.downsample is None else self.downsample(x)

    def join(self, residual: torch.Tensor, shortcut: torch.Tensor) -> torch.Tensor:
        """Their sum, normalised, after its ReLU."""
        return torch.relu(self.bn3(residual) + shortcut)


def projection(channels: int, out: int, stride: int) -> nn.Sequential | None:
    """A 1x1 convolution and a norm where width or size change, else None (the identity)."""
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))


class ResNet(nn.Module):
    """The network from its picture, or from above a stage: `after="conv4_x"` holds `layer4` and `fc` only.

    forward((B, channels, H, W) normalised, or the stage's map) gives the wanted taps by name: `conv2_x` to
    `conv5_x` maps (B, C, h, w), `pool` (B, C), `logits` (B, classes); `bn` is `conv5_x`, `nbn` the same
    without its last norm and ReLU, `cam_raw` (B, h, w) the class activation of the likeliest class and `cam` its
    softmax over the cells. The classifier is called `head`; with 0 classes there is none. `pool` is the mean of all
    cells, or with a `window` of the cells that whole windows of so many a side cover, from the top left. A
    `modulation` turns the map of the first convolution by what the input holds beyond its channels.
    """

    def __init__(
        self,
        depth: int,
        classes: int = 1000,
        after: str | None = None,
        channels: int = 3,
        head: str = "fc",
        window: int = 0,
        modulation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        block = Bottleneck if depth >= 50 else BasicBlock
        if after is None:
            self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.modulation = modulation
        self._after, self._head, self._window = after, head, window
        self._stages = STAGES if after is None else STAGES[STAGES.index(after) + 1 :] if after in STAGES else ()
        width = 64
        for stage, (name, narrow) in enumerate(zip(STAGES, WIDTHS, strict=True)):
            wide = narrow * block.expansion
            if name in self._stages:
                layers = [
                    block(wide if i else width, narrow, 2 if i == 0 and stage else 1)
                    for i in range(BLOCKS[depth][stage])
                ]
                self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
            width = wide
        if classes:
            self.add_module(head, nn.Linear(width, classes))

    def forward(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """The wanted taps by name; nothing above the highest of them is computed."""
        found: dict[str, torch.Tensor] = {}
        if self._after is None:
            x = self.maxpool(torch.relu(self.bn1(self._first(x))))
        for name in self._stages:
            stage = self.get_submodule(f"layer{STAGES.index(name) + 1}")
            assert isinstance(stage, nn.Sequential)
            if name == STAGES[-1] and "nbn" in taps:
                last = stage[-1]
                assert isinstance(last, BasicBlock | Bottleneck)
                residual, shortcut = last.parts(stage[:-1](x))
                found["nbn"], x = residual + shortcut, last.join(residual, shortcut)
            else:
                x = stage(x)
            if name in taps:
                found[name] = x
            if len(found) == len(taps):
                return found
        above = self._top(x, taps)
        return found | {tap: above[tap] for tap in taps if tap in above}

    def _first(self, x: torch.Tensor) -> torch.Tensor:
        """The first convolution, modulated by the channels beyond its own where there is a modulation."""
        channels = x.shape[1] if self.modulation is None else self.conv1.in_channels
        found: torch.Tensor = self.conv1(x[:, :channels])
        return found if self.modulation is None else self.modulation(found, x[:, channels:])

    def _top(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """What lies above the last map, or above `pool`."""
        found = {"pool": x} if self._after == "pool" else {"bn": x, "pool": self._pooled(x)}
        if not {"logits", "cam", "cam_raw"}.isdisjoint(taps):
            head = self.get_submodule(self._head)
            assert isinstance(head, nn.Linear)
            found["logits"] = head(found["pool"])
            if not {"cam", "cam_raw"}.isdisjoint(taps):
                found["cam_raw"] = class_activation(x, head.weight, found["logits"])
                found["cam"] = found["cam_raw"].flatten(1).softmax(1).view_as(x[:, 0])
        return found

    def _pooled(self, x: torch.Tensor) -> torch.Tensor:
        tall, wide = x.shape[2:]
        if self._window and min(tall, wide) >= self._window:
            x = x[:, :, : tall - tall % self._window, : wide - wide % self._window]
        return x.mean(dim=(2, 3))


def class_activation(x: torch.Tensor, weight: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """(B, h, w) float32: what each cell of a map (B, C, h, w) speaks for the likeliest class.

    The choice of the class has no gradient, its weights have one.
    """
    chosen = weight[logits.argmax(dim=1)].float()
    return (x.float() * chosen[:, :, None, None]).sum(dim=1)
