"""The clips of a problem as a run's modules see them: from the store, or live where networks were trained too."""

from dataclasses import replace

import numpy as np

from ego.errors import BadRequest
from ego.pipeline import cached
from ego.pipeline.cached import CachedClips, Column
from ego.pipeline.clips import Problem
from ego.pipeline.fit import Workplace, stored_problem
from ego.pipeline.live import LiveClips, decode
from ego.pipeline.read_run import Run


def stored(run: Run, problem: Problem, at: Workplace) -> Problem:
    """The problem as far as all that the run reads of it is in the store; see `stored_problem`."""
    recipe, extractors = run.recipe, cached.sources(run.head, run.recipe)
    targets = {own: one for task in problem.tasks.values() for own, one in cached.target_sources(task, recipe).items()}
    read = targets | {own: one for own, one in extractors.items() if own not in run.live}
    return stored_problem(problem, read, recipe, at)


def clips_of(run: Run, problem: Problem, at: Workplace, views: int = 1) -> list[CachedClips] | list[LiveClips]:
    """All clips of a problem, once for each view; what they read must be in the store.

    Of `views` each sees other rows: where the run sees `sampling.rows` rows of a part, the part is cut into so many
    times `views` moments, which are dealt to the views in turn.
    """
    recipe, head, rows = run.recipe, run.head, run.recipe.sampling.rows
    if views > 1 and (not rows or run.live or any(task.reads for task in problem.tasks.values())):
        raise BadRequest(
            f"got {views} views, which deal the rows of a clip: expected a run on stored features with sampling.rows "
            "above 0 and tasks that label clips"
        )
    extractors = {own: one for own, one in cached.sources(head, recipe).items() if own not in run.live}
    entries = {own: cached.keys(problem, one) for own, one in extractors.items()}
    columns = cached.read_columns(problem, entries, head.features, at.store, rows * views)
    whole = np.arange(len(problem.clips))
    if views > 1:
        return [
            CachedClips({name: _dealt(one, view, views) for name, one in columns.items()}, problem, whole)
            for view in range(views)
        ]
    clips = CachedClips(columns, problem, whole)
    if not run.live:
        return [cached.with_targets(clips, head, recipe, entries, clips.shapes, at.store)]
    shown = {own: decode(problem, network, at.decoder, rows)[0] for own, network in run.live.items()}
    arrays = {own: {name: one for name, one in run.shapes.items() if name.partition(".")[0] == own} for own in run.live}
    return [LiveClips(clips, shown, arrays)]


def _dealt(column: Column, view: int, views: int) -> Column:
    """The column with every `views`-th of its rows."""
    return replace(column, seen=column.seen[view::views], starts=column.starts // views, counts=column.counts // views)
