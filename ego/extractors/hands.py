"""`hands`: where the left and the right hand are in each frame, whatever found them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ego.errors import BadRequest
from ego.extractors._backbone import check_one_frame
from ego.extractors._base import Beside, Block, Extractor, Files, Rows, Tracker
from ego.extractors._given import GivenBoxes
from ego.extractors._onnx_boxes import OnnxBoxes
from ego.extractors._palms import Palms
from ego.extractors._skin import SkinAndMotion
from ego.sampling import Window
from ego.video import Array, Picture, Signal, Sound


@dataclass(frozen=True, kw_only=True)
class Hands(Tracker):
    """One row a frame, slots (left, right), from a detector's boxes through SORT (Kapidis et al. 2019, 4.1).

    Boxes with a score of `least_score` that overlap no better one by more than `nms`, cover at most
    `most_area` of the frame and reach below `reach` of its height are tracked; a track survives
    `max_age_seconds` without one, is predicted meanwhile, and counts once `min_hits` detections followed
    its first and it has `least_frames` in all. The two best of a frame are kept. A track is one hand, but is
    parted where its arm comes from the other side for long. Where a detector says from where the arm comes,
    that side is the hand's, as far as the tracks at the same time and just before agree; else of two at once the
    one with the smaller mean x is the left one, and one alone is it where that is in the left half. The point is
    the box's corner at the fingers, top right of the left hand, moved in by `inset` of the box's size.
    """

    lag_seconds: ClassVar[float | None] = None

    window: Window = Window()
    detector: SkinAndMotion | Palms | OnnxBoxes | GivenBoxes = SkinAndMotion()
    least_score: float = 0.05
    nms: float = 0.45
    max_age_seconds: float = 0.4
    min_hits: int = 3
    iou: float = 0.3
    least_frames: int = 5
    most_area: float = 0.5
    reach: float = 1 / 3
    inset: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_frame(self.name, self.window)
        shares = ("least_score", "nms", "iou", "most_area", "reach", "inset")
        wrong = next((name for name in shares if not 0 <= getattr(self, name) <= 1), None)
        if wrong:
            raise BadRequest(f"got {wrong} {getattr(self, wrong):g} for {self.name}, expected a share from 0 to 1")
        if self.max_age_seconds < 0 or self.min_hits < 0 or self.least_frames < 1:
            raise BadRequest(
                f"got max_age_seconds {self.max_age_seconds:g}, min_hits {self.min_hits} and least_frames "
                f"{self.least_frames} for {self.name}, expected them at least 0, 0 and 1"
            )

    def needs(self) -> dict[str, Picture | Sound | Signal | Extractor]:
        """What its detector is shown."""
        return dict(self.detector.needs())

    def rows(self, files: Files) -> dict[str, Array]:
        """All as fractions of the frame, 0 where no hand is; `score` is 0 too where a box is predicted in a gap.

        `boxes` (2, 4), `points` (2, 2), `score` (2,), `visible` (2,), `track` (2,), -1 for none, and
        `landmarks` (2, 21, 2) where the detector has them.
        """
        arrays = {
            "boxes": Array((2, 4), "float32", "boxes"),
            "points": Array((2, 2), "float32", "points"),
            "score": Array((2,), "float32"),
            "visible": Array((2,), "bool"),
            "track": Array((2,), "int32"),
        }
        return arrays | ({"landmarks": Array((2, 21, 2), "float32", "points")} if self.detector.landmarks else {})

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """All rows at the end: which hand a track is, only the whole of it tells. Only boxes are kept."""
        from ego.extractors._sides import follow_hands

        return follow_hands(self, blocks, beside, files)
