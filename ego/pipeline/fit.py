"""`ego fit-heads`: clips -> keys -> rows in memory -> head -> the loop -> a run. No pixel is decoded."""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files
from ego.heads._base import Head
from ego.heads._deal import Clips, Stream
from ego.heads._lbfgs import minimise
from ego.heads._train import Loop, Predicted, Step, begin, predict
from ego.media.decode import Decoder
from ego.pipeline import cached, controls, runs, tails
from ego.pipeline.averaging import Looked, averaged
from ego.pipeline.best import BestOnTest
from ego.pipeline.checkpoint import Checkpoints
from ego.pipeline.clips import Problem, problem
from ego.pipeline.embeddings import of_tested
from ego.pipeline.held_out import chances, held_out
from ego.pipeline.learnable import check_learnable, check_shown
from ego.pipeline.log import Log
from ego.pipeline.looks import check_causal
from ego.pipeline.packs import Packs
from ego.pipeline.provenance import check_extractors
from ego.pipeline.recipe import Recipe
from ego.pipeline.resident import on_device
from ego.pipeline.start import begun
from ego.video import Array

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
    `skip_missing` goes on without videos that are not there or not in the store; `tell` hears how many. Training is
    saved every `checkpoint_seconds`, so that it goes on after it was cut off. `packs` keeps rows that were read for the
    next run. `compiled` compiles the training step.
    """

    root: Path
    store: FeatureStore
    files: Files
    decoder: Decoder
    out: Path
    device: str = "cpu"
    rehash: bool = False
    skip_missing: bool = False
    tell: Callable[[str], None] = lambda words: None
    checkpoint_seconds: float = 60.0
    packs: Packs = field(default_factory=lambda: Packs(None))
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
    above = tails.tails_of(plan.head, recipe.extractors, at.files)
    clips = stored_clips(plan, entries, at, above)
    check_shown(clips, at.tell)
    shapes = tails.shapes_after(clips.shapes, plan.head, above)
    clips = cached.with_targets(clips, plan.head, recipe, entries, shapes, at.store)
    if not plan.head.solves:  # what is solved at once is solved on the CPU
        clips = on_device(clips, at.device)
    results = []
    for name in plan.problem.folds:
        done = yield from _fold(name, plan, clips, shapes, above, at)
        results.append(
            replace(done, shapes=shapes, embedded=of_tested(done.module, clips, plan.problem, name, at.device))
        )
    yield finish(plan, results, recipe, at)


def planned(
    deed: str, recipe: Recipe, at: Workplace, folds: Sequence[str], live: Collection[str] = ()
) -> tuple[runs.Plan, cached.Entries]:
    """The plan of a run and the entries its clips read, all there; those named in `live` read what they hold alone."""
    head = head_of(recipe)
    learnt = problem(recipe, at.root, at.decoder, at.store, at.rehash, at.skip_missing).only(folds)
    extractors = cached.sources(head, recipe)
    for own, extractor in extractors.items():
        check_causal(own, extractor, recipe.sampling)
    targets = {own: one for task in learnt.tasks.values() for own, one in cached.target_sources(task, recipe).items()}
    read = {own: one for own, one in (targets | extractors).items() if own not in live or own in targets}
    if not at.skip_missing:  # told before anyone extracts for hours
        check_extractors(targets | extractors, at.files, learnt)
    learnt = stored_problem(learnt, read, {own: extractors[own] for own in live}, recipe, at)
    entries = {own: cached.keys(learnt, one) for own, one in read.items()}
    held = cached.held_entries({own: extractors[own] for own in live}, learnt)
    features = {
        own: {"extractor": one.digest, "live": own in live, "labels": own in targets}
        for own, one in (targets | extractors).items()
    }
    keys = [key for some in {**entries, **held}.values() for key in some.values()]
    inherited = check_extractors(targets | extractors, at.files, learnt)
    seen = {own: some for own, some in entries.items() if own in extractors and own not in live}
    return runs.Plan(deed, learnt, head, recipe.sampling, recipe.training, features, keys, inherited), seen


def stored_problem(
    learnt: Problem, read: Mapping[str, Extractor], live: Mapping[str, Extractor], recipe: Recipe, at: Workplace
) -> Problem:
    """The problem as far as its videos are in the store: all of it, or with `skip_missing` without the others.

    Of extractors that are `read` their entries must be there, of those that run `live` the entries of what they hold.
    """
    wanted = {own: cached.keys(learnt, one) for own, one in read.items()} | cached.held_entries(live, learnt)
    missing = cached.not_stored(wanted, at.store) if at.skip_missing else set()
    left = learnt.without(missing) if missing else learnt
    if missing and left.folds:
        at.tell(f"going on without {len(missing)} of {len(learnt.videos)} videos, which are not in the store")
        return left
    cached.check_stored(wanted, recipe, learnt, at.root, at.store, at.skip_missing)
    return learnt


def stored_clips(
    plan: runs.Plan, entries: cached.Entries, at: Workplace, above: Mapping[str, tails.Tail] | None = None
) -> cached.CachedClips:
    """All clips of the plan with the features that come from the store; those that tails give do not."""
    features = tails.stored_features(plan.head, above or {})
    clips = cached.read_clips(plan.problem, entries, features, at.store, plan.sampling, at.packs)
    clips = controls.with_controls(clips, plan.sampling)
    if not plan.head.pooled or above:
        return clips
    return replace(clips, columns={name: replace(column, pooled=True) for name, column in clips.columns.items()})


def finish(plan: runs.Plan, results: Sequence[runs.FoldResult], recipe: Recipe, at: Workplace) -> Finished:
    """Writes the run; what was saved while it was trained goes, and rows that were read stay for the next."""
    about = {
        "name": recipe.name,
        "settings": list(recipe.settings),
        "dataset": recipe.dataset.describe() if recipe.dataset else None,
        "extractors": {own: one.describe() for own, one in recipe.extractors.items()},
        "data": str(at.root.absolute()),
        "store": list(at.store.places),
    }
    folder = runs.write(at.out, plan, results, about, recipe.text)
    Checkpoints(at.out, plan.digest, at.checkpoint_seconds).remove()
    at.packs.keep()
    return Finished(folder, runs.read(folder) or {}, found=False)


def head_of(recipe: Recipe) -> Head:
    """The recipe's head; a recipe without one is a BadRequest."""
    if recipe.head is None:
        raise BadRequest(f"the recipe {recipe.path} has no [head], expected one to train")
    return recipe.head


