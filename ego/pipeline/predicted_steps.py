"""When each predicted step of a clip is, and where in the whole frame a predicted point lies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.heads._base import steps
from ego.pipeline.cached import CachedClips, Column
from ego.pipeline.live import LiveClips
from ego.pipeline.read_run import Run
from ego.pipeline.targets import Leading, shown_to
from ego.tasks._base import Task
from ego.video import Array, Box


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
    """The steps of a run's leading feature in each of some clips, of all looks at it one after another."""

    def __init__(self, run: Run, clips: CachedClips | LiveClips, store: FeatureStore) -> None:
        self._store = store
        self._clips = clips.cached if isinstance(clips, LiveClips) else clips
        self._lead = run.head.lead(run.shapes)
        self._own = self._lead.partition(".")[0]
        self._count = steps(run.shapes[self._lead])
        self._shown = run.shapes[self._lead]
        self._extractor = run.recipe.extractors[self._own]
        self._videos: dict[str, Leading] = {}

    def steps(self, clip: int, task: Task, predictions: NDArray[Any]) -> Iterator[Step]:
        """What a task of steps says of each step of a clip that is there; `predictions` are (S, *shape)."""
        for place, (start, centre, stop), box in self.moments(clip):
            said = task.say(predictions[place])
            yield Step(centre, start, stop, said, tuple(points_of(said, box)))

    def moments(self, clip: int, first_look: bool = False) -> Iterator[tuple[int, tuple[float, float, float], Box]]:
        """Of each step of a clip that is there its place among all, its (start, centre, stop), and what it shows.

        Of several views of a step it is the first; `first_look` leaves out all looks but one.
        """
        column = next((one for name, one in self._clips.columns.items() if name.partition(".")[0] == self._own), None)
        if column is None:
            raise BadRequest(f"steps of {self._lead!r} are not in the store, so they have no times; fit on stored rows")
        digest = self._clips.problem.clips[clip].video.digest
        entry = next(place for place, key in enumerate(column.pack.keys) if key.video == digest)
        video, first = self._of(digest, column, entry), column.pack.rows(entry).start
        box = _seen_first(video.shown, self._own)
        looks = np.arange(self._clips.looks.first[clip], self._clips.looks.first[clip + 1])
        rows, there = column.seen.looks.padded(looks[:1] if first_look else looks)
        views, wide = max(len(video.shown.views), 1), rows.shape[1]
        for (look, within), row in np.ndenumerate(np.where(there, rows, -1)):
            for step in range(self._count) if row >= 0 else ():
                start, _, centre, stop = map(float, video.steps[row - first, step])
                if video.counts[row - first, step]:
                    yield (look * views * wide + within) * self._count + step, (start, centre, stop), box

    def _of(self, digest: str, column: Column, entry: int) -> Leading:
        """The steps of all rows of a video."""
        if digest not in self._videos:
            time = column.pack.time[column.pack.rows(entry)]
            stored = self._store.marker(column.pack.keys[entry]).arrays.get(column.name, column.array)
            video = self._clips.problem.videos[digest]
            part = shown_to(stored, self._extractor, video)
            shown = replace(self._shown, box=part.box, views=part.views)
            self._videos[digest] = Leading.of(time, self._count, self._extractor, shown)
        return self._videos[digest]


def _seen_first(shown: Array, own: str) -> Box:
    """The part of the frame that the only view, or the first of several, shows."""
    if not shown.views:
        return Box(*shown.box)
    *box, mirrored = shown.views[0]
    if mirrored:
        raise BadRequest(f"points are told in the first view of {own!r}, which is mirrored; name another view first")
    return Box(*box)


def points_of(said: Any, box: Box) -> Iterator[tuple[str, float, float]]:
    """(name, x, y) in the whole frame of points that are said as [x, y] or {name: [x, y]} of a box; else nothing."""
    named = said if isinstance(said, dict) else {"": said}
    for name, point in named.items():
        if isinstance(point, list) and len(point) == 2 and all(isinstance(one, float) for one in point):
            x, y = point
            yield str(name), box.left + x * (box.right - box.left), box.top + y * (box.bottom - box.top)
