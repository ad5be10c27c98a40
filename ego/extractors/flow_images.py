"""`flow_images`: optical flow that a data set ships as pictures, in pixels like any other flow."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._flow import BOUND, flow_array
from ego.extractors._picture_rows import PictureRows
from ego.video import Array


@dataclass(frozen=True, kw_only=True)
class FlowImages(PictureRows):
    """Grey pictures x and y of 0 to 255 as -`bound` to `bound` pixels: 20 as dense_flow is documented, 25 for EPIC.

    Rows and times are those of the frames each picture was made of; a picture that is missing is no row. Zero is
    not representable in such pictures: grey 128 is 0.0039 of the bound, grey 127 as much below zero.
    """

    kind: ClassVar[str] = "flow_images"
    planes: ClassVar[tuple[str, ...]] = ("x", "y")

    bound: float = BOUND
    stored: Literal["float16", "int8"] = "float16"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bound <= 0:
            raise BadRequest(f"got bound = {self.bound:g} for {self.name}, expected pixels above 0")

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (2, height, width): x right, then y down."""
        return {"feature": flow_array(self.stored, self.bound, compress=True)}  # of 256 values

    def values(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """(n, 2, H, W) pixels."""
        from ego.layers.flow_codec import from_bytes

        return from_bytes(pictures, self.bound)
