"""When each predicted step of a clip is, and where in the whole frame a predicted point lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.heads._base import steps
from ego.pipeline.cached import CachedClips
from ego.pipeline.live import LiveClips
from ego.pipeline.read_run import Run
from ego.pipeline.targets import step_times
from ego.tasks._base import Task
from ego.video import WHOLE, Box


@dataclass(frozen=True)
class Step:
    """What is said of one step, from `start` to `stop` around `seconds`.

    `points` are fractions of the whole frame by name, where the task tells points of the part that its feature shows.
    """

    seconds: float
    start: float
    stop: float
    said: Any
    points: tuple[tuple[str, float, float], ...] = ()


class StepTimes:
    """The steps of a run's leading feature in each of some clips."""

    def __init__(self, run: Run, clips: CachedClips | LiveClips) -> None:
        self._run = run
        self._clips = clips.cached if isinstance(clips, LiveClips) else clips

    def steps(self, clip: int, task: Task, predictions: NDArray[Any]) -> Iterator[Step]:
        """What a task of steps says of each step of a clip that is there; `predictions` are (S, *shape)."""
        name = self._run.head.lead(self._run.shapes)
        own = name.partition(".")[0]
        column = next(one for feature, one in self._clips.columns.items() if feature.partition(".")[0] == own)
        rows, there = column.rows(np.array([clip]))
        count = steps(self._run.shapes[name])
        times = step_times(column.pack.time[rows[0]], count, self._run.recipe.extractors[own])
        box = Box(*column.array.box) if not column.array.views else WHOLE
        for place, (start, _, centre, stop) in enumerate(times.reshape(-1, 4)):
            if there[0, place // count]:
                said = task.say(predictions[place])
                yield Step(float(centre), float(start), float(stop), said, tuple(points_of(said, box)))


def points_of(said: Any, box: Box) -> Iterator[tuple[str, float, float]]:
    """(name, x, y) in the whole frame of points that are said as [x, y] or {name: [x, y]} of a box; else nothing."""
    named = said if isinstance(said, dict) else {"": said}
    for name, point in named.items():
        if isinstance(point, list) and len(point) == 2 and all(isinstance(one, float) for one in point):
            x, y = point
            yield str(name), box.left + x * (box.right - box.left), box.top + y * (box.bottom - box.top)
