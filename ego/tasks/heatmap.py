"""Where the eyes look at each step as a wide map: the target that STAM's attention is taught with (Lu et al. 2019)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.gaze import heatmap
from ego.tasks import _gaze_figures as gaze_figures
from ego.tasks import _gaze_metrics as gaze_metrics
from ego.tasks._base import How, Judged, Target, Task
from ego.tasks._readings import MISSING, points_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Heatmap(Task):
    """A map (height, width) that is 1 at the gaze and falls off as a Gaussian of `sigma` cells, by squared error.

    The gaze is the mean over the frames of a step, of the stored arrays `points` and `valid`, where the `tracked`
    frames count or those of a `fixation`; a step without gaze in the view is masked. `sigma` left out is half the
    map's height (equation 3; the released code has 3). Cells lie at their centres; with `centres` whole cell j is
    compared with x * width as the released code does. `size` is what a head without a map of its own predicts; the
    target follows the map it is compared with. The weight of 0.1 is the paper's beside cross-entropy.

    The angle is seen at `view_degrees` across, by the map's centre of `mass` or its highest cell (`peak`); `thorough`
    adds the figures that take about a millisecond a frame, on a view of `pixels` x `pixels`.
    """

    weight: float = 0.1
    points: str = "gaze.point"
    valid: str = "gaze.type"
    frames: Literal["tracked", "fixation"] = "tracked"
    size: tuple[int, int] = (7, 7)
    sigma: float | None = None
    centres: Literal["half", "whole"] = "half"
    point: Literal["mass", "peak"] = "mass"
    pixels: int = 224
    view_degrees: float = 60.0
    thorough: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.size) < 1 or (self.sigma is not None and self.sigma <= 0):
            raise BadRequest(f"got heatmap.size = {list(self.size)} and sigma = {self.sigma}, expected both above 0")
        if self.pixels < 1 or not 0 < self.view_degrees < 180:
            raise BadRequest(
                f"got heatmap.pixels = {self.pixels} and view_degrees = {self.view_degrees:g}, expected at least 1 "
                "and an angle between 0 and 180"
            )

    @property
    def reads(self) -> tuple[str, ...]:
        """The array of points and the one that says which of them are there."""
        return (self.points, self.valid)

    @property
    def how(self) -> How:
        """The mean of the frames of a step."""
        return "mean"

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width), from 0 to 1."""
        return self.size

    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task; maps have no classes."""
        return self

    def target(self, stored: Mapping[str, NDArray[Any]]) -> Target:
        """(rows, 2) fractions of the frame, and which rows count."""
        found = points_of(stored, self.points, self.valid, 1, self.frames)
        return Target(found.values[:, 0], found.valid[:, 0], found.kind)

    def encode_steps(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """(n, 2) fractions of the view and (n,) which count; the map about them is made as large as the prediction."""
        return np.where(valid[:, None], values, MISSING).astype(np.float32), valid

    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """Squared error, averaged over the cells of all steps that count."""
        height, width = prediction.shape[-2:]
        across, down = self._line(label[..., 0], width, height), self._line(label[..., 1], height, height)
        target = down[..., :, None] * across[..., None, :]
        each = ((prediction.float() - target) ** 2).mean(dim=(-2, -1))
        return (each * mask).sum() / mask.sum().clamp(min=1)

    def _line(self, at: "Tensor", count: int, height: int) -> "Tensor":
        """(..., count) one axis of the Gaussian about fractions (...)."""
        import torch

        sigma = height / 2 if self.sigma is None else self.sigma
        places = torch.arange(count, dtype=torch.float32, device=at.device) + (0.5 if self.centres == "half" else 0.0)
        return torch.exp(-((places - at.float()[..., None] * count) ** 2) / (2 * sigma**2))

    def metrics(self, judged: Judged) -> dict[str, float]:
        """The exact AUC first, the other measures of saliency, the angle, and `mse`, what the loss is made of."""
        there = judged.mask
        if not there.any():
            return {}
        maps, gaze = judged.predictions[there].astype(np.float64), judged.labels[there].astype(np.float64)
        sides = (maps.shape[1], maps.shape[2])
        truth = heatmap(gaze, np.ones(len(gaze), bool), sides, self.sigma, "peak", self.centres)
        weights = np.maximum(maps, 0)  # a map of attention is not negative; another's is cut there
        points = gaze_metrics.centre_of_mass(weights) if self.point == "mass" else gaze_metrics.arg_max(maps)
        found = gaze_figures.of_maps(weights, gaze, truth)
        found |= gaze_figures.of_points(points, gaze, judged.clips[there], self.view_degrees)
        found["mse"] = float(((maps - truth) ** 2).mean())
        return found | (gaze_figures.slow(weights, points, gaze, self.pixels) if self.thorough else {})

    def say(self, prediction: NDArray[Any]) -> list[float]:
        """[x, y] that the map points at, fractions of the view."""
        one = np.asarray(prediction, np.float64)[None]
        mass = self.point == "mass"
        found = gaze_metrics.centre_of_mass(np.maximum(one, 0)) if mass else gaze_metrics.arg_max(one)
        return [float(value) for value in found[0]]

    def say_label(self, label: NDArray[Any]) -> list[float]:
        """[x, y] of the gaze, fractions of the view."""
        return [float(value) for value in label]
