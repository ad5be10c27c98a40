"""What the usual families of detectors mean by their outputs: boxes and scores of classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._boxes import suppress
from ego.extractors._detector import Detections
from ego.extractors._outputs import Outputs

if TYPE_CHECKING:
    from ego.extractors._onnx_boxes import OnnxBoxes

Real = NDArray[np.float64]
GREY = 114
STRIDES = ((8, 16, 32, 64), (8, 16, 32))
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)


class Raw(NamedTuple):
    """Boxes as corners in pixels of the model's picture, and (n, C) scores of classes."""

    boxes: Real
    scores: Real


class BoxModel:
    """A detector ready to run on frames of any shape."""

    def __init__(self, spec: "OnnxBoxes", path: Path) -> None:
        self._spec, self._model = spec, Outputs(path)
        source = self._model.input
        self._size = (source.width or spec.size, source.height or spec.size)

    def find(self, picture: NDArray[np.uint8]) -> Detections:
        """The boxes of the classes asked for, in fractions of the (h, w, 3) picture."""
        spec = self._spec
        shown, scale, shift = fitted(picture, self._size, spec.fit == "letterbox")
        raw = decode(self._model(scaled(shown, spec.scaling, spec.colours == "bgr")), spec, self._size)
        wanted = list(spec.classes) or list(range(raw.scores.shape[1]))
        if raw.scores.shape[1] <= max([*wanted, spec.left, spec.right]):
            raise BadRequest(
                f"{self._model.name} has {raw.scores.shape[1]} classes, counted from 0; got class {max(wanted)}"
            )
        chosen = np.array(wanted)[raw.scores[:, wanted].argmax(axis=1)] if len(raw.scores) else np.zeros(0, int)
        best = raw.scores[np.arange(len(chosen)), chosen]
        good = best >= spec.least_score
        boxes = (raw.boxes[good] - np.tile(shift, 2)) / np.tile(scale, 2)
        boxes = np.clip(boxes / np.tile([picture.shape[1], picture.shape[0]], 2), 0, 1)
        side = np.where(chosen == spec.left, 0.0, np.where(chosen == spec.right, 1.0, np.nan))[good]
        kept = suppress(boxes, best[good], spec.overlap)
        return Detections.make(boxes[kept], np.clip(best[good][kept], 0, 1), side[kept])


def fitted(picture: NDArray[np.uint8], size: tuple[int, int], letterbox: bool) -> tuple[NDArray[np.uint8], Real, Real]:
    """The picture in `size` (width, height), and the scale and shift from its pixels to those: x * scale + shift."""
    have = np.array([picture.shape[1], picture.shape[0]], np.float64)
    want = np.array(size, np.float64)
    if not letterbox:
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8), want / have, np.zeros(2)
    inner = np.rint(have * (want / have).min()).astype(int)
    before = (np.array(size) - inner) // 2
    canvas = np.full((size[1], size[0], 3), GREY, np.uint8)
    rows, columns = slice(before[1], before[1] + inner[1]), slice(before[0], before[0] + inner[0])
    canvas[rows, columns] = cv2.resize(picture, (int(inner[0]), int(inner[1])), interpolation=cv2.INTER_LINEAR)
    return canvas, inner / have, before.astype(np.float64)


def scaled(picture: NDArray[np.uint8], scaling: str, bgr: bool) -> NDArray[np.float32]:
    """Bytes as the model's input."""
    real: NDArray[np.float32] = picture.astype(np.float32)
    if scaling == "unit":
        real /= 255
    elif scaling == "symmetric":
        real -= 127
        real /= 128
    elif scaling == "imagenet":
        real -= MEAN
        real /= DEVIATION
    return real[..., ::-1] if bgr else real


def decode(outputs: Mapping[str, NDArray[np.float32]], spec: "OnnxBoxes", size: tuple[int, int]) -> Raw:
    """Boxes and scores of a model's outputs; shapes of no known family are a BadRequest."""
    arrays = [np.asarray(one, np.float64) for one in outputs.values()]
    layout = told(arrays, size) if spec.layout == "auto" else spec.layout
    try:
        if layout == "yolov5":
            return yolov5(arrays[0])
        if layout == "yolov8":
            return centred(arrays[0].T[:, :4], arrays[0].T[:, 4:])
        if layout == "end_to_end":
            return end_to_end(arrays[0])
        if layout == "ssd":
            return ssd(arrays, spec.anchors, size)
        if layout == "dfl":
            return dfl(arrays[0], spec.bins, size)
        if layout == "rtmdet":
            return rtmdet(arrays, size)
    except (IndexError, ValueError) as error:
        shapes = ", ".join(str(one.shape) for one in arrays)
        raise BadRequest(f"got outputs {shapes}, which are not laid out as {layout}: {error}") from error
    shapes = ", ".join(str(one.shape) for one in arrays)
    raise BadRequest(f"got outputs {shapes} of a detector, laid out as none that is known; set its layout")


