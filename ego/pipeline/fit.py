"""`ego fit-heads`: clips -> keys -> rows in memory -> head -> the loop -> a run. No pixel is decoded."""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ego.cache.pack import Pack
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.heads._base import Head
from ego.heads._deal import Clips, Stream
from ego.heads._train import Loop, Predicted, Step, begin, predict
from ego.media.decode import Decoder
from ego.pipeline import cached, runs
from ego.pipeline.best import BestOnTest
from ego.pipeline.checkpoint import Checkpoints
from ego.pipeline.clips import Problem, problem
from ego.pipeline.held_out import chances, held_out
from ego.pipeline.packs import keep
from ego.pipeline.recipe import Recipe

FOLD_SECONDS = 1.0
"""A fold that took less is trained again rather than saved."""


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
    `skip_missing` goes on without videos that are not there. Training is saved every `checkpoint_seconds`, so that it
    goes on after it was cut off. `packs` is where rows that were read are kept for the next run (None: nowhere).
    `compiled` compiles the training step.
    """

    root: Path
    store: FeatureStore
    files: Files
    decoder: Decoder
    out: Path
    device: str = "cpu"
    rehash: bool = False
    skip_missing: bool = False
    checkpoint_seconds: float = 60.0
    packs: Path | None = None
    compiled: bool = False


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
    fresh: list[tuple[Pack, str]] = []
    clips = stored_clips(plan, entries, at, fresh)
    clips = cached.with_targets(clips, plan.head, recipe, entries, clips.shapes, at.store)
    results = []
    for name in plan.problem.folds:
        results.append((yield from _fold(name, plan, clips, at)))
    done = finish(plan, results, recipe, at)
    if at.packs:
        keep(fresh, at.packs)
    yield done


def planned(
    deed: str, recipe: Recipe, at: Workplace, folds: Sequence[str], live: Collection[str] = ()
) -> tuple[runs.Plan, cached.Entries]:
    """The plan of a run and the entries it reads, all there; extractors named in `live` read none."""
    head = head_of(recipe)
    learnt = problem(recipe, at.root, at.decoder, at.store, at.rehash, at.skip_missing).only(folds)
    extractors = cached.sources(head, recipe)
    entries = {own: cached.keys(learnt, extractor) for own, extractor in extractors.items() if own not in live}
    targets = {own: one for task in learnt.tasks.values() for own, one in cached.target_sources(task, recipe).items()}
    labels = {own: cached.keys(learnt, one) for own, one in targets.items()}
    cached.check_stored(labels | entries, recipe, learnt, at.root, at.store, at.skip_missing)
    features = {
        own: {"extractor": one.digest, "live": own in live, "labels": own in targets}
        for own, one in (targets | extractors).items()
    }
    keys = [key for some in (labels | entries).values() for key in some.values()]
    return runs.Plan(deed, learnt, head, recipe.sampling, recipe.training, features, keys), entries


def stored_clips(
    plan: runs.Plan, entries: cached.Entries, at: Workplace, fresh: list[tuple[Pack, str]] | None = None
) -> cached.CachedClips:
    """All clips of the plan with the features that come from the store; packs to keep are added to `fresh`."""
    columns = cached.read_columns(
        plan.problem, entries, plan.head.features, at.store, plan.sampling.rows, at.packs, fresh
    )
    if plan.head.pooled:
        columns = {name: replace(column, pooled=True) for name, column in columns.items()}
    return cached.CachedClips(columns, plan.problem, np.arange(len(plan.problem.clips)))


def finish(plan: runs.Plan, results: Sequence[runs.FoldResult], recipe: Recipe, at: Workplace) -> Finished:
    """Writes the run; what was saved while it was trained goes."""
    folder = runs.write(at.out, plan, results, {"name": recipe.name, "settings": list(recipe.settings)}, recipe.text)
    Checkpoints(at.out, plan.digest, at.checkpoint_seconds).remove()
    return Finished(folder, runs.read(folder) or {}, found=False)


def head_of(recipe: Recipe) -> Head:
    """The recipe's head; a recipe without one is a BadRequest."""
    if recipe.head is None:
        raise BadRequest(f"the recipe {recipe.path} has no [head], expected one to train")
    return recipe.head


