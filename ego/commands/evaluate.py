"""`ego evaluate`: the figures of a run's weights, on the splits it tested or on others."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ego.commands._figures import FORMS, Form, figure_rows, show
from ego.commands._run import on_data
from ego.errors import BadRequest

if TYPE_CHECKING:
    from ego.pipeline.evaluate import Evaluated
    from ego.pipeline.fit import Workplace
    from ego.pipeline.read_run import Run

CHALLENGES = ["epic", "ego4d"]


@click.command()
@on_data
@click.option("--split", metavar="NAME", help="This split only. [default: every one but train]")
@click.option(
    "--views",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    show_default=True,
    help="The mean of N looks at a clip, each at other moments.",
)
@click.option("--set", "settings", multiple=True, metavar="dataset.FIELD=VALUE", help="One field of the data set.")
@click.option(
    "--as", "form", type=click.Choice(FORMS), default="table", show_default=True, help="How figures are shown."
)
@click.option("--challenge", type=click.Choice(CHALLENGES), help="Write what a challenge's server takes, to --out.")
@click.option("--sls", metavar="PT,TL,TD", help="With --challenge epic: its three levels of supervision, each 0 to 5.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.json|zip",
    help="Where the challenge's file goes.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line of the table on stdout.")
def command(
    run: "Run", at: "Workplace", folds: tuple[str, ...], split: str | None, views: int, settings: tuple[str, ...],
    form: Form, challenge: str | None, sls: str | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Test a run's weights again, on features that are in the store.

    Of several folds the table gives each, the mean of their figures, and all clips pooled. Videos that the weights,
    or those of the networks below, were trained on are refused. A split without labels has no figures: it is for
    --challenge. epic writes verbs, nouns and the best 100 actions of EPIC-KITCHENS-100 (a .zip holds test.json) or
    -55 (seen.json and unseen.json), from tasks on the labels verb and noun; ego4d whether each piece of its benchmark
    oscc has a state change, from a task on the label state_change.

    \b
    Examples:
      ego evaluate runs/0123456789abcdef
      ego evaluate runs/0123456789abcdef --split test --as markdown
      ego evaluate runs/0123456789abcdef --split test --challenge epic --sls 2,3,3 --out test.zip
      ego evaluate runs/0123456789abcdef --set 'dataset.splits_read=["test"]' --challenge ego4d --out oscc.json
    """
    from ego.pipeline.evaluate import Asked, evaluate

    if (challenge is None) != (out is None):
        raise BadRequest("got one of --challenge and --out, expected both or neither")
    if challenge is not None:
        from ego.pipeline.challenge import check_served

        check_served(run, challenge)
    found = evaluate(run, at, Asked(folds, split, views, settings))
    rows = [row for row in figure_rows(found.metrics) if row["figures"]]
    if as_json:
        for row in rows:
            click.echo(json.dumps({**row, "run": str(run.folder)}))
    elif rows:
        show(rows, form)
    else:
        click.echo(f"{len(found.problem.clips)} clips without labels: there are no figures", err=True)
    if challenge is not None and out is not None:
        _submit(run, found, challenge, sls, out)


def _submit(run: "Run", found: "Evaluated", challenge: str, sls: str | None, out: Path) -> None:
    from ego.pipeline.challenge import ego4d, epic, levels, write

    supervision = levels(sls) if sls is not None else None
    files = ego4d(run, found) if challenge == "ego4d" else epic(run, found, supervision)
    write(files, out)
    parts = {name: content["results"] if isinstance(content, dict) else content for name, content in files.items()}
    counts = ", ".join(f"{name}: {len(results)} clips" for name, results in parts.items())
    click.echo(f"written: {out} ({counts})", err=True)
