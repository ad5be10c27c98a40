"""`ego figures`: the pictures of a run, drawn again and on frames."""

from typing import TYPE_CHECKING

import click

from ego.commands._run import on_data

if TYPE_CHECKING:
    from ego.pipeline.fit import Workplace
    from ego.pipeline.read_run import Run
    from ego.report.run_figures import Method


@click.command()
@on_data
@click.option("--split", metavar="NAME", help="Frames of this split. [default: every one but train]")
@click.option(
    "--map",
    "method",
    type=click.Choice(["tsne", "umap"]),
    default="tsne",
    show_default=True,
    help="How clips are laid on a map.",
)
@click.option("--clips", type=click.IntRange(min=0), default=6, show_default=True, help="How many clips; 0: no frames.")
def command(
    run: "Run", at: "Workplace", folds: tuple[str, ...], split: str | None, method: "Method", clips: int
) -> None:
    """Draw the figures of a run into its folder.

    loss.png, confusion and classes of each split, correlation.png and tsne.png (umap.png with the package umap-learn)
    come from the run's own files. For frames.png a few tested clips are decoded: what of a frame speaks for the
    predicted class, attention and other predicted maps, predicted points (red) beside true ones (green).

    \b
    Examples:
      ego figures runs/0123456789abcdef
      ego figures runs/0123456789abcdef --clips 12 --split test
      ego figures runs/0123456789abcdef --map umap
    """
    from ego.report.run_figures import draw

    drawn = draw(run.folder, method)
    if clips:
        from ego.pipeline.exhibits import exhibits
        from ego.report.exhibits import sheet

        if shown := exhibits(run, at, run.pick_folds(folds)[0], split, clips):
            sheet(shown, run.figures / "frames.png")
            drawn.append(run.figures / "frames.png")
        else:
            click.echo("the head sees no maps and predicts no points: there is nothing to show on frames", err=True)
    for path in drawn:
        click.echo(path)
