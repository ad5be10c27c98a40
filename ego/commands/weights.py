"""`ego weights`: which published weights are known and present, and fetching them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ego.pipeline.weights import Known


@click.group(no_args_is_help=True)
def command() -> None:
    """Which published weights are known and present, and fetching them.

    \b
    Examples:
      ego weights list
      ego weights get resnet18-f37072fd.pth
    """


@command.command("list")
@click.option("--weights", "folders", multiple=True, metavar="DIR", help="Where weights files lie. [$EGO_WEIGHTS]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file on stdout.")
def list_(folders: tuple[str, ...], as_json: bool) -> None:
    """List the published files, the extractor of each, and where it lies here."""
    from ego.pipeline.weights import WeightFinder
    from ego.report.text import columns, size

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
