"""What finds faces in frames: plain specs held by the extractor that follows them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.fields import Weights
from ego.spec import Spec
from ego.video import Picture

if TYPE_CHECKING:
    from ego.extractors._face_models import Found


@dataclass(frozen=True, kw_only=True)
class FaceDetector(Spec, ABC):
    """Finds faces frame by frame."""

    weights: Weights

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.seed is not None:
            raise BadRequest(f"got {self.weights} for {self.name}, expected the published file")

    @property
    @abstractmethod
    def landmarks(self) -> bool:
        """Whether it gives eyes, nose and corners of the mouth."""

    @abstractmethod
    def picture(self) -> Picture:
        """What it is shown."""

    @abstractmethod
    def start(self, files: Files) -> "Callable[[NDArray[np.uint8]], Found]":
        """What gives the faces of one picture."""


@dataclass(frozen=True, kw_only=True)
class YuNet(FaceDetector):
    """YuNet (Wu et al. 2023): boxes and five points; `height` is that of the picture in pixels."""

    height: int = 320
    least_score: float = 0.5
    overlap: float = 0.3

    @property
    def landmarks(self) -> bool:
        """Right eye, left eye, nose, right and left corner of the mouth."""
        return True

    def picture(self) -> Picture:
        """The whole frame."""
        return Picture("height", self.height)

    def start(self, files: Files) -> "Callable[[NDArray[np.uint8]], Found]":
        """See the class."""
        from ego.extractors._face_models import YuNetModel

        return YuNetModel(self, files[self.weights]).find


@dataclass(frozen=True, kw_only=True)
class UltraFace(FaceDetector):
    """The Ultra-Light-Fast face detector RFB-320: boxes alone, on the frame squashed to 320 x 240."""

    least_score: float = 0.6
    overlap: float = 0.3

    @property
    def landmarks(self) -> bool:
        """None."""
        return False

    def picture(self) -> Picture:
        """The whole frame, a little larger than the model's picture."""
        return Picture("height", 320)

    def start(self, files: Files) -> "Callable[[NDArray[np.uint8]], Found]":
        """See the class."""
        from ego.extractors._face_models import UltraFaceModel

        return UltraFaceModel(self, files[self.weights]).find