def check_learnable(learnt: Problem) -> None:
    """Nothing, or a BadRequest where a fold tests what it cannot have learnt."""
    for fold, splits in learnt.folds.items():
        for name in learnt.labels:
            task = learnt.tasks[name]
            labels = {
                split: learnt.labels[name][indices][learnt.labelled[name][indices]] for split, indices in splits.items()
            }
            for split, some in labels.items():
                if split != "train" and (why := task.unlearnable(labels["train"], some)):
                    where = f"fold {fold!r}, " if fold else ""
                    raise BadRequest(f"{where}task {name!r}: {why}")


def _fold(
    name: str, plan: runs.Plan, clips: cached.CachedClips, at: Workplace
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains one fold in closed form or by the loop, and returns its result."""
    tasks, shapes = plan.problem.trained_tasks, clips.shapes
    chosen = clips.only(plan.problem.folds[name]["train"])
    module = plan.head.solve(chosen.batch(np.arange(len(chosen))), shapes, tasks) if plan.head.solves else None
    if module is not None:
        return result(name, plan, module, clips, at.device)
    module = begin(plan.head, shapes, tasks, plan.training)
    return (yield from run_loop(name, plan, module, clips, at))


class Narrowed(Clips, Protocol):
    """Clips of a problem that can be narrowed to some of them."""

    def only(self, chosen: NDArray[np.int64]) -> Clips:
        """The same clips narrowed to these."""


def run_loop(
    fold: str, plan: runs.Plan, module: nn.Module, clips: Narrowed, at: Workplace
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains a module on a fold's clips, yields every step and returns the fold's result.

    It begins where an earlier one of the same plan was cut off, as far as that was saved.
    """
    learnt, training, number = plan.problem, plan.training, list(plan.problem.folds).index(fold)
    kept, held = held_out(learnt, learnt.folds[fold]["train"], training)
    stream = Stream(clips.only(kept), learnt.trained, chances=chances(learnt, kept, training))
    aside = clips.only(held) if len(held) else None
    loop = Loop(module, plan.head, learnt.tasks, [stream], training, at.device, aside, at.compiled)
    saved, best, log = Checkpoints(at.out, plan.digest, at.checkpoint_seconds), BestOnTest(plan), Log()
    if state := saved.read(number, at.device):
        loop.resume(state["loop"])
        log.resume(state["log"])
        best.found = state["best"]
    started = loop.done
    for step in loop:
        log.add(step)
        if training.best_on_test and step.ends:
            with loop.as_tested() as tested:
                best.see(step.epoch, result(fold, plan, tested, clips, at.device, tested_only=True))
        if saved.due:
            saved.save(number, {"loop": loop.state(), "log": log.lines(), "best": best.found})
        yield Trained(fold, step)
    if len(learnt.folds) > 1 and loop.done > started and saved.age_seconds >= FOLD_SECONDS:
        saved.save(number, {"loop": loop.state(), "log": log.lines(), "best": best.found})
    return replace(result(fold, plan, module, clips, at.device), log=log.lines(), best_on_test=best.found)


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


def result(
    name: str, plan: runs.Plan, module: nn.Module, clips: Narrowed, device: str, tested_only: bool = False
) -> runs.FoldResult:
    """What a trained module says of every split of its fold, or of those alone that it is not trained on."""
    splits = {split: some for split, some in plan.problem.folds[name].items() if split != "train" or not tested_only}
    found = {split: predict(module, clips.only(some), plan.problem.trained, device) for split, some in splits.items()}
    return result_of(name, plan, module, found)


def result_of(
    name: str, plan: runs.Plan, module: nn.Module, found: Mapping[str, Mapping[str, Predicted]]
) -> runs.FoldResult:
    """The result of a fold from what its module said of some splits."""
    splits = plan.problem.folds[name]
    return runs.FoldResult(
        name, module, [], {split: _combined(plan, some, splits[split]) for split, some in found.items()}
    )


def _combined(plan: runs.Plan, found: Mapping[str, Predicted], clips: NDArray[np.int64]) -> dict[str, Predicted]:
    """The predictions of all tasks: those trained, and those that follow from them."""
    problem, both = plan.problem, dict(found)
    for name, task in problem.tasks.items():
        if task.of:
            scores = task.combine({one: found[one].predictions for one in task.of})
            both[name] = Predicted(scores, problem.labels[name][clips], problem.labelled[name][clips])
    return both
