"""SE-ResNets that hear: the audio encoders of TalkNet and of Ego4D's talking-to-me baseline (Hu et al. 2018)."""

from collections.abc import Sequence

import torch
from torch import nn

from ego.layers.resnet import projection

REDUCTION = 8


class Excitation(nn.Module):
    """Squeeze and excitation: each channel of (B, C, H, W) times a weight in (0, 1) made of all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // REDUCTION),
            nn.ReLU(),
            nn.Linear(channels // REDUCTION, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        weights: torch.Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * weights[:, :, None, None]


class ExcitedBlock(nn.Module):
    """Two 3x3 convolutions, the first followed by ReLU *before* its norm, then excitation, and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.se = Excitation(width)
        self.downsample = projection(channels, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, width, H / stride, W / stride) of (B, channels, H, W)."""
        y = self.bn1(torch.relu(self.conv1(x)))
        y = self.se(self.bn2(self.conv2(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def excited_stages(widths: Sequence[int], blocks: Sequence[int], strides: Sequence[int]) -> list[nn.Sequential]:
    """The stages of an SE-ResNet; the first one's input is as wide as itself."""
    stages, channels = [], widths[0]
    for width, count, stride in zip(widths, blocks, strides, strict=True):
        layers = [ExcitedBlock(channels if i == 0 else width, width, stride if i == 0 else 1) for i in range(count)]
        stages.append(nn.Sequential(*layers))
        channels = width
    return stages


class CepstraEncoder(nn.Module):
    """TalkNet's audio encoder, an SE-ResNet-34 of a quarter's width: (B, 4 * T, 13) cepstra -> (B, T, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 7, (2, 1), 3, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3, self.layer4 = excited_stages(
            (16, 32, 64, 128), (3, 4, 6, 3), (1, 2, 2, 1)
        )

    def forward(self, cepstra: torch.Tensor) -> torch.Tensor:
        """One vector a frame of the video."""
        x = torch.relu(self.bn1(self.conv1(cepstra.transpose(1, 2)[:, None])))
        out: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean(dim=2)
        return out.transpose(1, 2)


class SpeechEncoder(nn.Module):
    """The talking-to-me baseline's audio encoder, an SE-ResNet-18: (B, steps, 64) log-mel spectra -> (B, 512).

    Each band of each recording is normalised over time; the 2048 channels are pooled by attentive statistics, a mean
    and a deviation over time under a softmax of their own (Okabe et al. 2018). Source: EGO4D social-interactions,
    branch ttm.
    """

    def __init__(self) -> None:
        super().__init__()
        self.instancenorm = nn.InstanceNorm1d(64)
        self.conv1 = nn.Conv2d(1, 32, 3, 1, 1)
        self.bn1 = nn.BatchNorm2d(32)
        self.layer1, self.layer2, self.layer3, self.layer4 = excited_stages(
            (32, 64, 128, 256), (2, 2, 2, 2), (1, 2, 2, 2)
        )
        self.attention = nn.Sequential(
            nn.Conv1d(2048, 128, 1), nn.ReLU(), nn.BatchNorm1d(128), nn.Conv1d(128, 2048, 1), nn.Softmax(dim=2)
        )
        self.fc = nn.Linear(4096, 512)

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """One vector a recording."""
        x = self.maps(spectra).flatten(1, 2)
        weights = self.attention(x)
        mean = (x * weights).sum(dim=2)
        variance = (x.square() * weights).sum(dim=2) - mean.square()
        out: torch.Tensor = self.fc(torch.cat([mean, variance.clamp(min=1e-5).sqrt()], dim=1))
        return out

    def maps(self, spectra: torch.Tensor) -> torch.Tensor:
        """(B, 256, 8, ceil(steps / 8)) before pooling."""
        x = self.instancenorm(spectra.transpose(1, 2))[:, None]
        x = self.bn1(torch.relu(self.conv1(x)))
        out: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return out
