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
from ego.heads._train import Clips, Predicted, Step, Stream, begin, predict, train
from ego.media.decode import Decoder
from ego.pipeline import cached, controls, runs, tails
from ego.pipeline.averaging import Looked, averaged
from ego.pipeline.clips import Problem, problem
from ego.pipeline.looks import check_causal
from ego.pipeline.recipe import Recipe
from ego.video import Array


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
    above = tails.tails_of(plan.head, recipe.extractors, at.files)
    clips = stored_clips(plan, entries, at, above)
    shapes = tails.shapes_after(clips.shapes, plan.head, above)
    clips = cached.with_targets(clips, plan.head, recipe, entries, shapes, at.store)
    clips = controls.with_controls(clips, plan.sampling)
    results = []
    for name in plan.problem.folds:
        results.append((yield from _fold(name, plan, clips, shapes, above, at)))
    yield finish(plan, results, recipe, at)


def planned(
    deed: str, recipe: Recipe, at: Workplace, folds: Sequence[str], live: Collection[str] = ()
) -> tuple[runs.Plan, cached.Entries]:
    """The plan of a run and the entries it reads, all there; extractors named in `live` read none."""
    head = head_of(recipe)
    learnt = problem(recipe, at.root, at.decoder, at.store, at.rehash, at.skip_missing).only(folds)
    extractors = cached.sources(head, recipe)
    for own, extractor in extractors.items():
        check_causal(own, extractor, recipe.sampling)
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
    plan: runs.Plan, entries: cached.Entries, at: Workplace, above: Mapping[str, tails.Tail] | None = None
) -> cached.CachedClips:
    """All clips of the plan with the features that come from the store; those that tails give do not."""
    features = tails.stored_features(plan.head, above or {})
    return cached.read_clips(plan.problem, entries, features, at.store, plan.sampling)


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
    name: str,
    plan: runs.Plan,
    clips: cached.CachedClips,
    shapes: Mapping[str, Array],
    above: Mapping[str, tails.Tail],
    at: Workplace,
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains one fold in closed form or by the loop, and returns its result."""
    tasks = plan.problem.fitted(name)
    tasks = {one: tasks[one] for one in plan.problem.trained}
    chosen = controls.with_permuted_targets(clips.only(plan.problem.folds[name]["train"]), plan.sampling)
    module = plan.head.solve(chosen.batch(np.arange(len(chosen))), shapes, tasks) if plan.head.solves else None
    if module is not None:
        return result(name, plan, module, clips, at.device, [])
    module = begin(plan.head, shapes, tasks, plan.training)
    module = tails.joined(module, above, plan.head.tail_norms, at.files)
    log = yield from run_loop(name, plan, module, chosen, at.device)
    return result(name, plan, module, clips, at.device, log)


class Narrowed(Clips, Protocol):
    """Clips of a problem that can be narrowed to some of them."""

    def only(self, chosen: NDArray[np.int64]) -> "Narrowed":
        """The same clips narrowed to these."""

    def looked(self) -> Looked:
        """Every look at every clip, as they are tested."""


def run_loop(
    fold: str, plan: runs.Plan, module: nn.Module, clips: Clips, device: str
) -> Generator[Trained, None, list[dict[str, Any]]]:
    """Trains a module on one stream of clips, yields every step and returns the log."""
    tasks = plan.problem.fitted(fold)
    steps = []
    for step in train(module, plan.head, tasks, [Stream(clips, plan.problem.trained)], plan.training, device):
        steps.append(step)
        yield Trained(fold, step)
    # losses are read from the device once, at the end
    return [{"step": step.step, "epoch": step.epoch, "loss": float(step.loss)} for step in steps]


def result(
    name: str, plan: runs.Plan, module: nn.Module, clips: Narrowed, device: str, log: list[dict[str, Any]]
) -> runs.FoldResult:
    """What a trained module says of every split of its fold."""
    splits = plan.problem.folds[name]
    found = {split: said(plan, module, clips.only(some), some, device) for split, some in splits.items()}
    return runs.FoldResult(name, module, log, found)


def said(
    plan: runs.Plan, module: nn.Module, clips: Narrowed, chosen: NDArray[np.int64], device: str
) -> dict[str, Predicted]:
    """The predictions of all tasks on the chosen clips: those trained, and those that follow from them."""
    problem, looked = plan.problem, clips.looked()
    found = predict(module, looked.clips, problem.trained, device)
    both = {name: averaged(one, looked, problem.tasks[name], plan.sampling.average) for name, one in found.items()}
    for name, task in problem.tasks.items():
        if task.of:
            scores = task.combine({one: both[one].predictions for one in task.of})
            both[name] = Predicted(scores, problem.labels[name][chosen], problem.labelled[name][chosen])
    return both
