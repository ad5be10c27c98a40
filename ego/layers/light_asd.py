"""Light-ASD: which face speaks, with a million parameters (Liao et al. 2023); key names without `model.`."""

import torch
from torch import nn
from torch.nn import functional

from ego.layers.talknet import EPSILON, MOMENTUM, Classifier, Speaking, grey_faces

WIDTHS = (32, 64, 128)


class VisualBlock(nn.Module):
    """Branches of 3 and of 5, each across the picture, then over time; (B, C, T, H, W) -> (B, width, T, h, w)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        for size in (3, 5):
            across, over = (0, size // 2, size // 2), (size // 2, 0, 0)
            step = (1, stride, stride)
            self.add_module(f"s_{size}", nn.Conv3d(channels, width, (1, size, size), step, across, bias=False))
            self.add_module(f"bn_s_{size}", nn.BatchNorm3d(width, EPSILON, MOMENTUM))
            self.add_module(f"t_{size}", nn.Conv3d(width, width, (size, 1, 1), 1, over, bias=False))
            self.add_module(f"bn_t_{size}", nn.BatchNorm3d(width, EPSILON, MOMENTUM))
        self.last = nn.Conv3d(width, width, 1, bias=False)
        self.bn_last = nn.BatchNorm3d(width, EPSILON, MOMENTUM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The branches' sum through a 1x1x1 convolution."""
        both = sum(_branch(self, x, ("s", "t"), size) for size in (3, 5))
        return torch.relu(self.bn_last(self.last(both)))


class AudioBlock(nn.Module):
    """Branches of 3 and of 5, each across the cepstra, then over time; (B, C, 13, T) -> (B, width, 13, T)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        for size in (3, 5):
            self.add_module(f"m_{size}", nn.Conv2d(channels, width, (size, 1), 1, (size // 2, 0), bias=False))
            self.add_module(f"bn_m_{size}", nn.BatchNorm2d(width, EPSILON, MOMENTUM))
            self.add_module(f"t_{size}", nn.Conv2d(width, width, (1, size), 1, (0, size // 2), bias=False))
            self.add_module(f"bn_t_{size}", nn.BatchNorm2d(width, EPSILON, MOMENTUM))
        self.last = nn.Conv2d(width, width, 1, bias=False)
        self.bn_last = nn.BatchNorm2d(width, EPSILON, MOMENTUM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The branches' sum through a 1x1 convolution."""
        both = sum(_branch(self, x, ("m", "t"), size) for size in (3, 5))
        return torch.relu(self.bn_last(self.last(both)))


def _branch(block: nn.Module, x: torch.Tensor, directions: tuple[str, str], size: int) -> torch.Tensor:
    for direction in directions:
        convolved = block.get_submodule(f"{direction}_{size}")(x)
        x = torch.relu(block.get_submodule(f"bn_{direction}_{size}")(convolved))
    return x


class VisualEncoder(nn.Module):
    """Normalised grey faces (B, 1, T, 112, 112) -> (B, T, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = VisualBlock(1, WIDTHS[0], 2)
        self.block2 = VisualBlock(WIDTHS[0], WIDTHS[1], 1)
        self.block3 = VisualBlock(WIDTHS[1], WIDTHS[2], 1)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """The largest value of each channel over the picture, one vector a frame."""
        x: torch.Tensor = self.block3(self.pool(self.block2(self.pool(self.block1(faces)))))
        return x.amax(dim=(3, 4)).transpose(1, 2)


class AudioEncoder(nn.Module):
    """Cepstra (B, 4 * T, 13) -> (B, T, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = AudioBlock(1, WIDTHS[0])
        self.block2 = AudioBlock(WIDTHS[0], WIDTHS[1])
        self.block3 = AudioBlock(WIDTHS[1], WIDTHS[2])
        self.pool = nn.MaxPool2d((1, 3), (1, 2), (0, 1))

    def forward(self, cepstra: torch.Tensor) -> torch.Tensor:
        """The mean over the cepstra, one vector a frame of the video."""
        x: torch.Tensor = self.block3(self.pool(self.block2(self.pool(self.block1(cepstra.transpose(1, 2)[:, None])))))
        return x.mean(dim=2).transpose(1, 2)


class BothWays(nn.Module):
    """A GRU forwards and, on what it gave, a GRU backwards in time; (B, T, 128) -> (B, T, 128)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru_forward = nn.GRU(width, width, batch_first=True)
        self.gru_backward = nn.GRU(width, width, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        x = functional.gelu(self.gru_forward(x)[0])
        back: torch.Tensor = self.gru_backward(x.flip(1))[0].flip(1)
        return functional.gelu(back)


class LightASD(nn.Module):
    """1,021,636 parameters, its two classifiers among them; its files hold 1,026,146 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.visualEncoder = VisualEncoder()
        self.audioEncoder = AudioEncoder()
        self.GRU = BothWays(WIDTHS[-1])
        self.lossAV = Classifier(WIDTHS[-1])
        self.lossV = Classifier(WIDTHS[-1])

    def forward(self, faces: torch.Tensor, cepstra: torch.Tensor) -> Speaking:
        """Of grey faces (B, T, 112, 112) in 0 to 255 and cepstra (B, 4 * T, 13); `feature` is 128 wide."""
        seen, heard = self.visualEncoder(grey_faces(faces)), self.audioEncoder(cepstra)
        feature = self.GRU(heard + seen)
        return Speaking(feature, self.lossAV(feature), None, self.lossV(seen))
