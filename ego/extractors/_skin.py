"""Hands without weights: what is coloured like skin and does not move with the room."""

from collections.abc import Iterator
from dataclasses import dataclass

from ego.errors import BadRequest
from ego.extractors._base import Beside, Files
from ego.extractors._detector import Detections, Detector, Shot
from ego.video import Picture, Signal


@dataclass(frozen=True)
class SkinAndMotion(Detector):
    """Boxes of the ends of arms, found by colour and motion alone; for machines without any weights.

    The room behind the hands is the median of the frames `span_seconds` around, `step_seconds` apart,
    each moved to the present view by a homography. What differs from it by much, has a colour that moving
    things have and the room has not, and hangs together with the frame's lower border is an arm; its end
    is the hand, about `hand_width` of the frame's width long.

    Its limits: hands that rest in the room's own colour (skin tones on pale wood), that stay in one place
    for longer than the span, rooms that one homography does not explain (walking), gloves, and other
    people's arms. `height` is that of the picture in pixels.
    """

    height: int = 144
    span_seconds: float = 3.0
    step_seconds: float = 0.5
    hand_width: float = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.height >= 48 and 0 < self.step_seconds <= self.span_seconds and 0 < self.hand_width < 1):
            raise BadRequest(
                f"got height {self.height}, span {self.span_seconds:g} s, step {self.step_seconds:g} s and hand "
                f"width {self.hand_width:g}, expected at least 48 pixels, 0 < step <= span and a width in (0, 1)"
            )

    def needs(self) -> dict[str, Picture | Signal]:
        """A small picture: a hand is then about 30 pixels wide."""
        return {"frames": Picture("height", self.height)}

    def detect(self, shots: Iterator[Shot], beside: Beside, files: Files) -> Iterator[Detections]:
        """See the class; looks ahead by `span_seconds`."""
        from ego.extractors._arms import arms

        return arms(shots, self.span_seconds, self.step_seconds, self.hand_width)
