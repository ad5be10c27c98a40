"""A task of steps of any shape, for heads whose labels' meaning does not matter."""

from dataclasses import dataclass

from ego.tasks._base import Judged, Task


@dataclass(frozen=True)
class Steps(Task):
    """A task of steps of any shape, judged by square error: what heads must predict, whatever the labels mean."""

    sides: tuple[int, ...] = (3,)

    @property
    def reads(self):
        return ("stored",)

    @property
    def shape(self):
        return self.sides

    def over(self, classes):
        return self

    def loss(self, prediction, label, mask):
        each = (prediction - label).flatten(2).square().mean(2)
        return (each * mask).sum() / mask.sum().clamp(min=1)

    def metrics(self, judged: Judged):
        return {}

    def say(self, prediction):
        return prediction.tolist()

    def say_label(self, label):
        return label.tolist()