def _fold(
    name: str,
    plan: runs.Plan,
    clips: cached.CachedClips,
    shapes: Mapping[str, Array],
    above: Mapping[str, tails.Tail],
    at: Workplace,
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains one fold in closed form, on all clips at once or by the loop, and returns its result."""
    tasks = plan.problem.fitted(name)
    tasks = {one: tasks[one] for one in plan.problem.trained}
    chosen = clips.only(plan.problem.folds[name]["train"])
    module = plan.head.solve(chosen.batch(np.arange(len(chosen))), shapes, tasks) if plan.head.solves else None
    if module is not None:
        return result(name, plan, module, clips, at.device)
    module = begin(plan.head, shapes, tasks, plan.training)
    module = tails.joined(module, above, plan.head.tail_norms, at.files)
    module = begun(module, plan.head, at.files, plan.problem.tested(name))
    if plan.training.optimiser != "lbfgs":
        return (yield from run_loop(name, plan, module, clips, at))
    log = Log()
    for step in minimise(module, plan.head, tasks, chosen, plan.training, at.device):
        log.add(step)
        yield Trained(name, step)
    return replace(result(name, plan, module, clips, at.device), log=log.lines())


class Narrowed(Clips, Protocol):
    """Clips of a problem that can be narrowed to some of them."""

    @property
    def shapes(self) -> dict[str, Array]:
        """What a row of each feature is."""

    def only(self, chosen: NDArray[np.int64]) -> "Narrowed":
        """The same clips narrowed to these."""

    def looked(self) -> Looked:
        """Every look at every clip, as they are tested."""


def run_loop(
    fold: str, plan: runs.Plan, module: nn.Module, clips: Narrowed, at: Workplace
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains a module on a fold's clips, yields every step and returns the fold's result.

    It begins where an earlier one of the same plan was cut off, as far as that was saved.
    """
    learnt, training, number = plan.problem, plan.training, list(plan.problem.folds).index(fold)
    kept, held = held_out(learnt, learnt.folds[fold]["train"], training)
    shown = controls.with_permuted_targets(clips.only(kept), plan.sampling)
    stream = Stream(shown, learnt.trained, chances=chances(learnt, kept, training))
    aside = clips.only(held) if len(held) else None
    loop = Loop(module, plan.head, learnt.fitted(fold), [stream], training, at.device, aside, at.compiled)
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


def result(
    name: str, plan: runs.Plan, module: nn.Module, clips: Narrowed, device: str, tested_only: bool = False
) -> runs.FoldResult:
    """What a trained module says of every split of its fold, or of those alone that it is not trained on."""
    splits = {split: some for split, some in plan.problem.folds[name].items() if split != "train" or not tested_only}
    found = {split: said(plan, module, clips.only(some), some, device) for split, some in splits.items()}
    return runs.FoldResult(name, module, [], found, clips.shapes)


def said(
    plan: runs.Plan, module: nn.Module, clips: Narrowed, chosen: NDArray[np.int64], device: str
) -> dict[str, Predicted]:
    """The predictions of all tasks on the chosen clips: those trained, and those that follow from them."""
    looked = clips.looked()
    return combined(plan, predict(module, looked.clips, plan.problem.trained, device), looked, chosen)


def combined(
    plan: runs.Plan, found: Mapping[str, Predicted], looked: Looked, chosen: NDArray[np.int64]
) -> dict[str, Predicted]:
    """The predictions of all tasks on the chosen clips from those on every look at them."""
    problem = plan.problem
    both = {name: averaged(one, looked, problem.tasks[name], plan.sampling.average) for name, one in found.items()}
    for name, task in problem.tasks.items():
        if task.of:
            scores = task.combine({one: both[one].predictions for one in task.of})
            both[name] = Predicted(scores, problem.labels[name][chosen], problem.labelled[name][chosen])
    return both
