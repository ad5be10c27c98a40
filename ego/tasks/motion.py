"""What moves at each step, on a coarse grid: motion segmentation as SparNet and FPAR teach a backbone with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.tasks._base import Judged, Target, Task
from ego.tasks._shrink import shrink

if TYPE_CHECKING:
    from torch import Tensor

Learns = Literal[
    "classes", "bce49", "softmax49", "legacy_softmax_frames", "l1", "smooth_l1", "mse", "soft_margin", "kl"
]
REGRESSIONS = ("l1", "smooth_l1", "mse", "soft_margin")
LEAST_CHANCE = 1e-7
"""Keeps the logarithm of what a softmax over many says of one finite."""


@dataclass(frozen=True)
class Motion(Task):
    """Which of `size` x `size` cells move, from the stored maps `map`, made as small by `resize`.

    What is learnt is `classes`: two logits a cell by cross-entropy (Planamente et al. 2021), or `bce49`: one, which
    has the same optimum. FPAR's report spreads a softmax over the cells before binary cross-entropy (`softmax49`),
    its code over the steps of a clip (`legacy_softmax_frames`). A cell moves where more than the share `threshold` of
    it does. The regressions learn that share itself: `l1`, `smooth_l1` and `mse` through a sigmoid,
    `soft_margin` with the targets 2 * share - 1, `kl` the map as a distribution over the cells, without empty maps.

    A prediction is logits, (2, size, size) for `classes`, else (1, size, size). For the figures a cell is said to move
    where that is likelier than not, of a distribution where it has more than its equal part.
    """

    map: str = "motion_map"
    size: int = 7
    learns: Learns = "classes"
    threshold: float = 0.0
    resize: Literal["area", "bilinear"] = "area"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1 or not 0 <= self.threshold < 1:
            raise BadRequest(
                f"got motion.size = {self.size} and threshold = {self.threshold:g}, expected at least 1 and a share "
                "below 1"
            )

    @property
    def reads(self) -> tuple[str, ...]:
        """The array of maps."""
        return (self.map,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Logits: (2, size, size) still and moving, or (1, size, size)."""
        return (2 if self.learns == "classes" else 1, self.size, self.size)

    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task; a cell moves or not, whatever the data set."""
        return self

    def target(self, stored: Mapping[str, NDArray[Any]]) -> Target:
        """(rows, height, width) maps, all of which count; an array that holds none is a BadRequest."""
        maps = stored[self.map]
        if maps.ndim != 3:
            raise BadRequest(f"got {self.map!r} of {list(maps.shape[1:])} a row, expected maps (height, width)")
        return Target(maps, np.ones(len(maps), bool), "mask" if maps.dtype == bool else "map")

    def encode_steps(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """(n, size, size) the share of each cell that moves, and (n,) which count."""
        return np.clip(shrink(values, self.size, self.resize), 0, 1), valid

    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """The mean over the cells of all steps that count; of `kl` the mean of the steps whose map is not empty."""
        import torch
        from torch.nn import functional

        scores, share = prediction.float(), label.float()
        scores = scores if self.learns == "classes" else scores.squeeze(-3)
        moving = (share > self.threshold).to(share.dtype)
        if self.learns == "classes":
            each = functional.cross_entropy(scores.movedim(-3, 1), moving.long(), reduction="none")
        elif self.learns == "bce49":
            each = functional.binary_cross_entropy_with_logits(scores, moving, reduction="none")
        elif self.learns == "kl":
            total = share.sum(dim=(-2, -1), keepdim=True)
            mask = mask & (total > 0)[..., 0, 0]
            truth = share / torch.where(total > 0, total, torch.ones_like(total))
            spread = torch.log_softmax(scores.flatten(-2), dim=-1).view_as(scores)
            each = functional.kl_div(spread, truth, reduction="none").sum(dim=(-2, -1), keepdim=True)
        elif self.learns in REGRESSIONS:
            each = self._regression(scores, share)
        else:
            chance = _spread(scores, mask, self.learns).clamp(LEAST_CHANCE, 1 - LEAST_CHANCE)
            each = functional.binary_cross_entropy(chance, moving, reduction="none")
        by_step = each.mean(dim=(-2, -1))
        return (by_step * mask).sum() / mask.sum().clamp(min=1)

    def _regression(self, scores: "Tensor", share: "Tensor") -> "Tensor":
        from torch.nn import functional

        if self.learns == "soft_margin":
            return functional.softplus(-(2 * share - 1) * scores)
        errors = {"l1": functional.l1_loss, "smooth_l1": functional.smooth_l1_loss, "mse": functional.mse_loss}
        return errors[self.learns](scores.sigmoid(), share, reduction="none")

    def metrics(self, judged: Judged) -> dict[str, float]:
        """Intersection over union of the moving cells first, accuracy, recall, precision, and the regression's errors.

        `mae` and `mse` compare shares, `kl` is in nats over the maps that are not empty.
        """
        from sklearn import metrics

        if not judged.mask.any():
            return {}
        share = judged.labels[judged.mask]
        chance = self._chance(judged)[judged.mask]
        truth, said = (share > self.threshold).ravel(), self._said(chance, judged).ravel()
        found = {
            "iou": float(metrics.jaccard_score(truth, said, zero_division=1.0)),
            "accuracy": float(metrics.accuracy_score(truth, said)),
            "recall": float(metrics.recall_score(truth, said, zero_division=1.0)),
            "precision": float(metrics.precision_score(truth, said, zero_division=1.0)),
        }
        if self.learns in REGRESSIONS:
            found |= {"mae": float(np.abs(chance - share).mean()), "mse": float(((chance - share) ** 2).mean())}
        total = share.sum(axis=(1, 2))
        if self.learns == "kl" and total.any():
            from scipy.stats import entropy

            flat = [part[total > 0].reshape(int((total > 0).sum()), -1) for part in (share, chance)]
            found["kl"] = float(entropy(flat[0], np.maximum(flat[1], LEAST_CHANCE), axis=1).mean())
        return found

    def _chance(self, judged: Judged) -> NDArray[np.float64]:
        """(n, size, size) what is predicted of each cell, from 0 to 1."""
        import torch

        scores = torch.from_numpy(np.asarray(judged.predictions, np.float64))
        if self.learns == "classes":
            return np.asarray(torch.softmax(scores, dim=1)[:, 1].numpy())
        scores = scores[:, 0]
        if self.learns in ("kl", "softmax49"):
            chance = _spread(scores[None], torch.ones(1, len(scores), dtype=torch.bool), "softmax49")[0]
        elif self.learns == "legacy_softmax_frames":
            chance = torch.zeros_like(scores)
            for clip in np.unique(judged.clips):
                rows = torch.from_numpy(np.flatnonzero((judged.clips == clip) & judged.mask))
                there = torch.ones(1, len(rows), dtype=torch.bool)
                chance[rows] = _spread(scores[rows][None], there, self.learns)[0]
        else:
            chance = scores.sigmoid()
        return np.asarray(chance.numpy())

    def _said(self, chance: NDArray[np.float64], judged: Judged) -> NDArray[np.bool_]:
        """Which cells are said to move."""
        if self.learns in ("kl", "softmax49"):
            return np.asarray(chance > 1 / self.size**2)
        if self.learns == "legacy_softmax_frames":
            clips, counts = np.unique(judged.clips[judged.mask], return_counts=True)
            steps = counts[np.searchsorted(clips, judged.clips[judged.mask])]
            return np.asarray(chance > 1 / steps[:, None, None])
        return np.asarray(chance > 0.5)

    def say(self, prediction: NDArray[Any]) -> list[list[float]]:
        """What is predicted of each cell, rows from the top; of a softmax over steps the logits."""
        one = Judged(prediction[None], prediction[None], np.ones(1, bool), np.zeros(1, np.int64))
        shown = prediction if self.learns == "legacy_softmax_frames" else self._chance(one)
        return [[float(cell) for cell in row] for row in shown[0]]

    def say_label(self, label: NDArray[Any]) -> list[list[float]]:
        """The share of each cell that moves, rows from the top."""
        return [[float(cell) for cell in row] for row in label]


def _spread(scores: "Tensor", mask: "Tensor", learns: str) -> "Tensor":
    """Logits (B, S, h, w) as shares that sum to 1 over the cells of a step, or over the clip's steps that count."""
    import torch

    if learns == "softmax49":
        return torch.softmax(scores.flatten(-2), dim=-1).view_as(scores)
    hidden = torch.where(mask[..., None, None], scores, torch.full_like(scores, -1e9))
    return torch.softmax(hidden, dim=1)
