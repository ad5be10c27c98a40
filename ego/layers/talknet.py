"""TalkNet: which face speaks, frame by frame, from a face track and its sound (Tao et al. 2021, and its Ego4D port).

Key names are the published ones without `model.`. Unlike the published front end, which lays the clips of a batch end
to end in time, no clip sees its neighbours: each is computed as if it were alone.
"""

from typing import NamedTuple

import torch
from torch import nn

from ego.layers.se_resnet import CepstraEncoder

MEAN, STD = 0.4161, 0.1688
EPSILON, MOMENTUM = 0.001, 0.01


class Speaking(NamedTuple):
    """What is known of each frame: `feature` (B, T, C), `logits` (B, T, 2) of silent and speaking, and each sense's."""

    feature: torch.Tensor
    logits: torch.Tensor
    heard_logits: torch.Tensor | None
    seen_logits: torch.Tensor


def grey_faces(faces: torch.Tensor) -> torch.Tensor:
    """(B, 1, T, H, W) normalised of grey faces (B, T, H, W) in 0 to 255."""
    return ((faces.float() / 255 - MEAN) / STD)[:, None]


class Classifier(nn.Module):
    """The two classes of a frame, silent and speaking."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.FC = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., 2) of (..., width)."""
        out: torch.Tensor = self.FC(x)
        return out


class PairedBlock(nn.Module):
    """Two residual pairs of 3x3 convolutions; (B, channels, H, W) -> (B, width, H / stride, W / stride).

    `downsample` is there at stride 1 as well, as in the published files, but then not used.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1a = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1a = nn.BatchNorm2d(width, EPSILON, MOMENTUM)
        self.conv2a = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.downsample = nn.Conv2d(channels, width, 1, stride, bias=False)
        self.outbna = nn.BatchNorm2d(width, EPSILON, MOMENTUM)
        self.conv1b = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn1b = nn.BatchNorm2d(width, EPSILON, MOMENTUM)
        self.conv2b = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.outbnb = nn.BatchNorm2d(width, EPSILON, MOMENTUM)
        self._same = stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum is kept before its norm and ReLU for the second pair's shortcut."""
        first = self.conv2a(torch.relu(self.bn1a(self.conv1a(x)))) + (x if self._same else self.downsample(x))
        y = torch.relu(self.outbna(first))
        second = self.conv2b(torch.relu(self.bn1b(self.conv1b(y)))) + first
        return torch.relu(self.outbnb(second))


class FaceResNet(nn.Module):
    """(B, 64, 28, 28) -> (B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = PairedBlock(64, 64, 1)
        self.layer2 = PairedBlock(64, 128, 2)
        self.layer3 = PairedBlock(128, 256, 2)
        self.layer4 = PairedBlock(256, 512, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean over the 4 x 4 cells of the last map."""
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


class VisualFrontend(nn.Module):
    """Normalised grey faces (B, 1, T, 112, 112) -> (B, T, 512); a frame sees two on each side."""

    def __init__(self) -> None:
        super().__init__()
        self.frontend3D = nn.Sequential(
            nn.Conv3d(1, 64, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False),
            nn.BatchNorm3d(64, EPSILON, MOMENTUM),
            nn.ReLU(),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        self.resnet = FaceResNet()

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """One vector a frame."""
        x = self.frontend3D(faces).transpose(1, 2)
        out: torch.Tensor = self.resnet(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return out


class GlobalNorm(nn.Module):
    """(B, C, T) normalised over channels and time together."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, channels, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        mean = x.mean(dim=(1, 2), keepdim=True)
        variance: torch.Tensor = (x - mean).square().mean(dim=(1, 2), keepdim=True)
        out: torch.Tensor = self.gamma * (x - mean) / (variance + 1e-8).sqrt() + self.beta
        return out


class DepthwiseBlock(nn.Module):
    """A residual depthwise convolution over three frames and a 1x1 convolution, on (B, 512, T)."""

    def __init__(self, channels: int = 512) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.ReLU(),
            nn.BatchNorm1d(channels),
            nn.Conv1d(channels, channels, 3, 1, 1, groups=channels, bias=False),
            nn.PReLU(),
            GlobalNorm(channels),
            nn.Conv1d(channels, channels, 1, bias=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        change: torch.Tensor = self.net(x)
        return x + change


class Convolutions(nn.Module):
    """A `net` of layers one after the other, under the published name."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T)."""
        out: torch.Tensor = self.net(x)
        return out


class Attention(nn.Module):
    """A transformer layer whose queries come from another stream; twice (B, T, width) -> (B, T, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 8, dropout=0.1, batch_first=True)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, own: torch.Tensor, asking: torch.Tensor) -> torch.Tensor:
        """Keys, values and the residual are the stream's own."""
        told, _ = self.self_attn(asking, own, own, need_weights=False)
        x = self.norm1(own + self.dropout(told))
        widened = self.dropout(torch.relu(self.linear1(x)))
        out: torch.Tensor = self.norm2(x + self.dropout(self.linear2(widened)))
        return out


class TalkNet(nn.Module):
    """15,743,451 parameters, and 514 + 258 + 258 in the classifiers of both senses, of hearing and of sight."""

    def __init__(self) -> None:
        super().__init__()
        self.visualFrontend = VisualFrontend()
        self.visualTCN = Convolutions(*(DepthwiseBlock() for _ in range(5)))
        self.visualConv1D = Convolutions(
            nn.Conv1d(512, 256, 5, 1, 2), nn.BatchNorm1d(256), nn.ReLU(), nn.Conv1d(256, 128, 1)
        )
        self.audioEncoder = CepstraEncoder()
        self.crossA2V = Attention(128)
        self.crossV2A = Attention(128)
        self.selfAV = Attention(256)
        self.lossAV = Classifier(256)
        self.lossA = Classifier(128)
        self.lossV = Classifier(128)

    def forward(self, faces: torch.Tensor, cepstra: torch.Tensor) -> Speaking:
        """Of grey faces (B, T, 112, 112) in 0 to 255 and cepstra (B, 4 * T, 13); `feature` is 256 wide."""
        seen, heard = self.seen(faces), self.audioEncoder(cepstra)
        heard, seen = self.crossA2V(heard, seen), self.crossV2A(seen, heard)
        both = torch.cat([heard, seen], dim=2)
        feature = self.selfAV(both, both)
        return Speaking(feature, self.lossAV(feature), self.lossA(heard), self.lossV(seen))

    def seen(self, faces: torch.Tensor) -> torch.Tensor:
        """(B, T, 128) of the faces alone."""
        x = self.visualFrontend(grey_faces(faces)).transpose(1, 2)
        out: torch.Tensor = self.visualConv1D(self.visualTCN(x)).transpose(1, 2)
        return out
