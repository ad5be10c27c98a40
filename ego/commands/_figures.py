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
FRAME = 3
"""What a column of a table takes beside its text."""
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
    return f"{value:.1%}" if is_share(name, value) else f"{value:.4g}"


def is_share(name: str, value: float) -> bool:
    """Whether a figure is read in per cent."""
    return any(word in name for word in SHARES) and 0 <= value <= 1


def show(rows: Sequence[Row], form: Form = "table") -> None:
    """Prints the lines on stdout, for reading a table for each task; in CSV figures have all their digits."""
    if form == "csv":
        click.echo(_csv(rows, _names(rows)), nl=False)
        return
    for number, task in enumerate(dict.fromkeys(row["task"] for row in rows)):
        own = [row for row in rows if row["task"] == task]
        keys, names = ["fold", "split", "task", "clips"], _names(own)
        cells = [
            [one_line(row["fold"]), row["split"], task, str(row["clips"])]
            + [figure(name, row["figures"][name]) if name in row["figures"] else "" for name in names]
            for row in own
        ]
        if form == "markdown":
            head = [*keys, *(name.replace("_", " ") for name in names)]
            rule = ["---"] * 3 + ["---:"] * (len(head) - 3)
            both = [[cell.replace("|", "\\|") for cell in line] for line in [head, rule, *cells]]
            click.echo("\n" * bool(number) + "\n".join(f"| {' | '.join(line)} |" for line in both))
        else:
            folds = [row["fold"] for row in own]
            tables(keys, names, cells, [one != after for one, after in zip(folds, [*folds[1:], None], strict=True)])


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["figures"]))


def tables(keys: Sequence[str], names: Sequence[str], lines: Sequence[Sequence[str]], ends: Sequence[bool]) -> None:
    """Prints lines of `keys` and figures: as many figures at a time as there is room for, the others below.

    `ends` says after which lines a rule is drawn.
    """
    from rich.console import Console
    from rich.table import Column, Table

    console = Console(markup=False, emoji=False)
    heads = [*keys, *(name.replace("_", " ") for name in names)]
    cells = list(zip(*lines, strict=True)) or [()] * len(heads)
    widths = [
        _width(head, some, number < len(keys)) for number, (head, some) in enumerate(zip(heads, cells, strict=True))
    ]
    for some in _fitting(widths, len(keys), console.width):
        table = Table(*(Column(heads[one], no_wrap=one < len(keys), min_width=widths[one] - FRAME) for one in some))
        for line, end in zip(lines, ends, strict=True):
            table.add_row(*(line[one] for one in some), end_section=end)
        console.print(table)


def _width(head: str, cells: Sequence[str], whole: bool) -> int:
    """What a column needs with its frame: of a figure's name no more than its longest word."""
    words = [head] if whole else head.split()
    return FRAME + max(map(len, [*words, *cells]))


def _fitting(widths: Sequence[int], keys: int, width: int) -> list[list[int]]:
    """Numbers of columns by table: the keys and as many of the others, at least one, as there is room for."""
    parts: list[list[int]] = [[]]
    for number in range(keys, len(widths)):
        if parts[-1] and 1 + sum(widths[:keys]) + sum(widths[one] for one in [*parts[-1], number]) > width:
            parts.append([])
        parts[-1].append(number)
    return [[*range(keys), *part] for part in parts]


def _csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["fold", "split", "task", "clips", *names])
    for row in rows:
        writer.writerow([row["fold"], row["split"], row["task"], row["clips"]] + [row["figures"].get(n) for n in names])
    return text.getvalue()
