"""`ego fit-heads`: a head learns from stored features, in seconds."""

import click

from ego.commands._learning import Lesson, learns, tell, watch


@click.command()
@learns
def command(lesson: Lesson, as_json: bool, quiet: bool) -> None:
    """Train the recipe's head on features that are in the store; no pixel is decoded.

    Each fold of the data set is trained and tested apart, videos never shared between the two. The run
    is kept under runs/ by the digest of all that decides its numbers; asked again, it is only shown.

    \b
    Examples:
      ego fit-heads recipes/gtea.toml --data gtea/ --store features/
      ego fit-heads recipes/gtea.toml --data gtea/ --store features/ --set training.seed=1 --json
    """
    from ego.pipeline.fit import fit

    events = fit(lesson.recipe, lesson.at, lesson.folds)
    tell(watch(events, quiet or as_json), as_json)
