"""`ego check-data`: whether a data set on this machine is what its annotations and its authors say."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.commands._progress import Bar
from ego.commands._request import skip_missing_option
from ego.errors import BadRequest
from ego.report.text import columns, one_line

if TYPE_CHECKING:
    from ego.pipeline.check import Report

SOMETHING_WRONG = 1
SHOWN = 10
COLOURS = {"missing": "red", "wrong": "red", "note": "yellow"}


@click.command()
@click.argument("recipe_path", metavar="RECIPE.toml")
@click.option("--data", required=True, metavar="DIR", help="Where the recipe's data set lies.")
@click.option("--set", "settings", multiple=True, metavar="PART.FIELD=VALUE", help="One value of the recipe.")
@skip_missing_option
@click.option(
    "--any-counts", is_flag=True, help="Part of a data set, or one of its like: published counts do not matter."
)
@click.option("--all", "everything", is_flag=True, help=f"Every class and finding, not the first {SHOWN} of a kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No bar.")
@click.pass_context
def command(
    context: click.Context,
    recipe_path: str,
    data: str,
    settings: tuple[str, ...],
    skip_missing: bool,
    any_counts: bool,
    everything: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say what of a data set is there, what is missing and what does not match.

    Counts are held against the published ones, segments against the ends of the videos, frame rates and
    lengths against what is stated; every signal is read once. No video is decoded. Exit code 1:
    something is missing or wrong.

    \b
    Examples:
      ego check-data recipes/gtea.toml --data gtea/
      ego check-data recipes/gtea.toml --data gtea/ --skip-missing --any-counts --json
    """
    from ego.media.decode import Decoder
    from ego.pipeline import recipe
    from ego.pipeline.check import check
    from ego.pipeline.weights import WeightFinder

    read = recipe.read_dataset(Path(recipe_path), settings, WeightFinder([]))
    if read is None:
        raise BadRequest(f"the recipe {recipe_path} has no [dataset], expected one to check")
    with Bar(quiet=quiet) as bar, Decoder() as decoder:
        report = check(read, Path(data), decoder, partial(bar.counting, "reading videos"), skip_missing, any_counts)
    if as_json:
        click.echo(json.dumps(_facts(report)))
    else:
        click.echo("\n\n".join(_pages(report, SHOWN if not everything else None)))
        _tell_findings(report, SHOWN if not everything else None)
    context.exit(0 if report.sound else SOMETHING_WRONG)


def _pages(report: "Report", most: int | None) -> Iterator[str]:
    """The videos and counts, then the clips of each class by split, one table a label."""
    rows: list[tuple[Any, ...]] = [
        (one.what, one.here, "" if one.published is None else one.published, "" if one.matches else "differs")
        for one in report.counts
    ]
    rows.insert(1, ("videos that are there", report.present, "", ""))
    rows += [(f"videos with {kind}", count, "", "") for kind, count in report.signals.items()]
    yield columns(rows, ("what", "here", "published", ""))
    from ego.datasets._check import class_table

    for label in report.annotations.classes:
        splits, table = class_table(report.annotations, label)
        lines = columns([(name, total, *each) for name, total, each in table[:most]], (label, "clips", *splits))
        rest = len(table) - len(table[:most])
        yield lines + (f"\n... and {rest} classes more (--all shows them)" if rest else "")


def _tell_findings(report: "Report", most: int | None) -> None:
    """Every finding on a line; of many of one level the first ones."""
    seen: Counter[str] = Counter()
    if report.findings:
        click.echo()
    for finding in sorted(report.findings, key=lambda one: list(COLOURS).index(one.level)):
        seen[finding.level] += 1
        if most is None or seen[finding.level] <= most:
            click.secho(f"{finding.level:8}{one_line(finding.text)}", fg=COLOURS[finding.level])
    for level, count in seen.items():
        if most is not None and count > most:
            click.echo(f"{level:8}... and {count - most} more (--all shows them)")
    if report.sound:
        click.echo("\nnothing is missing or wrong")


def _facts(report: "Report") -> dict[str, Any]:
    from ego.datasets._check import class_table

    found = report.annotations
    classes = {}
    for label in found.classes:
        splits, table = class_table(found, label)
        classes[label] = {name: {"clips": total, **dict(zip(splits, each, strict=True))} for name, total, each in table}
    return {
        "videos": {"annotated": len(found.videos), "present": report.present},
        "counts": [{"what": one.what, "here": one.here, "published": one.published} for one in report.counts],
        "signals": dict(report.signals),
        "classes": classes,
        "findings": [{"level": one.level, "text": one.text} for one in report.findings],
        "sound": report.sound,
    }
