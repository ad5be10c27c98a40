"""`sound`: the sound track itself, one channel at 16 kHz, for networks that hear waveforms."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.extractors._base import Files
from ego.extractors._listening import Listening
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Waveform(Listening):
    """The samples of each row in [-1, 1], stored in 16 bits."""

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (samples,)."""
        return {"feature": Array((self.samples,), "int16", scale=1 / 32767)}

    def build(self, files: Files) -> "nn.Module":
        """A module without weights: (B, samples) float32 -> the same."""
        from torch import nn

        from ego.extractors._heard import Heard

        return Heard(nn.Identity(), 0.0, 1.0).eval()
