"""What lets flow modulate a network of pictures: two-in-one (Zhao and Snoek 2019), as FPAR puts it into a ResNet."""

import torch
from torch import Tensor, nn

CHANNELS = 32
SLOPE = 0.1


class Modulation(nn.Module):
    """Turns the map of the first convolution by what the flow of the same frame says: map * (beta + 1) + gamma.

    The names are those of FPAR's files: `condNet` makes a condition (B, 32, H, W) of flow (B, 2, H, W), `sft` beta and
    gamma (B, 64, H / 2, W / 2) of it. Without `residual` it is map * beta + gamma.
    """

    def __init__(self, residual: bool = True) -> None:
        super().__init__()
        self._residual = residual
        self.condNet = nn.Sequential(
            nn.Conv2d(2, 64, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(64, 64, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(64, 64, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(64, CHANNELS, 3, padding=1),
        )
        self.sft = nn.Module()
        for branch in ("scale", "shift"):
            self.sft.add_module(f"SFT_{branch}_conv0", nn.Conv2d(CHANNELS, CHANNELS, 1))
            self.sft.add_module(f"SFT_{branch}_conv1", nn.Conv2d(CHANNELS, 64, 3, 2, 1))

    def forward(self, x: Tensor, flow: Tensor) -> Tensor:
        """The map (B, 64, H / 2, W / 2), modulated."""
        beta, gamma = self.branches(self.condNet(flow))
        return x * (beta + 1) + gamma if self._residual else x * beta + gamma

    def branches(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(beta, gamma) of a condition."""
        return self._branch("scale", condition), self._branch("shift", condition)

    def _branch(self, name: str, condition: Tensor) -> Tensor:
        first, second = (self.sft.get_submodule(f"SFT_{name}_conv{i}") for i in (0, 1))
        found: Tensor = second(torch.nn.functional.leaky_relu(first(condition), SLOPE))
        return found
