"""`faces`: where faces are, one row a face and frame, each with the track it belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ego.errors import BadRequest
from ego.extractors._backbone import check_one_frame
from ego.extractors._base import Beside, Block, Extractor, Files, Rows, Tracker
from ego.extractors._face_detectors import UltraFace, YuNet
from ego.sampling import Window
from ego.video import Array, Picture, Signal, Sound


@dataclass(frozen=True, kw_only=True)
class Faces(Tracker):
    """Faces followed by SORT, or, without a detector, the given tracks of a reading of kind `face_tracks`.

    A detected face is a row from the frame where its track has had `min_hits` detections after its first
    (in the first frames at once, as SORT does); a track survives `max_age_seconds` without one. A reading
    has `box` (n, 4) in fractions and `track` (n,); a row is on the frame on display at its time.
    """

    lag_seconds: ClassVar[float | None] = 0.0

    window: Window = Window()
    detector: YuNet | UltraFace | None = None
    max_age_seconds: float = 0.4
    min_hits: int = 3
    iou: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_frame(self.name, self.window)
        if self.max_age_seconds < 0 or self.min_hits < 0 or not 0 <= self.iou <= 1:
            raise BadRequest(
                f"got max_age_seconds {self.max_age_seconds:g}, min_hits {self.min_hits} and iou {self.iou:g} for "
                f"{self.name}, expected them at least 0, the last at most 1"
            )

    def needs(self) -> dict[str, Picture | Sound | Signal | Extractor]:
        """The detector's picture; for given tracks a small one, which only counts the frames."""
        if self.detector is None:
            return {"frames": Picture("squash", 8), "face_tracks": Signal("face_tracks")}
        return {"frames": self.detector.picture()}

    def rows(self, files: Files) -> dict[str, Array]:
        """`box` (4,) in fractions, `score` (), 1 where given, `track` (), and `landmarks` (5, 2) where detected."""
        arrays = {
            "box": Array((4,), "float32", "boxes"),
            "score": Array((), "float32"),
            "track": Array((), "int32"),
        }
        known = self.detector is not None and self.detector.landmarks
        return arrays | ({"landmarks": Array((5, 2), "float32", "points")} if known else {})

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """The faces of each block's frames, newest track first within a frame."""
        from ego.extractors._face_tracks import detected, given

        if self.detector is None:
            return given(blocks, beside.signals["face_tracks"], beside.whole)
        return detected(self, self.detector, blocks, beside, files)
