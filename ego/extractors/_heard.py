"""The module around a front end of sound: scaled waveforms go in, rows come out."""

import torch
from torch import nn

from ego.layers.audio_frontend import scaled_to


class Heard(nn.Module):
    """A front end on waveforms scaled to one loudness, or, where that is 0, by `gain`."""

    def __init__(self, front: nn.Module, loudness: float, gain: float) -> None:
        super().__init__()
        self._front, self._loudness, self._gain = front, loudness, gain

    def forward(self, sound: torch.Tensor) -> dict[str, torch.Tensor]:
        """{feature: (B, ...) float32} of sound (B, samples) float32."""
        scaled = scaled_to(sound, self._loudness) if self._loudness else sound * self._gain
        return {"feature": self._front(scaled).float()}
