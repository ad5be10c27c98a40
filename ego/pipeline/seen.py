"""The clips of a problem as a run's modules see them: from the store, or live where networks were trained too."""

from ego.pipeline import cached, runs, tails
from ego.pipeline.cached import CachedClips
from ego.pipeline.clips import Problem
from ego.pipeline.fit import Workplace, stored_clips, stored_problem
from ego.pipeline.live import LiveClips, decode
from ego.pipeline.read_run import Run


def plan_of(run: Run, problem: Problem) -> runs.Plan:
    """The run's plan on another problem: what its modules read and how they look at it."""
    recipe = run.recipe
    return runs.Plan("evaluate", problem, run.head, recipe.sampling, recipe.training, {}, [])


def stored(run: Run, problem: Problem, at: Workplace) -> Problem:
    """The problem as far as all that the run reads of it is in the store; see `stored_problem`."""
    recipe, extractors = run.recipe, cached.sources(run.head, run.recipe)
    targets = {own: one for task in problem.tasks.values() for own, one in cached.target_sources(task, recipe).items()}
    read = targets | {own: one for own, one in extractors.items() if own not in run.live}
    return stored_problem(problem, read, run.live, recipe, at)


def clips_of(run: Run, problem: Problem, at: Workplace, labelled: bool = True) -> CachedClips | LiveClips:
    """All clips of a problem; what they read must be in the store.

    Unless they are `labelled`, tasks of steps have no labels, and what holds these is not read.
    """
    recipe, head = run.recipe, run.head
    extractors = {own: one for own, one in cached.sources(head, recipe).items() if own not in run.live}
    entries = {own: cached.keys(problem, one) for own, one in extractors.items()}
    clips = stored_clips(plan_of(run, problem), entries, at, tails.tails_of(head, recipe.extractors, at.files))
    if not run.live:
        return cached.with_targets(clips, head, recipe, entries, run.shapes, at.store) if labelled else clips
    shown = {
        own: decode(problem, network, at.decoder, at.store, recipe.sampling.rows)[0]
        for own, network in run.live.items()
    }
    arrays = {own: {name: one for name, one in run.shapes.items() if name.partition(".")[0] == own} for own in run.live}
    return LiveClips(clips, shown, arrays)
