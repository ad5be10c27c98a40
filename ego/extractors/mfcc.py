"""`mfcc`: cepstra of the sound track with TalkNet's settings, four for each tick of the window."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._listening import Listening
from ego.video import Array

if TYPE_CHECKING:
    from torch import nn

CEPSTRA = 13


@dataclass(frozen=True)
class Mfcc(Listening):
    """13 cepstra, four times a tick: windows of 25/40 of a tick's length and steps of a quarter (TalkNet, Ego4D ASD).

    `loudness` is the root mean square that each row is scaled to, as Ego4D's port does; 0 leaves it as
    recorded, in steps of 16-bit sound, as TalkNet hears AVA.
    """

    least_samples: ClassVar[int] = 2

    loudness: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loudness < 0:
            raise BadRequest(f"got mfcc.loudness = {self.loudness:g}, expected 0 (as recorded) or more")

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (4 * ticks, 13)."""
        return {"feature": Array((4 * self.window.span, CEPSTRA), "float32", "tokens")}

    def build(self, files: Files) -> "nn.Module":
        """A module without weights: (B, samples) float32 -> (B, 4 * ticks, 13) float32."""
        from ego.extractors._heard import Heard
        from ego.layers.audio_frontend import Mfcc as Front

        assert self.window.fps is not None
        return Heard(Front(self.window.fps, self.window.span, CEPSTRA), self.loudness, 32768.0).eval()
