"""`ego extract`: what is missing is computed and stored, one decode for all extractors."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.commands._progress import Bar
from ego.commands._request import Request, asks, store_option
from ego.report.text import duration, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ego.pipeline.jobs import Outcome
    from ego.video import Video

SOME_FAILED = 1


@click.command()
@asks
@store_option
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Windows at once. [default: fits the device]")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Threads of one video. [default: the cores there are]"
)
@click.option(
    "--jobs",
    "jobs_at_once",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Videos at once.",
    show_default=True,
)
@click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="First make kernels of the networks (torch.compile); pays where there is much to do.",
)
@click.option("--sanity", is_flag=True, help="First print the likeliest classes of a few windows of the first video.")
@click.option(
    "--classes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --sanity: the names of the classes, one a line or a JSON list.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a video on stdout.")
@click.option("--quiet", is_flag=True, help="No bar and no summary; failures are still told.")
@click.pass_context
def command(
    context: click.Context, /, request: Request, places: tuple[str, ...], sanity: bool, classes: Path | None,
    as_json: bool, quiet: bool, **how: Any,
) -> None:  # fmt: skip
    """Compute the features that are missing, and store them.

    Videos are files, folders (searched throughout), patterns or a LIST.txt with one path a line.
    A first argument that ends in .toml is a recipe. What is stored is never computed again; what
    failed before is tried again. With --sanity, networks whose file has the classes they were trained on first
    say what they see, on stderr: names from FILE, else from a file beside the weights (best.classes.txt beside
    best.pth, or the configuration of a model folder), else numbers. Exit code 1: some videos failed, the others
    are done.

    \b
    Examples:
      ego extract --with mean_rgb --store features/ videos/
      ego extract --with resnet --set resnet.weights=random:0 --store features/ a.mp4 b.mp4
      ego extract recipes/first.toml --data gtea/ --store features/
    """
    from ego.cache.store import FeatureStore
    from ego.pipeline.jobs import refuse, work

    extractors = list(request.extractors.values())
    store = FeatureStore(*places, create=True)
    store.sweep()  # what a killed run left staged
    tally = Tally(as_json)
    with Bar(quiet=quiet) as bar:
        videos, failures = request.scan(store, partial(bar.counting, "reading videos"))
        for failure in failures:
            tally.add(refuse(failure, extractors, store))
        if sanity and videos:
            _tell_sanity(request, videos[0], classes, how["device"])
        jobs = work(videos, extractors, store, request.readings(videos))
        tally.already = len({video.digest for video in videos}) - len(jobs)
        for outcome in _run(request, store, jobs, bar, how):
            tally.add(outcome)
    if not quiet:
        click.echo(tally.summary(bar), err=True)
    context.exit(SOME_FAILED if tally.failed else 0)


def _tell_sanity(request: Request, video: "Video", given: Path | None, device: str) -> None:
    """Each network's likeliest classes in a few windows of one video, on stderr."""
    from ego.extractors._base import Network
    from ego.media.decode import Decoder
    from ego.pipeline.device import device_of
    from ego.pipeline.sanity import class_names, glances

    files = request.finder.files
    with Decoder(request.decoder) as decoder:
        for own, extractor in request.extractors.items():
            found = (
                glances(extractor, video, decoder, files, device_of(device)) if isinstance(extractor, Network) else None
            )
            if found is None:
                click.echo(f"{own}: no classes in its file", err=True)
                continue
            for one in found:
                names = class_names(extractor, files, given, one.classes)
                said = [f"{names[i] if names else i} {share:.1%}" for i, share in one.top]
                where = f"{own}, {one_line(video.name)}, {one.start:.2f} to {one.stop:.2f} s"
                click.echo(f"{where}: {', '.join(said)}", err=True)


def _run(request: Request, store: Any, jobs: Any, bar: Bar, how: dict[str, Any]) -> "Iterator[Outcome]":
    """The outcomes of the jobs, with the bar drawn between them."""
    if not jobs:
        return
    from ego.pipeline.extract import extract
    from ego.pipeline.jobs import Advance

    bar.begin(jobs)
    for event in extract(jobs, store, request.finder.files, decoder=request.decoder, **how):
        if isinstance(event, Advance):
            bar.advance(event)
        else:
            bar.end(event)
            yield event


class Tally:
    """Counts outcomes and tells each: failures on stderr, everything on stdout as JSON where asked."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.already = 0
        self.counts = {"stored": 0, "absent": 0, "exists": 0, "failed": 0}

    @property
    def failed(self) -> int:
        """How many videos failed."""
        return self.counts["failed"]

    def add(self, outcome: "Outcome") -> None:
        """A video that is done."""
        video = outcome.video
        self.counts[outcome.state] += 1
        if outcome.state == "failed":
            click.secho(f"failed  {one_line(video.name)}: {one_line(outcome.error or '')}", fg="red", err=True)
        if self._as_json:
            facts = {
                "video": video.name,
                "path": video.path,
                "digest": video.digest or None,
                "state": outcome.state,
                "rows": dict(outcome.rows),
                "error": outcome.error,
                "wall_seconds": round(outcome.wall_seconds, 3),
            }
            click.echo(json.dumps(facts))

    def summary(self, bar: Bar) -> str:
        """The closing line: what became of the videos, in what time, at what speed."""
        counts = {
            "stored": self.counts["stored"],
            "already there": self.already + self.counts["exists"],
            "absent": self.counts["absent"],
            "failed": self.failed,
        }
        words = ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "stored")
        speed = f", {bar.video_seconds / bar.wall_seconds:.1f}x real time" if bar.video_seconds else ""
        return f"{words} in {duration(bar.wall_seconds)}{speed}"
