"""`ego verify`: whether every byte is still as it was published, and whether it can be made again."""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ego.commands._progress import Bar
from ego.commands._request import Request, asks, store_option
from ego.commands._spelling import options
from ego.errors import BadRequest
from ego.report.text import columns, one_line

if TYPE_CHECKING:
    from ego.cache.store import FeatureStore
    from ego.cache.verify import Finding
    from ego.video import Video

SOME_BROKEN = 1


@click.command()
@asks
@store_option
@click.option("--part", default="1/1", metavar="3/30", help="One part of the store: run 1/30 to 30/30 on 30 days.")
@click.option("--repair", is_flag=True, help="Set what is broken aside and, where VIDEOS hold it, extract it again.")
@click.option("--recompute", type=click.IntRange(min=1), metavar="N", help="Run N random entries of VIDEOS again.")
@click.option("--device", default="auto", help="For --repair and --recompute.", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object an entry or note on stdout.")
@click.pass_context
def command(
    context: click.Context,
    request: Request,
    places: tuple[str, ...],
    part: str,
    repair: bool,
    recompute: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Read every byte of the store and say what is not as published.

    --repair never patches: it moves what is broken to quarantine/ in the store and makes it anew.
    --recompute decodes and computes again and compares within the extractor's tolerance. Exit code
    1: something is broken or differs.

    \b
    Examples:
      ego verify --store features/
      ego verify --store features/ --part 3/30
      ego verify --store features/ --repair --weights weights/ videos/
      ego verify --store features/ --recompute 5 --weights weights/ videos/
    """
    from ego.cache.store import FeatureStore

    store = FeatureStore(*places)
    tell = _teller(as_json)
    broken = _verify(store, part, as_json, tell)
    left = len(broken)
    if repair and broken:
        left = _repair(store, request, broken, device, as_json)
    elif broken and not as_json:
        click.echo(f"set them aside and extract them again: ego verify --store {places[0]} --repair VIDEOS")
    if recompute is not None:
        left += _recompute(store, request, recompute, device, tell)
    context.exit(SOME_BROKEN if left else 0)


def _verify(
    store: "FeatureStore", part: str, as_json: bool, tell: Callable[[dict[str, Any], str], None]
) -> "list[Finding]":
    """What is broken in a part of the store, each told as it is found."""
    broken, looked = [], 0
    with Bar() as bar:
        for finding in store.verify(_part(part), watch=partial(bar.counting, "verifying")):
            looked += 1
            if as_json or not finding.ok:
                tell(asdict(finding), "" if finding.ok else f"broken  {finding.path}  {finding.problem}")
            broken += [] if finding.ok else [finding]
    if not as_json:
        click.echo(f"{looked} entries and notes read, {len(broken)} broken")
    return broken


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not match:
        raise BadRequest(f"got part {text!r}, expected K/N such as 3/30")
    return int(match[1]), int(match[2])


def _teller(as_json: bool) -> Callable[[dict[str, Any], str], None]:
    """What prints one finding: its facts as JSON, or its words."""
    if as_json:
        return lambda facts, words: click.echo(json.dumps(facts))
    return lambda facts, words: click.echo(one_line(words))


def _recompute(
    store: "FeatureStore", request: Request, count: int, device: str, tell: Callable[[dict[str, Any], str], None]
) -> int:
    """How many of `count` random entries differ when they are made again."""
    from ego.pipeline.again import recompute

    if not request.names_videos:
        raise BadRequest("got --recompute without videos; name those that the entries were made of")
    videos, failures = request.scan(store)
    readings, files, differing = request.readings(videos), request.finder.files, len(failures)
    for failure in failures:
        tell({**asdict(failure), "problem": failure.error}, f"failed  {failure.name}  {failure.error}")
    for one in recompute(store, videos, files, count, readings, device=device, decoder=request.decoder):
        state = "differs" if one.problem else "equal"
        words = one.problem or f"within {one.relative:.2g} of what is stored ({one.tolerance:g} is allowed)"
        facts = {**asdict(one), "relative": one.relative if one.relative < float("inf") else None}
        tell(facts, f"{state}  {one.extractor}  {one.video}  {words}")
        differing += bool(one.problem)
    return differing


def _repair(store: "FeatureStore", request: Request, broken: "Sequence[Finding]", device: str, as_json: bool) -> int:
    """Sets every finding aside and extracts again what can be; how many are not whole again."""
    from ego.pipeline.again import description_of, note_again
    from ego.pipeline.extract import extract
    from ego.pipeline.jobs import Outcome

    videos: list[Video] = request.scan(store)[0] if request.names_videos else []
    entries = {one.path: description_of(store, one.path) for one in broken if not one.path.endswith(".json")}
    rows = [(finding.path, _set_aside(store, finding)) for finding in broken]
    if not as_json:
        click.echo(columns(rows, ("broken", "now in")))
    for finding in broken:
        note_again(store, finding.path, videos)
    jobs = _jobs(request, videos, entries)
    done = set()
    for event in extract(jobs, store, request.finder.files, device=device, decoder=request.decoder) if jobs else ():
        if isinstance(event, Outcome) and event.state != "failed":
            done |= {path for path in entries if path.split("/")[1][:16] == event.video.digest[:16]}
        if isinstance(event, Outcome) and not as_json:
            click.echo(one_line(f"{event.state}  {event.video.name}  {event.error or ''}".rstrip()))
    left = [path for path in entries if path not in done]
    if left and not as_json:
        where = f"--store {shlex.quote(str(store.place))}"
        wanted = {options(entries[path]) for path in left}
        click.echo("extract again what is missing now:")
        for one in sorted(wanted):
            click.echo(f"  ego extract {one} {where} VIDEOS")
    return len(left)


def _jobs(request: Request, videos: "Sequence[Video]", entries: dict[str, Any]) -> list[Any]:
    """The jobs that make these entries again, of the videos that are at hand."""
    from ego.pipeline.again import extractor_of
    from ego.pipeline.jobs import Job

    readings, jobs = request.readings(videos), []
    known = {path: plan for path, plan in entries.items() if plan is not None}
    for video in {video.digest: video for video in videos}.values():
        of_it = [path for path in known if path.split("/")[1][:16] == video.digest[:16]]
        made = {one.digest: one for one in (extractor_of(known[path], path) for path in of_it)}
        if made:
            jobs.append(Job(video, tuple(made.values()), readings.get(video.digest, {})))
    return jobs


def _set_aside(store: "FeatureStore", finding: "Finding") -> str:
    """Where a finding was moved to, or why it stays: it lies in another place, or is no part of a store."""
    if finding.place and finding.place != str(store.place):
        return f"{finding.place} (not written here: verify it as --store {finding.place})"
    try:
        return str(store.quarantine(finding.path))
    except BadRequest:
        return "its place still: ego did not put it there, remove it yourself"
