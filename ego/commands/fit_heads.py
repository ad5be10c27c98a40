"""`ego fit-heads`: a head learns from stored features, in seconds."""

import click

from ego.commands._learning import Lesson, learns, tell, watch


@click.command()
@learns
@click.option("--seeds", metavar="A..B|A,B", help="One run for each of these seeds.")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="NAME=V,V",
    help="One run for each value of a field; repeat it for more.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes for settings that cannot be trained together."
)
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw what one run's numbers show.")
def command(
    lesson: Lesson,
    as_json: bool,
    quiet: bool,
    seeds: str | None,
    sweeps: tuple[str, ...],
    jobs: int | None,
    figures: bool,
) -> None:
    """Train the recipe's head on features that are in the store; no pixel is decoded.

    Each fold of the data set is trained and tested apart, videos never shared between the two. The run
    is kept under runs/ by the digest of all that decides its numbers; asked again, it is only shown. One
    that was cut off goes on where it was last saved. Figures are drawn into its folder; `ego figures` adds frames.

    With --seeds and --sweep every combination is a run of its own, the same as if it were asked for alone.
    Those that differ in lr, weight_decay and seed are trained as one computation where the head allows it.
    NAME is a field of the training (lr) or PART.FIELD (head.norm). The table has means over the seeds.

    \b
    Examples:
      ego fit-heads recipes/gtea.toml --data gtea/ --store features/
      ego fit-heads recipes/gtea.toml --data gtea/ --store features/ --set training.seed=1 --json
      ego fit-heads recipes/gtea.toml --data gtea/ --store features/ --seeds 0..9 --sweep lr=1e-4,3e-4,1e-3
    """
    from ego.pipeline.fit import fit

    if seeds or sweeps:
        from ego.commands._sweeping import sweep_all, variants

        given = click.get_current_context().params
        sweep_all(lesson, variants(lesson, seeds, sweeps), jobs, given, quiet or as_json, as_json)
        return
    done = watch(fit(lesson.recipe, lesson.at, lesson.folds), quiet or as_json)
    if figures and not done.found:
        from ego.report.run_figures import draw

        draw(done.folder)
    tell(done, as_json)
