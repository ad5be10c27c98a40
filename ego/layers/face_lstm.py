"""The Ego4D baselines that tell who looks at, or talks to, the camera wearer: ResNet-18 on faces, then an LSTM.

Source: EGO4D social-interactions, branches lam and ttm, whose key names these modules bear; what EgoT2 calls the task
models of LAM and TTM.
"""

import torch
from torch import nn

from ego.layers.resnet import BasicBlock
from ego.layers.se_resnet import SpeechEncoder

FEATURES = 256
AROUND = 3
"""Frames that LAM sees on each side of the one it judges."""


class FaceTrunk(nn.Module):
    """ResNet-18 and two layers above: (B, 3, H, W) faces, normalised as ImageNet's pictures -> (B, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))
        self.fc1 = nn.Linear(512, 1000)
        self.fc2 = nn.Linear(1000, FEATURES)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """One vector a face: the token that EgoT2 takes."""
        out: torch.Tensor = self.fc2(torch.relu(self.fc1(self.pooled(faces))))
        return out

    def pooled(self, faces: torch.Tensor) -> torch.Tensor:
        """(B, 512), the mean over the last map."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(faces))))
        out: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean(dim=(2, 3))
        return out


def _lstm() -> nn.LSTM:
    return nn.LSTM(FEATURES, 256, num_layers=2, batch_first=True, bidirectional=True)


class LookingAtMe(nn.Module):
    """LAM: seven consecutive faces -> whether the one in the middle looks at the wearer. 14,641,322 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.base_model = FaceTrunk()
        self.lstm = _lstm()
        self.last_layer1 = nn.Linear(512, 128)
        self.last_layer2 = nn.Linear(128, 2)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Logits (B, 2), not at all and yes, of faces (B, 7, 3, H, W)."""
        return self.judge(self.base_model(faces.flatten(0, 1)).unflatten(0, faces.shape[:2]))

    def judge(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (B, 2) of the trunk's features (B, 7, 256)."""
        out: torch.Tensor = self.last_layer2(self.last_layer1(self.lstm(features)[0][:, AROUND]))
        return out


class TalkingToMe(nn.Module):
    """TTM: the faces and the sound of a segment -> whether its face talks to the wearer. 20,170,338 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.video_encoder = FaceTrunk()
        self.lstm = _lstm()
        self.audio_encoder = SpeechEncoder()
        self.last_layer1 = nn.Linear(1024, 128)
        self.last_layer2 = nn.Linear(128, 2)

    def forward(self, faces: torch.Tensor, spectra: torch.Tensor) -> torch.Tensor:
        """Logits (B, 2), no and yes, of faces (B, T, 3, H, W) and log-mel spectra (B, steps, 64)."""
        return self.judge(self.video_encoder(faces.flatten(0, 1)).unflatten(0, faces.shape[:2]), spectra)

    def judge(self, features: torch.Tensor, spectra: torch.Tensor) -> torch.Tensor:
        """Logits (B, 2) of the trunk's features (B, T, 256) and log-mel spectra (B, steps, 64)."""
        seen, heard = self.lstm(features)[0][:, -1], self.audio_encoder(spectra)
        out: torch.Tensor = self.last_layer2(self.last_layer1(torch.cat([seen, heard], dim=1)))
        return out
