"""What part of the learning rate is used at which step; the numbers are those of `Training`."""

from bisect import bisect_right
from math import cos, pi

from ego.heads._training import Training


def share(training: Training, step: int, per_epoch: int, total: int) -> float:
    """The factor of every group's rate at a step, counted from 0, of `total`, `per_epoch` of them an epoch."""
    unit = per_epoch if training.unit == "epoch" else 1
    warm = training.warm_up * unit
    rising = (step + 1) / warm if step < warm else 1.0
    return rising * _scheduled(training, step, step // unit, training.cycle * unit, warm, total)


def _scheduled(training: Training, step: int, units: int, cycle: int, warm: int, total: int) -> float:
    floor = training.floor
    if training.schedule == "cosine":
        done = max(step - warm, 0) / max(total - warm, 1)
        return floor + (1 - floor) * 0.5 * (1 + cos(pi * done))
    if training.schedule == "cyclic":
        place = step / cycle % 1
        return floor + (1 - floor) * (2 * place if place <= 0.5 else 2 * (1 - place))
    if training.schedule == "step":
        return training.factor ** bisect_right(training.milestones, units)
    return training.factor**units if training.schedule == "exponential" else 1.0
