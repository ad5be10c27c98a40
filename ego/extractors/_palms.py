"""Hands by MediaPipe's palm detector and hand-landmark model, TFLite files of their authors."""

from collections.abc import Iterator
from dataclasses import dataclass

from ego.errors import BadRequest
from ego.extractors._base import Beside, Files
from ego.extractors._detector import Detections, Detector, Shot
from ego.fields import Weights
from ego.video import Picture, Signal


@dataclass(frozen=True, kw_only=True)
class Palms(Detector):
    """Palms found in the whole frame and in `tiles` square crops of its lower part; boxes are enlarged palms.

    `weights` is the palm detector (256 x 256, 2944 anchors). Palms with a score below `least_palm` or
    narrower than `least_size` of the frame's width are left out. `points` is the landmark model, which
    gives 21 points and a hand flag; palms whose flag is below `least_flag` are left out too. The 8-bit
    landmark file says the same flag (0.21) of everything, so by default it decides nothing.
    `height` is that of the picture the crops are cut from.
    """

    weights: Weights
    points: Weights | None = None
    tiles: int = 3
    least_palm: float = 0.6
    least_size: float = 0.05
    least_flag: float = 0.0
    height: int = 384

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.seed is not None or (self.points is not None and self.points.seed is not None):
            raise BadRequest("got random weights for Palms, expected the published files")
        if not 0 <= self.tiles <= 9 or self.height < 64:
            raise BadRequest(f"got {self.tiles} tiles of height {self.height}, expected 0 to 9 and at least 64")

    @property
    def landmarks(self) -> bool:
        """Where there is a landmark model."""
        return self.points is not None

    def needs(self) -> dict[str, Picture | Signal]:
        """The frame, large enough for crops."""
        return {"frames": Picture("height", self.height)}

    def detect(self, shots: Iterator[Shot], beside: Beside, files: Files) -> Iterator[Detections]:
        """See the class."""
        from ego.extractors._palm_model import PalmModel

        model = PalmModel(self, files)
        return (model.find(shot.picture) for shot in shots)
