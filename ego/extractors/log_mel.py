"""`log_mel`: log-mel spectra of the sound track, as the Ego4D talking baseline or VGGish hear it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._listening import Listening
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LogMel(Listening):
    """64 log-mel bands every 10 ms of each row.

    `front` is `talking` (Ego4D's talking-to-me baseline: pre-emphasis, Hamming windows, 0 to 8000 Hz) or
    `vggish` (125 to 7500 Hz; rows of 39 ticks at 40 a second have its 96 steps). `loudness` is the root mean
    square that each row is scaled to, 0 leaves it as recorded; left out it is the front's own: 0.1 for
    `talking`, 0 for `vggish`.
    """

    least_samples: ClassVar[int] = 400

    front: Literal["talking", "vggish"] = "talking"
    loudness: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loudness is not None and self.loudness < 0:
            raise BadRequest(f"got log_mel.loudness = {self.loudness:g}, expected 0 (as recorded) or more")

    @property
    def steps(self) -> int:
        """How many spectra a row has."""
        return 1 + (self.samples // 160 if self.front == "talking" else (self.samples - 400) // 160)

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (steps, 64)."""
        return {"feature": Array((self.steps, 64), "float16", "tokens")}

    def build(self, files: Files) -> "nn.Module":
        """A module without weights: (B, samples) float32 -> (B, steps, 64) float32."""
        from ego.extractors._heard import Heard
        from ego.layers import audio_frontend

        front = audio_frontend.LogMel() if self.front == "talking" else audio_frontend.VggishLogMel()
        own = 0.1 if self.front == "talking" else 0.0
        return Heard(front, own if self.loudness is None else self.loudness, 1.0).eval()
