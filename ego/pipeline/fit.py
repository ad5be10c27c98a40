"""`ego fit-heads`: clips -> keys -> rows in memory -> head -> the loop -> a run. No pixel is decoded."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.heads._base import Head
from ego.heads._train import Clips, Step, Stream, begin, predict, train
from ego.pipeline import cached, runs
from ego.pipeline.clips import Problem, problem
from ego.pipeline.recipe import Recipe
from ego.pipeline.scan import Prober
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


def fit(
    recipe: Recipe,
    root: Path,
    store: FeatureStore,
    decoder: Prober,
    out: Path,
    *,
    device: str = "cpu",
    folds: tuple[str, ...] = (),
    rehash: bool = False,
) -> Iterator[Trained | Finished]:
    """Trains the recipe's head on stored features, fold by fold, and last yields the finished run.

    `root` is where the data set lies. A run that is there already is not trained again. What is not
    in the store is a NotExtracted that gives the command which extracts it.
    """
    head = head_of(recipe)
    learnt = problem(recipe, root, decoder, store, rehash).only(folds)
    extractors = cached.sources(head, recipe)
    entries = {own: cached.keys(learnt, extractor) for own, extractor in extractors.items()}
    cached.check_stored({own: some.values() for own, some in entries.items()}, recipe, learnt, root, store)
    plan = runs.Plan(
        deed="fit-heads",
        problem=learnt,
        head=head,
        training=recipe.training,
        features={own: {"extractor": extractor.digest} for own, extractor in extractors.items()},
        keys=[key for some in entries.values() for key in some.values()],
    )
    if (metrics := runs.read(plan.path(out))) is not None:
        yield Finished(plan.path(out), metrics, found=True)
        return
    check_learnable(learnt)
    columns = cached.read_columns(learnt, entries, head.features, store, recipe.training.rows)
    clips = cached.CachedClips(columns, learnt, np.arange(len(learnt.clips)))
    shapes = {name: column.array for name, column in columns.items()}
    results = []
    for name in learnt.folds:
        results.append((yield from _fold(name, plan, clips, shapes, device)))
    folder = runs.write(out, plan, results, {"name": recipe.name, "settings": list(recipe.settings)}, recipe.text)
    yield Finished(folder, runs.read(folder) or {}, found=False)


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
    name: str, plan: runs.Plan, clips: cached.CachedClips, shapes: Mapping[str, Array], device: str
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains one fold in closed form or by the loop, and returns its result."""
    tasks = plan.problem.tasks
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
