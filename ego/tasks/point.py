"""Where gaze or hands are at each step: heat-maps read as points (DSNT), as Kapidis et al. 2019 teach a backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.tasks import _gaze_figures as gaze_figures
from ego.tasks._base import How, Judged, Target, Task
from ego.tasks._readings import MISSING, points_of

if TYPE_CHECKING:
    from torch import Tensor

LEGACY = {"gaze": (0.0, 0.0), "hands": (0.5, 1.5)}
"""Where published code puts what is missing, in fractions of the frame; of a hand it keeps no x."""


@dataclass(frozen=True)
class Point(Task):
    """The point of `gaze`, or those of the left and right of `hands`, in the part of the frame that a step shows.

    A prediction is one map of logits for each point, (L, height, width): L = 1 or 2. `size` is what a head without a
    map of its own predicts; a head over maps predicts on its map's cells instead, and loss and figures follow
    the map they are given: no point depends on the grid. Labels are the stored arrays `points` and `valid` (default:
    those of the extractors `gaze` and `hands`), fractions of the view; of gaze the `tracked` frames count or those
    of a `fixation`. What is missing or out of view is masked.

    The loss is `distance_share` of the Euclidean distance in normalised units and the rest of the Jensen-Shannon
    divergence from a Gaussian of `sigma` cells (equation 2), or with `terms` sum both in full, as the published code.
    `missing` legacy trains on what is missing too: gaze at the top left, hands half a frame below it, what is out of
    view where it is. `steps` take the label of their `first` frame, as published, or the `nearest` to the middle.

    Figures are the share of points within the fractions `pck` of the view (the first leads), the error in pixels of a
    view of `pixels` x `pixels`, and of gaze the angle seen at `view_degrees` across and the measures of saliency,
    with `thorough` also those that take about a millisecond a frame.
    """

    who: Literal["gaze", "hands"] = "gaze"
    points: str = ""
    valid: str = ""
    frames: Literal["tracked", "fixation"] = "tracked"
    size: tuple[int, int] = (7, 7)
    distance_share: float = 0.5
    terms: Literal["share", "sum"] = "share"
    sigma: float = 1.0
    missing: Literal["mask", "legacy"] = "mask"
    swap: bool = True
    steps: Literal["first", "nearest"] = "first"
    pck: tuple[float, ...] = (0.1, 0.2)
    pixels: int = 224
    view_degrees: float = 60.0
    thorough: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.size) < 1 or self.sigma <= 0 or not 0 <= self.distance_share <= 1:
            raise BadRequest(
                f"got point.size = {list(self.size)}, sigma = {self.sigma:g} and distance_share = "
                f"{self.distance_share:g}, expected cells, a width above 0 and a share from 0 to 1"
            )
        if not self.pck or min(self.pck) <= 0 or self.pixels < 1 or not 0 < self.view_degrees < 180:
            raise BadRequest(
                f"got point.pck = {list(self.pck)}, pixels = {self.pixels} and view_degrees = {self.view_degrees:g}, "
                "expected fractions above 0, at least 1 and an angle between 0 and 180"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What each point is of, in the order of the maps."""
        return ("gaze",) if self.who == "gaze" else ("left", "right")

    @property
    def reads(self) -> tuple[str, ...]:
        """The array of points and the one that says which of them are there."""
        points, valid = ("gaze.point", "gaze.type") if self.who == "gaze" else ("hands.points", "hands.visible")
        return (self.points or points, self.valid or valid)

    @property
    def how(self) -> How:
        """The label on display at a step's first frame, or nearest to its middle."""
        return self.steps

    @property
    def shape(self) -> tuple[int, ...]:
        """(L, height, width) logits."""
        return (len(self.names), *self.size)

    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task; points have no classes."""
        return self

    def target(self, stored: Mapping[str, NDArray[Any]]) -> Target:
        """(rows, L, 2) fractions of the frame, and which of them count."""
        points, valid = self.reads
        sides = self.who == "hands" and self.swap
        found = points_of(stored, points, valid, len(self.names), self.frames, sides)
        if self.missing == "mask":
            return found
        values = np.where(found.valid[..., None], found.values, np.array(LEGACY[self.who], np.float32))
        return Target(values, np.ones_like(found.valid), found.kind, found.sides)

    def encode_steps(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """(n, L, 2) fractions of the view and (n, L) which count: with legacy labels all, wherever they are."""
        if self.missing == "legacy":
            return values.astype(np.float32), np.ones_like(valid)
        return np.where(valid[..., None], values, MISSING).astype(np.float32), valid

    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """The mean over the points that count, of all clips, steps and sides."""
        from ego.tasks import _dsnt as dsnt

        maps, points = dsnt.softmax_maps(prediction.float()), 2 * label.float() - 1
        target = dsnt.gaussians(points, tuple(prediction.shape[-2:]), self.sigma)
        distance = dsnt.distances(dsnt.coordinates(maps), points)
        divergence = dsnt.jensen_shannon(maps, target)
        if self.terms == "sum":
            return dsnt.masked_mean(distance + divergence, mask)
        return dsnt.masked_mean(self.distance_share * distance + (1 - self.distance_share) * divergence, mask)

    def read(self, prediction: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(maps of sum 1, points (*any, 2) as fractions) of predicted logits (*any, height, width)."""
        import torch

        from ego.tasks import _dsnt as dsnt

        maps = dsnt.softmax_maps(torch.from_numpy(np.asarray(prediction, np.float64)))
        return maps.numpy(), ((dsnt.coordinates(maps) + 1) / 2).numpy()

    def metrics(self, judged: Judged) -> dict[str, float]:
        """PCK first, then errors in pixels, of each hand too, and for gaze the angle and the maps' figures."""
        if not judged.mask.any():
            return {}
        maps, points = self.read(judged.predictions)
        error = np.linalg.norm(points - judged.labels, axis=-1)
        found = {f"pck_{share:g}": float((error[judged.mask] <= share).mean()) for share in self.pck}
        found["pixel_error"] = float(error[judged.mask].mean()) * self.pixels
        if self.who == "hands":
            for side, name in enumerate(self.names):
                there = judged.mask[:, side]
                found |= {f"pixel_error_{name}": float(error[there, side].mean()) * self.pixels} if there.any() else {}
            return found
        there = judged.mask[:, 0]
        maps, points, gaze = maps[there, 0], points[there, 0], judged.labels[there, 0].astype(np.float64)
        found |= gaze_figures.of_points(points, gaze, judged.clips[there], self.view_degrees)
        found |= gaze_figures.of_maps(maps, gaze, self._truth(gaze, maps.shape[1:]))
        return found | (gaze_figures.slow(maps, points, gaze, self.pixels) if self.thorough else {})

    def _truth(self, gaze: NDArray[np.float64], sides: tuple[int, ...]) -> NDArray[np.float64]:
        """(n, height, width) the Gaussians that the loss compares with."""
        import torch

        from ego.tasks import _dsnt as dsnt

        truth: NDArray[np.float64] = dsnt.gaussians(torch.from_numpy(2 * gaze - 1), sides, self.sigma).numpy()
        return truth

    def say(self, prediction: NDArray[Any]) -> dict[str, list[float]]:
        """[x, y] of each point by name, fractions of the view."""
        _, points = self.read(prediction)
        return {name: [float(one) for one in point] for name, point in zip(self.names, points, strict=True)}

    def say_label(self, label: NDArray[Any]) -> dict[str, list[float] | None]:
        """[x, y] of each point by name, null for one that is masked."""
        there = (label != MISSING).all(axis=-1)
        return {
            name: [float(one) for one in point] if known else None
            for name, point, known in zip(self.names, label, there, strict=True)
        }
