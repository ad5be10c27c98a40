"""`ego runs`: what was learnt in a folder of runs."""

import json
from pathlib import Path
from typing import Any

import click

from ego.commands._figures import figure
from ego.errors import BadRequest
from ego.report.text import columns, one_line

KEYS = ["date", "recipe", "head", "seed", "figure"]


@click.command()
@click.argument("folder", metavar="[DIR]", default="runs", type=click.Path(path_type=Path))
@click.option(
    "--sort",
    "key",
    type=click.Choice(KEYS),
    default="date",
    show_default=True,
    help="The order of the lines; figures from best to worst.",
)
@click.option("--split", metavar="NAME", help="Figures of this split. [default: the first that is not train]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a run on stdout.")
def command(folder: Path, key: str, split: str | None, as_json: bool) -> None:
    """List the runs of a folder: recipe, head, the leading figure of each task, seed, date.

    Figures are those of all folds' clips pooled. A folder that is no sound run is told on stderr.

    \b
    Examples:
      ego runs
      ego runs experiments/ --sort figure --split test
    """
    rows, broken = listing(folder, split)
    rows.sort(key=lambda row: _order(row, key))
    for words in broken:
        click.secho(one_line(words), fg="red", err=True)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo(f"no run in {folder}; ego fit-heads writes them")
        return
    head = ["run", "recipe", "deed", "head", "seed", "split", "figures", "settings", "date"]
    click.echo(columns([_cells(row) for row in rows], head))


def listing(folder: Path, split: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """(a line for each sound run of a folder, why others are none); a folder that is not there is a BadRequest."""
    if not folder.is_dir():
        raise BadRequest(f"{folder} is not there; name the folder that holds the runs: ego runs DIR")
    rows, broken = [], []
    for one in sorted(folder.iterdir()):
        if one.is_dir() and not one.name.startswith("."):
            try:
                rows.append(_line(one, split))
            except BadRequest as error:
                broken.append(str(error))
    return rows, broken


def _line(folder: Path, split: str | None) -> dict[str, Any]:
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        pooled = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["pooled"]
        shown = split or next((name for name in pooled if name != "train"), next(iter(pooled)))
        return {
            "run": str(folder),
            "digest": about["digest"],
            "recipe": about["recipe"]["name"],
            "deed": about["plan"]["deed"],
            "head": about["plan"]["head"]["name"],
            "seed": about["plan"]["training"]["fields"]["seed"],
            "folds": len(about["folds"]),
            "split": shown,
            "figures": {task: _leading(some) for task, some in pooled.get(shown, {}).items()},
            "settings": about["recipe"]["settings"],
            "made": about["environment"]["made"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{folder} is no sound run ({type(error).__name__}: {error}); remove it") from error


def _leading(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in list(figures.items())[:1] if name != "clips"}


def _order(row: dict[str, Any], key: str) -> Any:
    if key == "figure":
        return [-value for figures in row["figures"].values() for value in figures.values()], row["made"]
    return row["made"] if key == "date" else (row[key], row["made"])


def _cells(row: dict[str, Any]) -> list[object]:
    told = [
        f"{task} {name.replace('_', ' ')} {figure(name, value)}"
        for task, some in row["figures"].items()
        for name, value in some.items()
    ]
    settings = " ".join(row["settings"])
    date = row["made"][:16].replace("T", " ")
    name = Path(row["run"]).name
    return [name, row["recipe"], row["deed"], row["head"], row["seed"], row["split"], ", ".join(told), settings, date]
