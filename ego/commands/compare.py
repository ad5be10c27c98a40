"""`ego compare`: runs beside one another, with what chance could have done."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ego.commands._figures import figure
from ego.report.text import columns

if TYPE_CHECKING:
    from ego.pipeline.compare import Comparison, Unit


@click.command()
@click.argument("folders", metavar="RUN RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--split", default="validation", show_default=True, metavar="NAME", help="The clips of this split.")
@click.option("--task", metavar="NAME", help="This task only. [default: all that the runs share]")
@click.option("--metric", metavar="NAME", help="This figure. [default: the task's leading one]")
@click.option(
    "--by",
    "unit",
    type=click.Choice(["clip", "video"]),
    default="clip",
    show_default=True,
    help="What is drawn with replacement: clips of one video are alike.",
)
@click.option("--draws", type=click.IntRange(min=100), default=1000, show_default=True, metavar="N", help="How often.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the drawing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line of the table on stdout.")
def command(
    folders: tuple[Path, ...], split: str, task: str | None, metric: str | None, unit: "Unit", draws: int, seed: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Hold runs against the first one, on the clips that both tested, by a paired bootstrap.

    Clips are the same where their video's bytes and their seconds are; runs on other clips, labels or classes are
    refused. The difference is the run's figure less the first's, in its own unit; between low and high lie 95 % of
    the draws; p is two-sided.

    \b
    Examples:
      ego compare runs/0123456789abcdef runs/fedcba9876543210
      ego compare runs/0123456789abcdef runs/fedcba9876543210 --by video --metric mean_class_accuracy
    """
    from ego.pipeline.compare import Drawing, compare
    from ego.pipeline.read_run import open_run

    found = compare([open_run(folder) for folder in folders], split, task, metric, Drawing(draws, unit, seed))
    if as_json:
        for one in found:
            click.echo(json.dumps({"first": str(folders[0]), "run": str(one.run.folder), **_facts(one)}))
        return
    head = ["run", "task", "figure", "first", "this", "difference", "low", "high", "p", "clips", "left out"]
    click.echo(columns([_cells(one) for one in found], head))


def _facts(one: "Comparison") -> dict[str, object]:
    names = ("task", "metric", "first", "figure", "difference", "low", "high", "p", "clips", "left_out")
    facts: dict[str, object] = {name: getattr(one, name) for name in names}
    return {("first_figure" if name == "first" else name): value for name, value in facts.items()}


def _cells(one: "Comparison") -> list[object]:
    first, this = (figure(one.metric, value) for value in (one.first, one.figure))
    moved = [f"{value:+.4f}" for value in (one.difference, one.low, one.high)]
    return [one.run.folder.name, one.task, one.metric, first, this, *moved, f"{one.p:.4f}", one.clips, one.left_out]
