"""`ego weights`: which published weights are known and present, fetching them, and checking a file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.errors import BadRequest
from ego.report.text import columns, size

if TYPE_CHECKING:
    from ego.pipeline.weights import Known
    from ego.pipeline.weights_check import Checked, Contents

DOES_NOT_FIT = 1


@click.group(no_args_is_help=True)
def command() -> None:
    """Which published weights are known and present, fetching them, and checking a file.

    \b
    Examples:
      ego weights list
      ego weights get resnet18-f37072fd.pth
      ego weights check rgb_imagenet.pt --as i3d
    """


@command.command("list")
@click.option("--weights", "folders", multiple=True, metavar="DIR", help="Where weights files lie. [$EGO_WEIGHTS]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file on stdout.")
def list_(folders: tuple[str, ...], as_json: bool) -> None:
    """List the published files, the extractor of each, and where it lies here."""
    from ego.pipeline.weights import WeightFinder

    known = WeightFinder(folders).known()
    if as_json:
        for one in known:
            click.echo(json.dumps(_facts(one)))
        return
    rows = [
        (one.extractor, one.file.name, size(one.file.bytes) if one.file.bytes else "", one.path or "-", one.file.note)
        for one in known
    ]
    click.echo(columns(rows, ("extractor", "file", "size", "here", "what")))


@command.command()
@click.argument("name")
@click.option("--into", metavar="DIR", help="The folder it is put into. [default: the user's cache]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No bar.")
def get(name: str, into: str | None, as_json: bool, quiet: bool) -> None:
    """Fetch the published file NAME from its official source, checking its sha256."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from ego.pipeline.digests import file_sha256
    from ego.pipeline.fetch import get as fetch
    from ego.pipeline.weights import weights_folder

    folder = Path(into) if into else weights_folder()
    console = Console(stderr=True)
    bar = Progress(
        BarColumn(bar_width=None), DownloadColumn(), TimeRemainingColumn(compact=True),
        console=console, transient=True, disable=quiet or not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=None)
        for progress in fetch(name, folder):
            bar.update(task, completed=progress.done, total=progress.total)
    path = folder / name
    if as_json:
        click.echo(json.dumps({"name": name, "path": str(path), "sha256": file_sha256(path)}))
    else:
        click.echo(path)


@command.command()
@click.argument("name", metavar="FILE")
@click.option("--as", "extractor", metavar="NAME", help="The extractor it is to be the weights of; without: only told.")
@click.option("--set", "settings", multiple=True, metavar="NAME.FIELD=VALUE", help="One field of that extractor.")
@click.option("--weights", "folders", multiple=True, metavar="DIR", help="Where weights files lie. [$EGO_WEIGHTS]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def check(
    context: click.Context, name: str, extractor: str | None, settings: tuple[str, ...], folders: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Say what a weights FILE is, and whether it fills a network.

    Its container, what its tensors lie in, their number and types; with --as every key that is missing, not
    expected or of another shape, and what a window of noise gives. No code in the file is run. Exit code 1: it
    does not fit, or what comes out is not finite.

    \b
    Examples:
      ego weights check rgb_imagenet.pt --as i3d
      ego weights check best.pth --as resnet --set resnet.depth=50 --json
      ego weights check videomae-base/ --as hf
    """
    from ego.pipeline.weights import WeightFinder
    from ego.pipeline.weights_check import check as checked
    from ego.pipeline.weights_check import contents

    finder = WeightFinder(folders)
    path = finder.locate(name)
    if path is None:
        raise BadRequest(f"got weights {name!r}, which is not there; name a file, or its folder with --weights DIR")
    found = contents(path)
    result = checked(path.absolute(), extractor, settings, finder) if extractor else None
    if as_json:
        click.echo(json.dumps(_told(found) | ({} if result is None else _verdict(result))))
    else:
        click.echo("\n".join([*_page(found), *([] if result is None else _lines(extractor, result))]))
    context.exit(DOES_NOT_FIT if (result and not result.sound) or (result is None and found.unread) else 0)


def _told(found: "Contents") -> dict[str, Any]:
    return {
        "path": str(found.path), "sha256": found.sha256, "bytes": found.bytes, "container": found.container,
        "wrappers": list(found.wrappers), "tensors": len(found.shapes), "numbers": found.numbers,
        "dtypes": dict(found.dtypes), "unread": found.unread,
    }  # fmt: skip


def _verdict(result: "Checked") -> dict[str, Any]:
    answers = {name: asdict(one) for name, one in result.answers.items()}
    return {
        "fits": result.sound, "digest": result.digest, "problem": result.problem,
        "differences": dict(result.differences), "answers": answers, "seconds": round(result.seconds, 3),
    }  # fmt: skip


def _page(found: "Contents") -> list[str]:
    rows = [
        ("file", str(found.path)),
        ("sha256", found.sha256),
        ("is", f"{found.container}, {size(found.bytes)}"),
    ]
    if found.shapes:
        dtypes = ", ".join(f"{count} {dtype}" for dtype, count in found.dtypes.items())
        rows.append(("tensors", f"{len(found.shapes)} with {found.numbers:,} numbers ({dtypes})"))
        rows.append(("in", " > ".join(found.wrappers) or "nothing else"))
        rows.append(("keys", f"{next(iter(found.shapes))} ... {next(reversed(list(found.shapes)))}"))
    if found.unread:
        rows.append(("unread", found.unread))
    return [columns(rows)]


def _lines(extractor: str | None, result: "Checked") -> list[str]:
    if result.problem is not None:
        listed = [f"  {what}: {key}" for what, keys in result.differences.items() for key in keys]
        return [f"it does not fit {extractor}: {result.problem}", *listed]
    rows = [
        (
            name,
            "x".join(map(str, one.shape)),
            f"{one.mean:.4g}",
            f"{one.deviation:.4g}",
            "yes" if one.finite else "NO",
        )
        for name, one in result.answers.items()
    ]
    words = f"all keys fit {extractor}; one window of noise gave, in {result.seconds:.2f} s:"
    return [words, columns(rows, ("array", "shape", "mean", "deviation", "finite"))]


def _facts(one: "Known") -> dict[str, Any]:
    file = one.file
    return {
        "extractor": one.extractor,
        "name": file.name,
        "path": str(one.path) if one.path else None,
        "url": file.url,
        "sha256": file.sha256,
        "bytes": file.bytes,
        "licence": file.licence,
        "note": file.note,
        "for": dict(file.when),
    }
