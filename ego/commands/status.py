"""`ego status`: how every entry of a store stands."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ego.commands._request import Request, asks, store_option
from ego.report.text import columns, one_line

if TYPE_CHECKING:
    from ego.cache.store import FeatureStore
    from ego.pipeline.status import EntryState

STATES = ("stored", "absent", "failed", "broken", "missing")


@click.command()
@asks
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object an entry on stdout.")
def command(request: Request, places: tuple[str, ...], as_json: bool) -> None:
    """Say what is stored, absent, failed, broken or missing.

    Without videos, a sum for each extractor, from the store's listing alone. With videos or with a
    recipe and --data, what they still miss as well.

    \b
    Examples:
      ego status --store features/
      ego status --store features/ --json
      ego status --store features/ --with mean_rgb videos/
    """
    from ego.cache.store import FeatureStore

    store = FeatureStore(*places)
    if as_json:
        for entry in _entries(store, request):
            click.echo(json.dumps(asdict(entry)))
    elif request.names_videos or request.names or request.recipe_path:
        _tell(_entries(store, request))
    else:
        _sum(store)


def _entries(store: "FeatureStore", request: Request) -> "Iterable[EntryState]":
    from ego.pipeline.status import entries

    extractors = list(request.extractors.values()) if request.names or request.recipe_path else None
    if not request.names_videos:
        return entries(store, None, extractors)
    videos, failures = request.scan(store)
    for failure in failures:
        click.secho(f"failed  {one_line(failure.name)}: {one_line(failure.error)}", fg="red", err=True)
    return entries(store, videos, extractors, request.readings(videos))


def _tell(found: "Iterable[EntryState]") -> None:
    """A sum for each extractor, then a line for each entry that is not as it should be."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    problems = []
    for entry in found:
        counts.setdefault((entry.extractor, entry.digest[:16]), Counter())[entry.state] += 1
        if entry.state not in ("stored", "absent"):
            problems.append((entry.state, entry.extractor, entry.video, entry.error or ""))
    _table(counts)
    if problems:
        click.echo("\n" + columns(problems))


def _sum(store: "FeatureStore") -> None:
    from ego.pipeline.status import summary

    counts = {(one.extractor, one.digest[:16]): Counter[str](one.counts) for one in summary(store)}
    _table(counts)
    if any(count["failed"] + count["broken"] for count in counts.values()):
        click.echo(
            "\nego status --json says which; ego extract tries what failed again, ego verify --repair what broke"
        )


def _table(counts: "dict[tuple[str, str], Counter[str]]") -> None:
    states = [state for state in STATES if state != "missing" or any(count[state] for count in counts.values())]
    rows = [(*names, *(count[state] for state in states)) for names, count in sorted(counts.items())]
    click.echo(columns(rows, ("extractor", "digest", *states)) if rows else "nothing is stored here yet")
