"""`ego finetune`: the head and the networks it reads learn together, from decoded windows."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from ego.commands._learning import Lesson, learns, tell, watch
from ego.report.text import one_line

if TYPE_CHECKING:
    from ego.pipeline.finetune import Frozen
    from ego.pipeline.fit import Finished, Trained
    from ego.pipeline.parity import Parity


@click.command()
@learns
def command(lesson: Lesson, as_json: bool, quiet: bool) -> None:
    """Train the recipe's head and the networks it reads, joined, on decoded windows.

    Networks with weights run live, on pictures, on sound and on the stored rows of what they hold; whatever
    else the head reads comes from the store, and it is said what of that keeps its weights as they are. Where
    the store has entries of a live network, it is first checked that live equals cached. Each step's loss is
    printed.

    \b
    Examples:
      ego finetune recipes/gtea_finetune.toml --data gtea/ --store features/
      ego finetune recipes/gtea_finetune.toml --data gtea/ --store features/ --fold S2_Cheese_C1
    """
    from ego.pipeline.finetune import finetune

    events = finetune(lesson.recipe, lesson.at, lesson.folds)
    tell(watch(_printed(events, as_json, quiet), True), as_json)


def _printed(
    events: "Iterable[Frozen | Parity | Trained | Finished]", as_json: bool, quiet: bool
) -> "Iterator[Trained | Finished]":
    """Prints what stays frozen, parities and steps as they come, and hands the rest on."""
    from ego.pipeline.finetune import Frozen
    from ego.pipeline.fit import Trained
    from ego.pipeline.parity import Parity

    for event in events:
        if isinstance(event, Frozen):
            words = f"not trained: {event.own} ({event.extractor}) is read from the store, since {event.why}"
            click.echo(words, err=True)
            continue
        if isinstance(event, Parity):
            if not quiet:
                name = one_line(event.video.name)
                words = f"live equals cached: {name}, {event.rows} rows within {event.distance:.2g} (relative L2)"
                click.echo(words, err=True)
            continue
        if isinstance(event, Trained) and not quiet:
            facts = {"fold": event.fold, "step": event.step.step, "loss": round(float(event.step.loss), 4)}
            steps = f"{one_line(event.fold)}  step {event.step.step}/{event.step.total}"
            click.echo(json.dumps(facts) if as_json else f"{steps}  loss {float(event.step.loss):.4f}")
        yield event
