"""What extractors of sound share: rows of so many seconds at 16 kHz, each heard by itself."""

from dataclasses import dataclass
from typing import ClassVar

from ego.errors import BadRequest
from ego.extractors._base import Network
from ego.sampling import Window
from ego.video import Sound

RATE = 16_000
SECOND = Window(frames=30, stride=30, fps=30.0)
"""Rows of one second, one after the other."""


@dataclass(frozen=True)
class Listening(Network):
    """Hears one channel at 16 kHz; a row's sound is that of its ticks, so `window.fps` says how long it is."""

    least_samples: ClassVar[int] = 1

    window: Window = SECOND

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window.fps is None:
            raise BadRequest(
                f"got a window without fps for {self.name}, expected one such as "
                "{ frames = 30, stride = 30, fps = 30.0 }: sound has no frames of its own"
            )
        if self.samples < self.least_samples:
            raise BadRequest(
                f"got a window of {self.samples} samples of sound for {self.name}, expected at least "
                f"{self.least_samples}: more window.frames or fewer window.fps"
            )

    @property
    def samples(self) -> int:
        """How many samples a row hears."""
        assert self.window.fps is not None
        return round(self.window.span / self.window.fps * RATE)

    def needs(self) -> dict[str, Sound]:
        """The sound track."""
        return {"sound": Sound(RATE)}
