"""`ego predict`: what a run says of new videos."""

import csv
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.commands._figures import figure
from ego.commands._progress import Bar
from ego.commands._run import on_run
from ego.errors import BadRequest, EgoError
from ego.report.text import columns, one_line

if TYPE_CHECKING:
    from ego.pipeline.fit import Workplace
    from ego.pipeline.predict import Guess, Sliding
    from ego.pipeline.read_run import Run
    from ego.video import Video

SOME_FAILED = 1


@click.command()
@on_run
@click.argument("arguments", metavar="VIDEO...", nargs=-1, required=True)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True),
    metavar="RATE",
    help="VIDEOs are folders of numbered pictures, so many a second.",
)
@click.option("--window", type=float, metavar="SECONDS", help="How long a clip is. [default: the run's median clip]")
@click.option("--stride", type=float, metavar="SECONDS", help="When the next one begins. [default: half a window]")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.json|csv", help="Write the lines here."
)
@click.option(
    "--draw",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.mp4",
    help="Draw them below the frames of one video.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a clip and task on stdout.")
@click.pass_context
def command(
    context: click.Context, /, run: "Run", at: "Workplace", folds: tuple[str, ...], arguments: tuple[str, ...],
    fps: float | None, window: float | None, stride: float | None, out: Path | None, draw: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Predict clips that slide over VIDEOs: files, folders, patterns or a LIST.txt; no annotation is needed.

    Features that are missing are extracted into the store first. Of several folds the predictions are averaged over
    those that never saw a video; one that all of them were trained on is told, and `trained` in JSON. Exit code 1: some
    videos failed, the others are predicted.

    \b
    Examples:
      ego predict runs/0123456789abcdef --store features/ kitchen.mp4
      ego predict runs/0123456789abcdef --store features/ --window 2 --stride 0.5 --out said.csv videos/
      ego predict runs/0123456789abcdef --store features/ --draw said.mp4 kitchen.mp4
      ego predict runs/0123456789abcdef --store features/ --fps 30 frames/kitchen/
    """
    from ego.pipeline.predict import predict

    if out is not None and out.suffix not in (".json", ".csv"):
        raise BadRequest(f"got --out {str(out)!r}, expected a file that ends in .json or .csv")
    videos, failed = _videos(at, arguments, fps)
    if draw is not None:
        from ego.commands._film import check_film

        check_film(draw, len(videos))
    sliding = _sliding(run, window, stride)
    left = _extract(run, at, videos)
    guesses = predict(run, left, at, sliding, folds) if left else []
    _tell(guesses, out, as_json)
    if draw is not None and left:
        from ego.commands._film import film

        film(left[0], guesses, at.decoder, draw)
        click.echo(f"drew {draw}", err=True)
    context.exit(SOME_FAILED if failed or len(left) < len(videos) else 0)


def _videos(at: "Workplace", arguments: tuple[str, ...], fps: float | None) -> "tuple[list[Video], int]":
    """(the videos once each, how many cannot be read)."""
    from ego.pipeline.scan import Failure, find_videos, scan

    rates = {os.path.abspath(one): fps for one in arguments} if fps else None
    paths = list(map(Path, arguments)) if fps else find_videos(arguments)
    found = list(scan(paths, at.decoder, store=at.store, rehash=at.rehash, rates=rates))
    failures = [one for one in found if isinstance(one, Failure)]
    for failure in failures:
        _red(failure.name, failure.error)
    videos = {one.digest: one for one in found if not isinstance(one, Failure)}
    return list(videos.values()), len(failures)


def _sliding(run: "Run", window: float | None, stride: float | None) -> "Sliding":
    from ego.pipeline.predict import Sliding, usual_seconds

    length = window if window is not None else usual_seconds(run)
    if window is None and not length:
        raise BadRequest("the run's clips are whole videos, which do not say how long a clip is; give --window SECONDS")
    return Sliding(length, stride if stride is not None else length / 2)


def _extract(run: "Run", at: "Workplace", videos: "list[Video]") -> "list[Video]":
    """Computes what is missing, and gives the videos of which everything is there."""
    from ego.pipeline.extract import extract
    from ego.pipeline.jobs import Outcome, work
    from ego.pipeline.predict import read_by

    extractors = list(read_by(run).values())
    jobs = work(videos, extractors, at.store) if extractors else []
    failed = set()
    with Bar() as bar:
        if jobs:
            bar.begin(jobs)
        for event in extract(jobs, at.store, at.files, device=at.device) if jobs else ():
            if isinstance(event, Outcome):
                bar.end(event)
                if event.state == "failed":
                    failed.add(event.video.digest)
                    _red(event.video.name, event.error or "")
            else:
                bar.advance(event)
    return [video for video in videos if video.digest not in failed]


def _red(name: str, words: str) -> None:
    click.secho(f"failed  {one_line(name)}: {one_line(words)}", fg="red", err=True)


def _tell(guesses: "list[Guess]", out: Path | None, as_json: bool) -> None:
    """The lines on stdout, or in a file; videos that were trained on are named on stderr."""
    from ego.pipeline.predict import lines

    told = list(lines(guesses))
    for name in dict.fromkeys(one.video.name for one in guesses if one.trained):
        click.echo(
            f"{one_line(name)}: the weights were trained on this video; its scores say nothing of new ones", err=True
        )
    if out is not None:
        _write(told, out)
        click.echo(f"written: {out} ({len(told)} lines)", err=True)
    if as_json:
        for line in told:
            click.echo(json.dumps(line))
    elif out is None:
        click.echo(columns([_cells(one) for one in guesses], ["video", "start", "stop", "task", "said", "score"]))


def _cells(one: "Guess") -> list[object]:
    from ego.commands._film import in_words

    said = f"{len(one.steps)} steps" if one.steps else in_words(one.said)
    score = figure("top", one.score) if one.score is not None else ""
    return [one.video.name, f"{one.start:.2f}", f"{one.stop:.2f}", one.task, said, score]


def _write(told: list[Any], out: Path) -> None:
    try:
        if out.suffix == ".json":
            out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            return
        with out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(told[0] if told else [])
            for line in told:
                writer.writerow(
                    [one if isinstance(one, str | int | float) else json.dumps(one) for one in line.values()]
                )
    except OSError as error:
        raise EgoError(f"{out} cannot be written: {error.strerror or error}; name another --out") from error
