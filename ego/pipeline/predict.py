"""`ego predict`: what a run's weights say of videos that nobody annotated, clip after clip."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.datasets._base import Annotation, Annotations
from ego.errors import BadRequest
from ego.extractors._base import Extractor
from ego.pipeline import cached
from ego.pipeline.clips import Problem, annotated
from ego.pipeline.fit import Workplace, said
from ego.pipeline.predicted_steps import Step, StepTimes
from ego.pipeline.read_run import Run
from ego.pipeline.seen import clips_of, plan_of
from ego.tasks._base import Task
from ego.video import Video

LIKELIEST = 5


@dataclass(frozen=True)
class Sliding:
    """Clips of `window` seconds every `stride` seconds; a last one ends with the video."""

    window: float
    stride: float

    def __post_init__(self) -> None:
        if not (self.window > 0 and self.stride > 0):
            raise BadRequest(f"got clips of {self.window:g} s every {self.stride:g} s, expected both above 0")

    def spans(self, start: float, stop: float) -> list[tuple[float, float]]:
        """The clips of a video of these seconds; one that is shorter than the window is one clip."""
        last = stop - self.window
        if last <= start:
            return [(start, stop)]
        count = int((last - start) / self.stride + 1e-6) + 1
        found = [(start + i * self.stride, start + i * self.stride + self.window) for i in range(count)]
        return found if found[-1][1] > stop - 1e-3 else [*found, (last, stop)]


@dataclass(frozen=True)
class Guess:
    """What is said of one clip under one task.

    `score` is the probability of what is `said` and `top` the likeliest with theirs, where the task has classes; a
    task of steps has `steps` instead. `folds` are those whose weights were asked; `trained` says that they were
    trained on this video.
    """

    video: Video
    start: float
    stop: float
    task: str
    said: Any
    score: float | None
    top: tuple[tuple[Any, float], ...]
    steps: tuple[Step, ...]
    folds: tuple[str, ...]
    trained: bool


@dataclass(frozen=True)
class Chosen:
    """The folds that are asked about a video, and whether they have seen it in training."""

    folds: tuple[str, ...]
    trained: bool


def usual_seconds(run: Run) -> float:
    """The median length of the run's annotated clips in seconds; 0 where they are whole videos."""
    told = run.about["plan"]["problem"]["clips"]
    lengths = [clip["parts"][-1][1] - clip["parts"][0][0] for clip in told if clip["parts"]]
    return float(np.median(lengths)) if lengths else 0.0


def read_by(run: Run) -> dict[str, Extractor]:
    """The extractors whose entries a prediction reads, by the recipe's names."""
    return {own: one for own, one in cached.sources(run.head, run.recipe).items() if own not in run.live}


def seconds_of(video: Video) -> tuple[float, float]:
    """Start and stop, as the container claims them; one that claims nothing is a BadRequest."""
    header = video.header
    if header is None or not header.seconds_from_header:
        raise BadRequest(f"{video.name!r} does not say how long it is; copy it into an .mp4 and predict that")
    return header.start_seconds, header.start_seconds + header.seconds_from_header


def predict(run: Run, videos: Sequence[Video], at: Workplace, sliding: Sliding, folds: tuple[str, ...]) -> list[Guess]:
    """A Guess for every clip and task, video after video; what the head reads must be in the store.

    Of several folds the predictions are averaged over those that never saw a video; where all have, over all of them.
    """
    problem = _problem(run, videos, at, sliding)
    clips = clips_of(run, problem, at, labelled=False)
    times = StepTimes(run, clips, at.store)
    chosen = _chosen(run, run.pick_folds(folds), videos)
    found: dict[int, dict[str, NDArray[Any]]] = {}
    for which in dict.fromkeys(chosen.values()):
        whose = np.array([i for i, clip in enumerate(problem.clips) if chosen[clip.video.digest] == which], np.int64)
        plan = plan_of(run, problem)
        each = [said(plan, run.module(fold, at.files), clips.only(whose), whose, at.device) for fold in which.folds]
        for place, index in enumerate(whose.tolist()):
            found[index] = {
                name: np.mean([one[name].predictions[place] for one in each], axis=0) for name in problem.tasks
            }
    spaces = {which: _spaces(run, problem.tasks, which.folds) for which in dict.fromkeys(chosen.values())}
    return [
        _guess(problem, index, name, task, found[index][name], times, chosen[clip.video.digest])
        for index, clip in enumerate(problem.clips)
        for name, task in spaces[chosen[clip.video.digest]].items()
    ]


def _spaces(run: Run, tasks: Mapping[str, Task], folds: Sequence[str]) -> dict[str, Task]:
    """The tasks by name, knowing the labels that any of these folds was trained on."""
    labels: dict[str, dict[int, NDArray[Any]]] = {}
    for fold in folds:
        for name, some in run.trained_labels(fold).items():
            labels.setdefault(name, {}).update(some)
    return {
        name: task.fitted(np.stack(list(labels[name].values()))) if labels.get(name) else task
        for name, task in tasks.items()
    }


def _problem(run: Run, videos: Sequence[Video], at: Workplace, sliding: Sliding) -> Problem:
    """The sliding clips of the videos; tasks keep their label spaces and no clip has a label."""
    clips = tuple(
        Annotation(video.path, (span,), {}, source=video.name)
        for video in videos
        for span in sliding.spans(*seconds_of(video))
    )
    paths = {video.path: Path(video.path) for video in videos}
    rates = {video.path: video.header.fps_from_header for video in videos if video.is_folder and video.header}
    annotations = Annotations(paths, {}, clips, {"": {"all": tuple(range(len(clips)))}}, rates=rates)
    return annotated(replace(run.recipe, dataset=None), annotations, at.root, at.decoder, at.store, known=True)


def _chosen(run: Run, folds: Sequence[str], videos: Sequence[Video]) -> dict[str, Chosen]:
    """Who is asked about each video, by its digest."""
    seen = {fold: {digest for digest, _ in run.trained_on(fold)} for fold in folds}
    found = {}
    for video in videos:
        unseen = tuple(fold for fold in folds if video.digest not in seen[fold])
        found[video.digest] = Chosen(unseen or tuple(folds), not unseen)
    return found


def _guess(
    problem: Problem,
    index: int,
    name: str,
    task: Task,
    prediction: NDArray[Any],
    times: StepTimes,
    chosen: Chosen,
) -> Guess:
    clip = problem.clips[index]
    about = (clip.video, *clip.parts[0], name)
    if task.reads:
        steps = tuple(times.steps(index, task, prediction))
        return Guess(*about, None, None, (), steps, chosen.folds, chosen.trained)
    top = tuple(task.likeliest(prediction, LIKELIEST))
    score = top[0][1] if top else None
    return Guess(*about, task.say(prediction), score, top, (), chosen.folds, chosen.trained)


def lines(guesses: Sequence[Guess]) -> Iterator[Mapping[str, Any]]:
    """The guesses as plain JSON, one object each."""
    for one in guesses:
        yield {
            "video": one.video.name,
            "path": one.video.path,
            "digest": one.video.digest,
            "start_seconds": round(one.start, 6),
            "stop_seconds": round(one.stop, 6),
            "task": one.task,
            "said": one.said,
            "score": one.score,
            "top": [list(pair) for pair in one.top],
            "steps": [{"seconds": round(step.seconds, 6), "said": step.said} for step in one.steps],
            "folds": list(one.folds),
            "trained": one.trained,
        }
