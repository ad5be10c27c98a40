"""What a run sees in single frames: where its classes come from, which points and maps it predicts, and the truth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.heads._base import Batch, Tensors
from ego.heads._embedding import Embedding
from ego.pipeline.around import frames
from ego.pipeline.cached import CachedClips
from ego.pipeline.clips import Problem
from ego.pipeline.evaluate import Asked, tested
from ego.pipeline.fit import Workplace
from ego.pipeline.live import Joined, LiveClips
from ego.pipeline.predicted_steps import StepTimes, points_of
from ego.pipeline.read_run import Run
from ego.pipeline.seen import clips_of, stored
from ego.pipeline.tails import WithTails
from ego.tasks._base import Task
from ego.video import Box, Picture

HEIGHT = 270
Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]
Point = tuple[float, float]


@dataclass(eq=False)
class Exhibit:
    """One moment of a tested clip: its frame (h, w, 3), what the head was shown of it, and what is said of it.

    `maps` are (h, w) over that part, by name; `points` and `truth` are fractions of the whole frame, by name.
    """

    words: str
    seconds: float
    box: Box
    frame: Pixels = field(default_factory=lambda: np.zeros((1, 1, 3), np.uint8))
    maps: dict[str, Map] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    truth: dict[str, Point] = field(default_factory=dict)


def exhibits(run: Run, at: Workplace, fold: str, split: str | None = None, count: int = 6) -> list[Exhibit]:
    """`count` tested clips of a fold, of as many classes as there are; a run whose head has no maps: none."""
    problem, _ = tested(run, at, [fold], Asked((fold,), split))
    problem = stored(run, problem, at)
    clips = clips_of(run, problem, at)
    module, times = run.module(fold, at.files), StepTimes(run, clips, at.store)
    found: dict[str, list[Exhibit]] = {}
    for clip in _chosen(problem, run.trained_tasks, count):
        one = _exhibit(run, problem, clips, clip, module, times)
        if one is not None:
            found.setdefault(problem.clips[clip].video.digest, []).append(one)
    for digest, some in found.items():
        for one, picture in zip(some, _pictures(problem, digest, some, at), strict=True):
            one.frame = picture
    return [one for some in found.values() for one in some]


def _chosen(problem: Problem, tasks: Mapping[str, Task], count: int) -> list[int]:
    """Clips in turn of every class of the first task that labels clips; of none evenly spaced ones."""
    name = next((name for name, task in tasks.items() if not task.reads), None)
    if name is None:
        return [int(one) for one in np.unique(np.linspace(0, len(problem.clips) - 1, count).astype(int))]
    known = np.flatnonzero(problem.labelled[name])
    turn = dict.fromkeys(problem.labels[name][known].tolist(), 0)
    ranked = []
    for clip in known.tolist():
        label = problem.labels[name][clip].tolist()
        ranked.append((turn[label], clip))
        turn[label] += 1
    return sorted(clip for _, clip in sorted(ranked)[:count])


def _exhibit(
    run: Run, problem: Problem, clips: CachedClips | LiveClips, clip: int, module: nn.Module, times: StepTimes
) -> Exhibit | None:
    moments = list(times.moments(clip, first_look=True))
    if not moments:
        return None
    batch = clips.only(np.array([clip])).batch(np.array([0]))
    predictions, seen, there = _looked_into(module, batch, tuple(run.trained_tasks))
    place, (_, centre, _), box = moments[_telling(batch, run.trained_tasks, [one for one, _, _ in moments])]
    one = Exhibit(_words(problem, clip, run.trained_tasks, predictions), centre, box)
    activation = _class_activation(run, module, seen, predictions, place)
    if activation is not None:
        one.maps["class activation"] = activation
    for name, task in run.trained_tasks.items():
        if task.reads:
            _add_step(one, name, task, predictions[name][0, place].numpy(), batch, place)
    attention = _attention(module, seen, there, place)
    if attention is not None and not any(np.array_equal(attention, other) for other in one.maps.values()):
        one.maps["attention"] = attention
    return one if one.maps or one.points else None


def _telling(batch: Batch, tasks: Mapping[str, Task], places: Sequence[int]) -> int:
    """Which of the moments to show: the labelled one nearest to the middle."""
    known = np.zeros(len(places), bool)
    for name, task in tasks.items():
        if task.reads:
            there = batch.labelled[name][0]
            known |= there.reshape(len(there), -1).any(dim=1).numpy()[np.asarray(places)]
    candidates = np.flatnonzero(known) if known.any() else np.arange(len(places))
    return int(candidates[np.abs(candidates - len(places) / 2).argmin()])


def _looked_into(
    module: nn.Module, batch: Batch, tasks: tuple[str, ...]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """The predictions, and the features and masks as the head itself was given them."""
    head = module.head if isinstance(module, (Joined, WithTails)) else module
    given: dict[str, Tensor] = {}
    there: dict[str, Tensor] = {}

    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        given.update(inputs[0])
        there.update(inputs[1])

    handle = head.register_forward_pre_hook(keep)
    try:
        with torch.inference_mode():
            found: Tensors = module(batch.features, batch.masks, tasks)
    finally:
        handle.remove()
    return {name: value.float().cpu() for name, value in found.items()}, given, there


def _attention(module: nn.Module, seen: Tensors, there: Tensors, place: int) -> Map | None:
    """(h, w) how much the head makes of each cell at a moment; None where it does not say."""
    head = module.head if isinstance(module, (Joined, WithTails)) else module
    if not isinstance(head, Embedding):
        return None
    with torch.inference_mode():
        maps = head.attention_maps(seen, there)
    return None if maps is None else np.asarray(maps[0, place].float().cpu().numpy(), np.float32)


def _class_activation(run: Run, module: nn.Module, seen: Tensors, predictions: Tensors, place: int) -> Map | None:
    """(h, w) what each cell of the leading map speaks for the predicted class; None where the head does not say.

    That is where the last layer weighs the means of the map's own channels (Zhou et al. 2016).
    """
    name = next((name for name, task in run.trained_tasks.items() if not task.reads), None)
    rows = seen.get(run.head.lead(run.shapes))
    if name is None or rows is None or rows.ndim not in (5, 6):
        return None
    x = rows[0].float()
    x = x.transpose(1, 2).flatten(0, 1) if rows.ndim == 6 else x  # (S, C, h, w)
    classes = predictions[name].shape[-1]
    layers = [one for one in module.modules() if isinstance(one, nn.Linear) and one.out_features == classes]
    if not layers or layers[-1].in_features != x.shape[1]:
        return None
    weight = layers[-1].weight[int(predictions[name][0].argmax())].detach().float().cpu()
    return np.asarray(torch.einsum("c,chw->hw", weight, x[place].cpu()).numpy(), np.float32)


def _add_step(one: Exhibit, name: str, task: Task, prediction: NDArray[Any], batch: Batch, place: int) -> None:
    """What a task of steps says at a moment, and what is true there."""
    label, mask = batch.labels[name][0, place].numpy(), batch.labelled[name][0, place].numpy()
    said, true = task.say(prediction), task.say_label(label) if mask.any() else None
    said_points = {f"{name} {point}".strip(): (x, y) for point, x, y in points_of(said, one.box)}
    one.points |= said_points
    one.truth |= {f"{name} {point}".strip(): (x, y) for point, x, y in points_of(true, one.box)} if true else {}
    if prediction.ndim == 2:
        one.maps[name] = prediction.astype(np.float32)
    elif not said_points:
        one.maps[name] = np.asarray(said, np.float32)
        if true is not None:
            one.maps[f"{name}, true"] = np.asarray(true, np.float32)


def _words(problem: Problem, clip: int, tasks: Mapping[str, Task], predictions: Tensors) -> str:
    """What the clip is and what is said of it."""
    parts = []
    for name, task in tasks.items():
        if not task.reads:
            said = task.say(predictions[name][0].numpy())
            true = task.say_label(problem.labels[name][clip]) if problem.labelled[name][clip] else "?"
            parts.append(f"{name}: {true}" if said == true else f"{name}: {true}, said {said}")
    return "; ".join(parts)


def _pictures(problem: Problem, digest: str, some: Sequence[Exhibit], at: Workplace) -> Iterator[Pixels]:
    """The frame of each exhibit of a video, which is decoded once and no further than needed."""
    found: dict[int, Pixels] = {}
    last = max(one.seconds for one in some)
    for shown in frames(problem.videos[digest], at.decoder, Picture("height", HEIGHT)):
        for place, one in enumerate(some):
            if shown.start <= one.seconds or place not in found:
                found[place] = shown.picture.copy()
        if shown.start > last:
            break
    return (found[place] for place in range(len(some)))
