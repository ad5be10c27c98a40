"""`ego fit-heads --seeds --sweep`: many settings of a recipe, each its own run, trained at once where that goes."""

import os
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np

from ego.errors import BadRequest, EgoError, meant
from ego.heads._deal import Stream
from ego.heads._stacked import Stacked, StackedStep, Together, together
from ego.heads._train import Predicted, Step, predict
from ego.heads._training import Training
from ego.pipeline import cached, runs
from ego.pipeline.embeddings import of_tested
from ego.pipeline.fit import (
    Finished,
    Trained,
    Workplace,
    combined,
    finish,
    fit,
    head_of,
    planned,
    stored_clips,
)
from ego.pipeline.held_out import chances
from ego.pipeline.learnable import check_learnable, check_shown
from ego.pipeline.recipe import Recipe
from ego.pipeline.resident import on_device

MOST_TOGETHER = 256
"""How many settings share one computation: their weights and what Adam keeps of them lie in memory together."""


@dataclass(frozen=True)
class Variant:
    """A recipe with some values of its own: `words` say which, as `--set` would, apart from the seed."""

    words: tuple[str, ...]
    seed: int
    recipe: Recipe


@dataclass(frozen=True)
class Swept:
    """One variant that is done: its run, or why there is none."""

    variant: Variant
    run: Finished | None
    error: str = ""


Apart = Callable[[Variant], None]
"""Makes the run of one variant in another process, or raises an EgoError."""


