"""Hands by any ONNX detector whose output is laid out as one of the usual families'."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ego.errors import BadRequest
from ego.extractors._base import Beside, Files
from ego.extractors._detector import Detections, Detector, Shot
from ego.fields import Weights
from ego.video import Picture, Signal


@dataclass(frozen=True, kw_only=True)
class OnnxBoxes(Detector):
    """Boxes of the classes asked for, whatever family of networks the file is of.

    `layout`: `yolov5` (N, 5 + C) centre, size, objectness, classes; `yolov8` (4 + C, N) centre, size, classes
    (v8, v9, v11); `end_to_end` (N, 6) corners, score, class (v10, or with NMS inside); `ssd` (N, 4) corners in
    fractions and (N, C) scores, background first; with `anchors` its boxes are coded against them, each level
    being (stride, side, side ...) in pixels; `dfl` (cells, C + 4 x `bins`) of NanoDet, all strides in one;
    `rtmdet` a pair a stride, (C, h, w) class logits and (4, h, w) distances in pixels. `auto` tells by shapes.

    `classes` are those kept (none: all); `left` and `right`, where not -1, are classes that say which hand
    it is. `fit` is how the frame becomes the model's picture: `letterbox` with grey around, or `squash`.
    `scaling` is `unit` [0, 1], `byte`, `symmetric` (x - 127) / 128 or `imagenet`. `size` is the side of the
    model's picture where the file leaves it free.
    """

    weights: Weights
    layout: Literal["auto", "yolov5", "yolov8", "end_to_end", "ssd", "dfl", "rtmdet"] = "auto"
    classes: tuple[int, ...] = ()
    left: int = -1
    right: int = -1
    fit: Literal["letterbox", "squash"] = "letterbox"
    scaling: Literal["unit", "byte", "symmetric", "imagenet"] = "unit"
    colours: Literal["rgb", "bgr"] = "rgb"
    size: int = 640
    anchors: tuple[tuple[int, ...], ...] = ()
    bins: int = 8
    least_score: float = 0.05
    overlap: float = 0.45

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.seed is not None:
            raise BadRequest("got random weights for OnnxBoxes, expected a file: a model's graph is in it")
        if self.size < 32 or not 0 <= self.least_score <= 1 or not 0 <= self.overlap <= 1:
            raise BadRequest(
                f"got size {self.size}, least_score {self.least_score:g} and overlap {self.overlap:g}, expected at "
                "least 32 and shares from 0 to 1"
            )

    def needs(self) -> dict[str, Picture | Signal]:
        """The frame, about as large as the model's picture."""
        return {"frames": Picture("height", self.size)}

    def detect(self, shots: Iterator[Shot], beside: Beside, files: Files) -> Iterator[Detections]:
        """See the class."""
        from ego.extractors._onnx_heads import BoxModel

        model = BoxModel(self, files[self.weights])
        return (model.find(shot.picture) for shot in shots)
