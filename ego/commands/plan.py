"""`ego plan`: what an extraction would cost, before it is begun."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from ego.commands._request import Request, asks
from ego.report.text import columns, duration, one_line, size

if TYPE_CHECKING:
    from ego.pipeline.plan import Plan

SOME_FAILED = 1


@click.command()
@asks
@click.option(
    "--store",
    "places",
    multiple=True,
    envvar="EGO_STORE",
    metavar="DIR",
    help="What is stored there need not be done; without it, all is. [$EGO_STORE]",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Windows at once.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Threads of one video.")
@click.option("--no-probe", is_flag=True, help="Estimate no time: run nothing at all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def command(
    context: click.Context, /, request: Request, places: tuple[str, ...], no_probe: bool, as_json: bool, **how: Any
) -> None:
    """Say what an extraction would cost: videos, rows, bytes, files, time.

    The time is scaled from the first seconds of one video, run here and thrown away.

    \b
    Examples:
      ego plan --with mean_rgb --store features/ videos/
      ego plan --with resnet --set resnet.weights=random:0 --no-probe videos/
    """
    from ego.cache.store import FeatureStore
    from ego.pipeline.jobs import work
    from ego.pipeline.plan import plan

    extractors = list(request.extractors.values())
    with TemporaryDirectory(prefix="ego-plan-") as nothing:
        store = FeatureStore(*(places or (nothing,)), create=not places)
        videos, failures = request.scan(store)
        jobs = work(videos, extractors, store, request.readings(videos))
    for failure in failures:
        click.secho(f"failed  {one_line(failure.name)}: {one_line(failure.error)}", fg="red", err=True)
    found = plan(jobs, request.finder.files, probe=not no_probe, decoder=request.decoder, **how)
    click.echo(json.dumps(asdict(found)) if as_json else _words(found, places))
    context.exit(SOME_FAILED if failures else 0)


def _words(plan: "Plan", places: tuple[str, ...]) -> str:
    """A line for each extractor, then the sum and how long it would take."""
    if not plan.videos:
        return "nothing to do: everything asked for is stored"
    shares = [(name, one.videos, one.rows, size(one.bytes), one.inodes) for name, one in plan.per_extractor.items()]
    rows = [*shares, ("all", plan.videos, plan.rows, size(plan.bytes), plan.inodes)]
    time = "not estimated" if plan.seconds_estimated is None else f"about {duration(plan.seconds_estimated)} here"
    return "\n".join(
        [
            columns(rows, ("extractor", "videos", "rows", "bytes", "files and folders")),
            "",
            f"{plan.videos} videos of {duration(plan.video_seconds)} in all; {time}",
            *(f"free in {place}: {size(_free(place))}" for place in places[:1]),
        ]
    )


def _free(place: str) -> int:
    import shutil

    return shutil.disk_usage(Path(place)).free
