"""`ego fit-heads`: clips -> keys -> rows in memory -> head -> the loop -> a run. No pixel is decoded."""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.heads._base import Head
from ego.heads._train import Clips, Step, Stream, begin, predict, train
from ego.media.decode import Decoder
from ego.pipeline import cached, runs
from ego.pipeline.clips import Problem, problem
from ego.pipeline.recipe import Recipe


@dataclass(frozen=True)
class Trained:
    """One step of one fold."""

    fold: str
    step: Step


@dataclass(frozen=True)
class Finished:
    """A run that is written: its folder and metrics; `found` says that it was there before."""

    folder: Path
    metrics: Mapping[str, Any]
    found: bool


@dataclass(frozen=True)
class Workplace:
    """Where things lie and what works on them: nothing here changes a number.

    `root` is where the data set lies, `out` where runs are kept. `rehash` reads every video again,
    `skip_missing` goes on without videos that are not there.
    """

    root: Path
    store: FeatureStore
    files: Files
    decoder: Decoder
    out: Path
    device: str = "cpu"
    rehash: bool = False
    skip_missing: bool = False


def fit(recipe: Recipe, at: Workplace, folds: Sequence[str] = ()) -> Iterator[Trained | Finished]:
    """Trains the recipe's head on stored features, fold by fold, and last yields the finished run.

    `folds` names some of the data set's (none: all). A run that is there already is not trained again.
    What is not in the store is a NotExtracted that gives the command which extracts it.
    """
    plan, entries = planned("fit-heads", recipe, at, folds)
    if (metrics := runs.read(plan.path(at.out))) is not None:
        yield Finished(plan.path(at.out), metrics, found=True)
        return
    check_learnable(plan.problem)
    clips = stored_clips(plan, entries, at)
    results = []
    for name in plan.problem.folds:
        results.append((yield from _fold(name, plan, clips, at.device)))
    yield finish(plan, results, recipe, at)


def planned(
    deed: str, recipe: Recipe, at: Workplace, folds: Sequence[str], live: Collection[str] = ()
) -> tuple[runs.Plan, cached.Entries]:
    """The plan of a run and the entries its clips read, all there; those named in `live` read what they hold alone."""
    head = head_of(recipe)
    learnt = problem(recipe, at.root, at.decoder, at.store, at.rehash, at.skip_missing).only(folds)
    extractors = cached.sources(head, recipe)
    entries = {own: cached.keys(learnt, extractor) for own, extractor in extractors.items() if own not in live}
    held = cached.held_entries({own: extractors[own] for own in live}, learnt)
    cached.check_stored({**entries, **held}, recipe, learnt, at.root, at.store, at.skip_missing)
    features = {own: {"extractor": one.digest, "live": own in live} for own, one in extractors.items()}
    keys = [key for some in (*entries.values(), *held.values()) for key in some.values()]
    return runs.Plan(deed, learnt, head, recipe.training, features, keys), entries


def stored_clips(plan: runs.Plan, entries: cached.Entries, at: Workplace) -> cached.CachedClips:
    """All clips of the plan with the features that come from the store."""
    columns = cached.read_columns(plan.problem, entries, plan.head.features, at.store, plan.training.rows)
    return cached.CachedClips(columns, plan.problem, np.arange(len(plan.problem.clips)))


def finish(plan: runs.Plan, results: Sequence[runs.FoldResult], recipe: Recipe, at: Workplace) -> Finished:
    """Writes the run."""
    folder = runs.write(at.out, plan, results, {"name": recipe.name, "settings": list(recipe.settings)}, recipe.text)
    return Finished(folder, runs.read(folder) or {}, found=False)


def head_of(recipe: Recipe) -> Head:
    """The recipe's head; a recipe without one is a BadRequest."""
    if recipe.head is None:
        raise BadRequest(f"the recipe {recipe.path} has no [head], expected one to train")
    return recipe.head


def check_learnable(learnt: Problem) -> None:
    """Nothing, or a BadRequest where a fold tests what it cannot have learnt."""
    for fold, splits in learnt.folds.items():
        for name, task in learnt.tasks.items():
            labels = {
                split: learnt.labels[name][indices][learnt.labelled[name][indices]] for split, indices in splits.items()
            }
            for split, some in labels.items():
                if split != "train" and (why := task.unlearnable(labels["train"], some)):
                    where = f"fold {fold!r}, " if fold else ""
                    raise BadRequest(f"{where}task {name!r}: {why}")


def _fold(
    name: str, plan: runs.Plan, clips: cached.CachedClips, device: str
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains one fold in closed form or by the loop, and returns its result."""
    tasks, shapes = plan.problem.tasks, clips.shapes
    chosen = clips.only(plan.problem.folds[name]["train"])
    module = plan.head.solve(chosen.batch(np.arange(len(chosen))), shapes, tasks)
    if module is not None:
        return result(name, plan, module, clips, device, [])
    module = begin(plan.head, shapes, tasks, plan.training)
    log = yield from run_loop(name, plan, module, chosen, device)
    return result(name, plan, module, clips, device, log)


class Narrowed(Clips, Protocol):
    """Clips of a problem that can be narrowed to some of them."""

    def only(self, chosen: NDArray[np.int64]) -> Clips:
        """The same clips narrowed to these."""


def run_loop(
    fold: str, plan: runs.Plan, module: nn.Module, clips: Clips, device: str
) -> Generator[Trained, None, list[dict[str, Any]]]:
    """Trains a module on one stream of clips, yields every step and returns the log."""
    tasks = plan.problem.tasks
    steps = []
    for step in train(module, plan.head, tasks, [Stream(clips, tuple(tasks))], plan.training, device):
        steps.append(step)
        yield Trained(fold, step)
    # losses are read from the device once, at the end
    return [{"step": step.step, "epoch": step.epoch, "loss": float(step.loss)} for step in steps]


def result(
    name: str, plan: runs.Plan, module: nn.Module, clips: Narrowed, device: str, log: list[dict[str, Any]]
) -> runs.FoldResult:
    """What a trained module says of every split of its fold."""
    splits = plan.problem.folds[name]
    predictions = {
        split: predict(module, clips.only(some), list(plan.problem.tasks), device) for split, some in splits.items()
    }
    return runs.FoldResult(name, module, log, predictions)
