"""What `fit-heads` and `finetune` share: their options, the line that moves while they train, the table at the end."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.commands._figures import figure_rows, show
from ego.commands._request import skip_missing_option, store_option, tell_absent
from ego.report.text import one_line

if TYPE_CHECKING:
    from ego.pipeline.fit import Finished, Trained, Workplace
    from ego.pipeline.recipe import Recipe
    from ego.pipeline.weights import WeightFinder

Command = Callable[..., Any]

_options = [
    click.argument("recipe_path", metavar="RECIPE.toml"),
    click.option("--data", required=True, metavar="DIR", help="Where the recipe's data set lies."),
    store_option,
    click.option("--set", "settings", multiple=True, metavar="PART.FIELD=VALUE", help="One value of the recipe."),
    click.option("--out", default="runs", show_default=True, metavar="DIR", help="Where runs are kept."),
    click.option("--fold", "folds", multiple=True, metavar="NAME", help="This fold only; repeat it for more."),
    click.option("--weights", multiple=True, metavar="DIR", help="Where weights files lie. [$EGO_WEIGHTS]"),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    click.option("--decoder", "decoder_name", type=click.Choice(["auto", "decord", "pyav", "nvdec"]), default="auto",
                 show_default=True, help="What decodes."),
    click.option("--rehash", is_flag=True, help="Read every byte again instead of trusting name, size and date."),
    skip_missing_option,
    click.option("--save-every", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS",
                 help="How often training is saved, so that it goes on after it was cut off."),
    click.option("--compile", "compiled", is_flag=True, help="Compile the training step; it takes a minute first."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line of the table on stdout."),
    click.option("--quiet", is_flag=True, help="Nothing while training."),
]  # fmt: skip


@dataclass(frozen=True)
class Lesson:
    """What a command line asks to be learnt, and where."""

    recipe: "Recipe"
    at: "Workplace"
    folds: tuple[str, ...]
    finder: "WeightFinder"


def learns(command: Command) -> Command:
    """Adds the options of learning; the function gets a `Lesson`, `as_json` and `quiet`."""

    @wraps(command)
    def with_lesson(
        recipe_path: str, data: str, places: tuple[str, ...], settings: tuple[str, ...], out: str,
        folds: tuple[str, ...], weights: tuple[str, ...], device: str, decoder_name: Any, rehash: bool,
        skip_missing: bool, save_every: float, compiled: bool, **rest: Any,
    ) -> Any:  # fmt: skip
        from ego.cache.store import FeatureStore
        from ego.datasets._base import present
        from ego.media.decode import Decoder
        from ego.pipeline import recipe
        from ego.pipeline.device import device_of
        from ego.pipeline.fit import Workplace
        from ego.pipeline.packs import Packs, packs_folder
        from ego.pipeline.weights import WeightFinder

        finder = WeightFinder([Path(folder) for folder in weights])
        read = recipe.read(Path(recipe_path), settings, finder)
        with Decoder(decoder_name) as decoder:
            at = Workplace(
                Path(data), FeatureStore(*places), finder, decoder, Path(out), device_of(device), rehash, skip_missing,
                partial(click.echo, err=True), save_every, Packs(packs_folder()), compiled,
            )  # fmt: skip
            if skip_missing and read.dataset is not None:
                tell_absent(*present(read.dataset.read(Path(data)), skip_missing=True))
            return command(lesson=Lesson(read, at, folds, finder), **rest)

    wrapped: Command = with_lesson
    for option in reversed(_options):
        wrapped = option(wrapped)
    return wrapped


def watch(events: "Iterable[Trained | Finished]", quiet: bool) -> "Finished":
    """Draws the steps of training as they come, on stderr, and gives the finished run."""
    for event in watched(events, quiet):
        finished: Finished = event
        return finished
    raise RuntimeError("training ended without a run")


def watched(events: Iterable[Any], quiet: bool) -> Iterator[Any]:
    """Draws the steps of training as they come, on stderr, and hands on whatever is no step."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ego.pipeline.fit import Trained

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(compact=True), TextColumn("left"))
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        bars: dict[str, Any] = {}
        for event in events:
            if not isinstance(event, Trained):
                yield event
                continue
            step = event.step
            if event.fold not in bars:
                bars[event.fold] = progress.add_task("", total=step.total)
            if step.step % max(1, step.total // 50) == 0:
                words = f"{one_line(event.fold) or 'training'}  loss {float(step.loss):.3f}"
                progress.update(bars[event.fold], completed=step.step, description=words)


def tell(finished: "Finished", as_json: bool) -> None:
    """The run's figures: a table, or one JSON object a line."""
    rows = figure_rows(finished.metrics)
    if as_json:
        for row in rows:
            click.echo(json.dumps({**row, "run": str(finished.folder)}))
        return
    show(rows)
    click.echo(f"{'already done' if finished.found else 'written'}: {finished.folder}", err=True)
