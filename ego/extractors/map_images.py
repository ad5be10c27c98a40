"""`map_images`: motion maps that a data set ships as pictures, masks like those of `motion_map`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._picture_rows import PictureRows
from ego.video import Array


@dataclass(frozen=True, kw_only=True)
class MapImages(PictureRows):
    """What is brighter than `threshold` (of 0 to 255) moves; a map that is missing is no row."""

    kind: ClassVar[str] = "map_images"
    planes: ClassVar[tuple[str, ...]] = ("map",)

    threshold: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.threshold < 255:
            raise BadRequest(f"got threshold = {self.threshold} for {self.name}, expected 0 to 254")

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` (height, width): whether it moves."""
        return {"feature": Array((0, 0), "bool", "mask", compress=True)}

    def values(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """(n, H, W) bool."""
        return np.asarray(pictures[:, 0] > self.threshold)
