"""All figures of predicted gaze under one set of names, averaged over frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.tasks import _gaze_metrics as gaze_metrics

Reals = NDArray[np.float64]


def of_points(predicted: Reals, gaze: Reals, clips: NDArray[np.int64], view_degrees: float) -> dict[str, float]:
    """`aae`, degrees over all frames, and `aae_of_clips`, the mean of the clips' means; points as (n, 2) fractions."""
    angles = gaze_metrics.angular_error(predicted, gaze, view_degrees=view_degrees)
    _, clip = np.unique(clips, return_inverse=True)
    by_clip = np.bincount(clip, angles) / np.bincount(clip)
    return {"aae": float(angles.mean()), "aae_of_clips": float(by_clip.mean())}


def of_maps(maps: NDArray[Any], gaze: Reals, truth: NDArray[Any]) -> dict[str, float]:
    """The maps (n, height, width) judged at the gaze (n, 2) and against the maps of the truth.

    `auc` (exact, chance 0.5), `auc_judd_release` (chance 0.75), `nss`, `cc`, `kl` in nats, `f1` at its best threshold.
    """
    return {
        "auc": float(gaze_metrics.auc(maps, gaze).mean()),
        "auc_judd_release": float(gaze_metrics.auc(maps, gaze, "judd_release").mean()),
        "nss": float(gaze_metrics.nss(maps, gaze).mean()),
        "cc": float(gaze_metrics.correlation(maps, truth).mean()),
        "kl": float(gaze_metrics.divergence(maps, truth).mean()),
        "f1": gaze_metrics.adaptive_f1(maps, truth)[0],
    }


def slow(maps: NDArray[Any], predicted: Reals, gaze: Reals, pixels: int) -> dict[str, float]:
    """`auc_borji`, and `auc_point` on a picture of `pixels` x `pixels`: both take about a millisecond a frame."""
    said, seen = (np.clip(points * pixels - 0.5, 0, pixels - 1) for points in (predicted, gaze))
    return {
        "auc_borji": float(gaze_metrics.auc_borji(maps, gaze).mean()),
        "auc_point": float(gaze_metrics.auc_point(said, seen, (pixels, pixels)).mean()),
    }
