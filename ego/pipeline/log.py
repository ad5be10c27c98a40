"""What a run tells of its training, line by line."""

from collections.abc import Sequence
from typing import Any

from ego.heads._train import Step


class Log:
    """The lines of a run's log; losses are read from the device only where lines are asked for."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []
        self._steps: list[Step] = []

    def add(self, step: Step) -> None:
        """Takes in a step."""
        self._steps.append(step)

    def resume(self, lines: Sequence[dict[str, Any]]) -> None:
        """Goes on after the lines of a loop that was cut off."""
        self._lines = list(lines)

    def lines(self) -> list[dict[str, Any]]:
        """One line a step so far: its epoch, rate and loss; after an epoch the loss on what is held out."""
        for step in self._steps:
            line = {"step": step.step, "epoch": step.epoch, "lr": step.lr, "loss": float(step.loss)}
            self._lines.append(line if step.held is None else {**line, "held_out_loss": step.held})
        self._steps.clear()
        return list(self._lines)