def settings_of(sweeps: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of `NAME=VALUE,VALUE...`, as `--set`s; a NAME without a dot is a field of the training."""
    axes: list[list[str]] = []
    for sweep in sweeps:
        name, equals, text = sweep.partition("=")
        values = [one.strip() for one in re.split(r",(?![^\[]*\])", text)]
        if not equals or not name or not all(values):
            raise BadRequest(f"got --sweep {sweep!r:.120}, expected NAME=VALUE,VALUE such as lr=1e-4,3e-4")
        known = [field.name for field in fields(Training)]
        if "." not in name and name not in known:
            raise BadRequest(
                f"got --sweep {name!r:.120}{meant(name, known)}, expected PART.FIELD or one of: {', '.join(known)}"
            )
        full = name if "." in name else f"training.{name}"
        if any(axis[0].startswith(f"{full}=") for axis in axes):
            own = full.removeprefix("training.")
            raise BadRequest(f"got --sweep {own} twice, expected all its values in one, such as lr=1e-4,3e-4")
        if full == "training.seed":
            raise BadRequest("got --sweep seed, expected --seeds such as 0..9")
        axes.append([f"{full}={value}" for value in dict.fromkeys(values)])
    return list(product(*axes))


def seeds_of(text: str) -> list[int]:
    """The seeds of `0..9` (both included) or `0,1,5`."""
    ends = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", text.strip())
    if ends and int(ends[1]) <= int(ends[2]) < int(ends[1]) + 10_000:
        return list(range(int(ends[1]), int(ends[2]) + 1))
    if re.fullmatch(r"\d{1,9}(,\d{1,9})*", text.strip()):
        return list(dict.fromkeys(map(int, text.split(","))))
    raise BadRequest(f"got --seeds {text!r:.60}, expected such as 0..9 or 0,1,5")


def sweep(
    variants: Sequence[Variant], at: Workplace, folds: Sequence[str], apart: Apart, jobs: int = 1
) -> Iterator[Trained | Swept]:
    """Makes the run of every variant that is not there yet, and yields each as it is done.

    Variants that differ in rate, decay and seed alone, of a head that allows it, are trained together; the others
    one by one here, or with several `jobs` by `apart`.
    """
    plans = list(_plans(variants, at, folds))
    left: dict[object, list[int]] = {}
    for number, (variant, (plan, _)) in enumerate(zip(variants, plans, strict=True)):
        if (metrics := runs.read(plan.path(at.out))) is not None:
            yield Swept(variant, Finished(plan.path(at.out), metrics, found=True))
            continue
        shared = together(plan.head, plan.training)
        key: object = (shared, plan.head.digest, plan.sampling.digest, id(plan.problem)) if shared else number
        left.setdefault(key, []).append(number)
    alone = [numbers[0] for numbers in left.values() if len(numbers) == 1]
    for numbers in left.values():
        for start in range(0, len(numbers) if len(numbers) > 1 else 0, MOST_TOGETHER):
            some = numbers[start : start + MOST_TOGETHER]
            yield from _together([variants[i] for i in some], [plans[i][0] for i in some], plans[some[0]][1], at)
    if jobs > 1 and len(alone) > 1:
        yield from _side_by_side([(variants[i], plans[i][0]) for i in alone], at, apart, jobs)
        return
    for number in alone:
        yield from _one(variants[number], at, folds)


def _plans(
    variants: Sequence[Variant], at: Workplace, folds: Sequence[str]
) -> Iterator[tuple[runs.Plan, cached.Entries]]:
    """The plan and entries of each; the data set is read once for those that ask the same of it."""
    known: dict[object, tuple[runs.Plan, cached.Entries]] = {}
    for variant in variants:
        recipe = variant.recipe
        head = head_of(recipe)
        parts = (*recipe.extractors.items(), *recipe.tasks.items(), ("", recipe.dataset))
        asked = (head.features, head.tails, recipe.sampling, tuple((name, one and one.digest) for name, one in parts))
        if asked not in known:
            known[asked] = planned("fit-heads", recipe, at, folds)
            check_learnable(known[asked][0].problem)
        plan, entries = known[asked]
        yield replace(plan, head=head, sampling=recipe.sampling, training=recipe.training), entries


def _one(variant: Variant, at: Workplace, folds: Sequence[str]) -> Iterator[Trained | Swept]:
    try:
        for event in fit(variant.recipe, at, folds):
            yield Swept(variant, event) if isinstance(event, Finished) else event
    except BadRequest as error:
        yield Swept(variant, None, str(error))


def _side_by_side(left: Sequence[tuple[Variant, runs.Plan]], at: Workplace, apart: Apart, jobs: int) -> Iterator[Swept]:
    with ThreadPoolExecutor(jobs) as threads:
        started = {threads.submit(apart, variant): (variant, plan) for variant, plan in left}
        for future in as_completed(started):
            variant, plan = started[future]
            try:
                future.result()
                folder = plan.path(at.out)
                yield Swept(variant, Finished(folder, runs.read(folder) or {}, found=False))
            except EgoError as error:
                yield Swept(variant, None, str(error))


def _together(
    variants: Sequence[Variant], plans: Sequence[runs.Plan], entries: cached.Entries, at: Workplace
) -> Iterator[Trained | Swept]:
    """Trains variants as one computation, fold by fold, and writes the run of each."""
    first = plans[0]
    clips = stored_clips(first, entries, at)
    check_shown(clips, at.tell)
    clips = cached.with_targets(clips, first.head, variants[0].recipe, entries, clips.shapes, at.store)
    clips = on_device(clips, at.device)
    results: list[list[runs.FoldResult]] = [[] for _ in plans]
    spoilt: dict[int, str] = {}
    for fold in first.problem.folds:
        trained, steps = yield from _fold(fold, plans, clips, at)
        lost = np.zeros(len(plans), bool)
        for step in steps:
            lost |= ~np.isfinite(step.losses.cpu().numpy())
        for place in np.flatnonzero(lost).tolist():
            lower = f"set training.lr below {plans[place].training.lr:g}"
            spoilt[place] = f"the loss is no longer finite; {lower}"
        for some, one in zip(results, _results(fold, plans, trained, clips, steps, at.device), strict=True):
            some.append(one)
    for place, (variant, plan) in enumerate(zip(variants, plans, strict=True)):
        if place in spoilt:
            yield Swept(variant, None, spoilt[place])
        else:
            yield Swept(variant, finish(plan, results[place], variant.recipe, at))


def _fold(
    fold: str, plans: Sequence[runs.Plan], clips: cached.CachedClips, at: Workplace
) -> Generator[Trained, None, tuple[Together, list[StackedStep]]]:
    plan = plans[0]
    learnt, train = plan.problem, plan.problem.folds[fold]["train"]
    stream = Stream(clips.only(train), learnt.trained, chances=chances(learnt, train, plan.training))
    trainings = [one.training for one in plans]
    tasks = learnt.fitted(fold)
    trained = {name: tasks[name] for name in learnt.trained}
    stacked = Stacked(plan.head, clips.shapes, tasks, trained, stream, trainings, at.device)
    steps = []
    for step in stacked:
        steps.append(step)
        yield Trained(fold, Step(step.step, step.total, step.epoch, step.losses.mean()))
    return stacked.all(), steps


def _results(
    fold: str,
    plans: Sequence[runs.Plan],
    trained: Together,
    clips: cached.CachedClips,
    steps: Sequence[StackedStep],
    device: str,
) -> Iterator[runs.FoldResult]:
    """What each variant says of every split: clips are gathered once for all of them."""
    problem = plans[0].problem
    splits = problem.folds[fold]
    looked = {split: clips.only(some).looked() for split, some in splits.items()}
    said = {split: predict(trained, some.clips, problem.trained, device) for split, some in looked.items()}
    losses = np.stack([step.losses.cpu().numpy() for step in steps])
    for place, plan in enumerate(plans):
        mine = {
            split: {name: Predicted(one.predictions[..., place], one.labels, one.mask) for name, one in some.items()}
            for split, some in said.items()
        }
        lines: list[dict[str, Any]] = [
            {"step": step.step, "epoch": step.epoch, "lr": plan.training.lr * step.share, "loss": float(loss)}
            for step, loss in zip(steps, losses[:, place], strict=True)
        ]
        found = {split: combined(plan, some, looked[split], splits[split]) for split, some in mine.items()}
        module = trained.one(place)
        embedded = of_tested(module, clips, problem, fold, device)
        yield runs.FoldResult(fold, module, lines, found, clips.shapes, embedded=embedded)


def jobs_for(device: str, asked: int | None) -> int:
    """How many processes train side by side: as many as asked, else one a core, on a GPU one."""
    return asked or (1 if device != "cpu" else os.cpu_count() or 1)
