"""A run's figures as lines: every fold's, their mean, and all folds pooled; as a table, Markdown or CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import click

from ego.report.text import one_line

Form = Literal["table", "markdown", "csv"]
FORMS = ["table", "markdown", "csv"]
SHARES = ("accuracy", "precision", "recall", "f1", "map", "auc", "pck", "top")
MEAN, POOLED = "mean of folds", "all folds"
Row = dict[str, Any]


def figure_rows(metrics: Mapping[str, Any]) -> list[Row]:
    """One line a fold, split and task; where there are several folds also their mean and all of them pooled."""
    folds = dict(metrics["folds"])
    if len(folds) > 1:
        folds |= {MEAN: metrics["mean"]} if "mean" in metrics else {}
        folds[POOLED] = metrics["pooled"]
    return [
        {
            "fold": fold,
            "split": split,
            "task": task,
            "clips": figures["clips"],
            "figures": {name: value for name, value in figures.items() if name != "clips"},
        }
        for fold, splits in folds.items()
        for split, tasks in splits.items()
        for task, figures in tasks.items()
    ]


def figure(name: str, value: float) -> str:
    """A figure as it is read: shares in per cent, others with four digits."""
    share = any(word in name for word in SHARES) and 0 <= value <= 1
    return f"{value:.1%}" if share else f"{value:.4g}"


def show(rows: Sequence[Row], form: Form = "table") -> None:
    """Prints the lines on stdout, for reading a table for each task; in CSV figures have all their digits."""
    if form == "csv":
        click.echo(_csv(rows, _names(rows)), nl=False)
        return
    for number, task in enumerate(dict.fromkeys(row["task"] for row in rows)):
        own = [row for row in rows if row["task"] == task]
        head = ["fold", "split", "task", "clips", *(name.replace("_", " ") for name in _names(own))]
        cells = [
            [one_line(row["fold"]), row["split"], task, str(row["clips"])]
            + [figure(name, row["figures"][name]) if name in row["figures"] else "" for name in _names(own)]
            for row in own
        ]
        if form == "markdown":
            rule = ["---"] * 3 + ["---:"] * (len(head) - 3)
            both = [[cell.replace("|", "\\|") for cell in line] for line in [head, rule, *cells]]
            click.echo("\n" * bool(number) + "\n".join(f"| {' | '.join(line)} |" for line in both))
        else:
            _table(own, head, cells)


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["figures"]))


def _table(rows: Sequence[Row], head: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, no_wrap=number < 4) for number, name in enumerate(head)))
    for number, line in enumerate(cells):
        last = number + 1 == len(rows) or rows[number + 1]["fold"] != rows[number]["fold"]
        table.add_row(*line, end_section=last)
    Console().print(table)


def _csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["fold", "split", "task", "clips", *names])
    for row in rows:
        writer.writerow([row["fold"], row["split"], row["task"], row["clips"]] + [row["figures"].get(n) for n in names])
    return text.getvalue()
