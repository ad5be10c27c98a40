"""`face_crops`: pictures of faces as LAM, TTM and ASD are shown them, one row a face and frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from ego.extractors._backbone import check_one_frame
from ego.extractors._base import Beside, Block, Extractor, Files, Rows, Tracker
from ego.extractors.faces import Faces
from ego.sampling import Window
from ego.video import Array, Picture, Signal, Sound


@dataclass(frozen=True, kw_only=True)
class FaceCrops(Tracker):
    """Crops of held faces, cut from the native picture by the rule of one of the Ego4D baselines.

    `lam` (also TTM): the box, held in the frame, as 224 x 224 RGB whatever its shape. `asd` (TalkNet): the
    centre is 0.8 of the row before and 0.2 of its own, the half side s the median of up to 13 rows of its
    track, zeros beyond its ends; of the frame with 110 around, the rows from s above to 1.8 s below the
    centre and the columns within 1.4 s, as 224 x 224 grey, of which the middle 112 x 112 is kept. A face
    unseen for more than two frames begins anew. A box that holds no pixel is black.
    """

    lag_seconds: ClassVar[float | None] = None

    window: Window = Window()
    faces: Faces = Faces()
    rule: Literal["lam", "asd"] = "lam"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_frame(self.name, self.window)

    def needs(self) -> dict[str, Picture | Sound | Signal | Extractor]:
        """The faces, and the frame as it is."""
        return {"frames": Picture("native", 0), "faces": self.faces}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature`, (224, 224, 3) for `lam` and (112, 112) for `asd`, bytes; `track` ()."""
        shape = (224, 224, 3) if self.rule == "lam" else (112, 112)
        return {"feature": Array(shape, "uint8", compress=True), "track": Array((), "int32")}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """Rows in the order of the frames; for `asd` some frames wait for the faces after them, at most 39."""
        from ego.extractors._face_cuts import asd, lam

        return lam(blocks) if self.rule == "lam" else asd(blocks)
