"""The outputs of face detectors, decoded."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._boxes import Boxes, suppress
from ego.extractors._onnx_heads import fitted, grid, scaled
from ego.extractors._outputs import Outputs

if TYPE_CHECKING:
    from ego.extractors._face_detectors import UltraFace, YuNet

STRIDES = (8, 16, 32)


class Found(NamedTuple):
    """The faces of one frame in fractions of it: boxes (n, 4), scores (n,), points (n, 5, 2)."""

    boxes: Boxes
    scores: NDArray[np.float64]
    points: NDArray[np.float64]


class YuNetModel:
    """Three strides: a score is the root of class times objectness; boxes and points count in strides from a cell."""

    def __init__(self, spec: "YuNet", path: Path) -> None:
        self._spec, self._model = spec, Outputs(path)

    def find(self, picture: NDArray[np.uint8]) -> Found:
        """The faces of an (h, w, 3) picture."""
        source = self._model.input
        free = tuple(-(-side // 32) * 32 for side in (picture.shape[1], picture.shape[0]))
        size = (source.width or free[0], source.height or free[1])
        shown, scale, shift = fitted(picture, size, letterbox=True)
        out = self._model(scaled(shown, "byte", bgr=True))
        if f"cls_{STRIDES[0]}" not in out:
            raise BadRequest(f"{self._model.name} is no YuNet: its outputs are {', '.join(out)}")
        boxes, scores, points = [], [], []
        for stride in STRIDES:
            kind, thing = (np.clip(out[f"{name}_{stride}"][:, 0], 0, 1) for name in ("cls", "obj"))
            sure = np.sqrt(kind * thing).astype(np.float64)
            good = sure >= self._spec.least_score
            cell = grid(size, stride, 0.0)[good]
            raw = out[f"bbox_{stride}"][good].astype(np.float64)
            centre, half = cell + raw[:, :2] * stride, np.exp(raw[:, 2:]) * stride / 2
            marks = out[f"kps_{stride}"][good].astype(np.float64).reshape(-1, 5, 2) * stride + cell[:, None]
            boxes.append(np.hstack([centre - half, centre + half]))
            scores.append(sure[good])
            points.append(marks)
        away = np.array([picture.shape[1], picture.shape[0]]) * scale
        found = (np.concatenate(boxes) - np.tile(shift, 2)) / np.tile(away, 2)
        return _best(found, np.concatenate(scores), (np.concatenate(points) - shift) / away, self._spec.overlap)


class UltraFaceModel:
    """Scores (4420, 2), background first, and boxes as corners in fractions, already taken from the anchors."""

    def __init__(self, spec: "UltraFace", path: Path) -> None:
        self._spec, self._model = spec, Outputs(path)

    def find(self, picture: NDArray[np.uint8]) -> Found:
        """The faces of an (h, w, 3) picture."""
        source = self._model.input
        shown, _, _ = fitted(picture, (source.width or 320, source.height or 240), letterbox=False)
        out = self._model(scaled(shown, "symmetric", bgr=False))
        if set(out) != {"scores", "boxes"}:
            raise BadRequest(f"{self._model.name} is no UltraFace: its outputs are {', '.join(out)}")
        scores = out["scores"][:, 1].astype(np.float64)
        good = scores >= self._spec.least_score
        boxes = out["boxes"][good].astype(np.float64)
        return _best(boxes, scores[good], np.zeros((len(boxes), 5, 2)), self._spec.overlap)


def _best(boxes: Boxes, scores: NDArray[np.float64], points: NDArray[np.float64], overlap: float) -> Found:
    kept = suppress(boxes, scores, overlap)
    return Found(np.clip(boxes[kept], 0, 1), scores[kept], np.clip(points[kept], 0, 1))