def told(arrays: Sequence[Real], size: tuple[int, int]) -> str:
    """The layout that outputs of these shapes have, or an empty text."""
    if len(arrays) == 1 and arrays[0].ndim == 2:
        first, second = arrays[0].shape
        if second == 6 and first <= 1000:
            return "end_to_end"
        if first < second:
            return "yolov8"
        return "dfl" if first == cells(size, STRIDES[0]) else "yolov5"
    if len(arrays) == 2 and all(one.ndim == 2 for one in arrays):
        return "ssd"
    return "rtmdet" if len(arrays) % 2 == 0 and all(one.ndim == 3 for one in arrays) else ""


def centred(boxes: Real, scores: Real) -> Raw:
    """Boxes given as centre and size."""
    half = boxes[:, 2:4] / 2
    return Raw(np.hstack([boxes[:, :2] - half, boxes[:, :2] + half]), scores)


def yolov5(found: Real) -> Raw:
    """(N, 5 + C): the score of a class is the objectness times its own."""
    return centred(found[:, :4], found[:, 4:5] * found[:, 5:])


def end_to_end(found: Real) -> Raw:
    """(N, 6): corners, score, class."""
    classes = found[:, 5].astype(int)
    scores = np.zeros((len(found), max(classes.max(initial=0) + 1, 2)))
    scores[np.arange(len(found)), classes] = found[:, 4]
    return Raw(found[:, :4], scores)


def ssd(arrays: Sequence[Real], anchors: Sequence[Sequence[int]], size: tuple[int, int]) -> Raw:
    """(N, 4) boxes and (N, C) scores whose first class is the background."""
    boxes, scores = sorted(arrays, key=lambda one: one.shape[1] != 4)
    if (scores < 0).any() or (scores > 1).any():
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = scores / scores.sum(axis=1, keepdims=True)
    if not anchors:
        return Raw(boxes * np.tile(size, 2), scores[:, 1:])
    own = anchored(anchors, size)
    centre = own[:, :2] + boxes[:, :2] * CENTRE_VARIANCE * own[:, 2:]
    return centred(np.hstack([centre, own[:, 2:] * np.exp(boxes[:, 2:] * SIZE_VARIANCE)]), scores[:, 1:])


def anchored(levels: Sequence[Sequence[int]], size: tuple[int, int]) -> Real:
    """(N, 4) centre and size in pixels of square anchors, cell by cell, every side of a level in each."""
    found = []
    for stride, *sides in levels:
        centre = grid(size, stride, 0.5)
        each = np.repeat(centre, len(sides), axis=0)
        found.append(np.hstack([each, np.tile(sides, len(centre))[:, None].repeat(2, axis=1)]))
    return np.concatenate(found)


def grid(size: tuple[int, int], stride: int, offset: float) -> Real:
    """(cells, 2) x and y of a stride's cells in pixels, row by row."""
    y, x = np.mgrid[: -(-size[1] // stride), : -(-size[0] // stride)]
    return (np.stack([x, y], axis=-1).reshape(-1, 2) + offset) * stride


def cells(size: tuple[int, int], strides: Sequence[int]) -> int:
    """How many cells all strides have together."""
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)


def dfl(found: Real, bins: int, size: tuple[int, int]) -> Raw:
    """(cells, C + 4 x bins): scores, and the distances to the four sides as distributions over strides."""
    strides = next((one for one in STRIDES if cells(size, one) == len(found)), None)
    if strides is None:
        raise ValueError(f"{len(found)} cells do not cover {size[0]}x{size[1]} pixels")
    centre = np.concatenate([grid(size, stride, 0.0) for stride in strides])
    step = np.concatenate([np.full(cells(size, [stride]), stride) for stride in strides])
    spread = found[:, -4 * bins :].reshape(len(found), 4, bins)
    spread = np.exp(spread - spread.max(axis=2, keepdims=True))
    away = (spread / spread.sum(axis=2, keepdims=True)) @ np.arange(bins) * step[:, None]
    return Raw(np.hstack([centre - away[:, :2], centre + away[:, 2:]]), found[:, : -4 * bins])


def rtmdet(arrays: Sequence[Real], size: tuple[int, int]) -> Raw:
    """Pairs of a stride: (C, h, w) logits and (4, h, w) distances; all logits may come before all distances."""
    near = arrays[: len(arrays) // 2] if arrays[1].shape[0] != 4 or len(arrays) == 2 else arrays[::2]
    far = arrays[len(arrays) // 2 :] if arrays[1].shape[0] != 4 or len(arrays) == 2 else arrays[1::2]
    boxes, scores = [], []
    for logits, distance in zip(near, far, strict=True):
        stride = round(size[0] / logits.shape[2])
        centre, away = grid(size, stride, 0.0), distance.reshape(4, -1).T
        boxes.append(np.hstack([centre - away[:, :2], centre + away[:, 2:]]))
        scores.append(1 / (1 + np.exp(-logits.reshape(logits.shape[0], -1).T)))
    return Raw(np.concatenate(boxes), np.concatenate(scores))
