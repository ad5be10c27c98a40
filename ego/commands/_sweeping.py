"""What `fit-heads` does with many settings: their options, the processes beside this one, the table of means."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ego.commands._figures import figure, is_share, tables
from ego.commands._learning import Lesson, watched
from ego.errors import EgoError
from ego.report.text import one_line

if TYPE_CHECKING:
    from ego.pipeline.intervals import Interval, Line
    from ego.pipeline.sweep import Swept, Variant


def variants(lesson: Lesson, seeds: str | None, sweeps: Sequence[str]) -> "list[Variant]":
    """The recipe once for every combination of settings and every seed."""
    from pathlib import Path

    from ego.pipeline import recipe
    from ego.pipeline.sweep import Variant, seeds_of, settings_of

    found = []
    for words in settings_of(sweeps):
        for seed in seeds_of(seeds) if seeds else [lesson.recipe.training.seed]:
            settings = [*lesson.recipe.settings, *words, f"training.seed={seed}"]
            found.append(Variant(words, seed, recipe.read(Path(lesson.recipe.path), settings, lesson.finder)))
    return found


def sweep_all(lesson: Lesson, some: "Sequence[Variant]", jobs: int | None, given: Mapping[str, Any], quiet: bool,
              as_json: bool) -> None:  # fmt: skip
    """Makes every run and tells their figures; a setting without one ends with an EgoError after the table."""
    from ego.pipeline.sweep import jobs_for, sweep

    beside = jobs_for(lesson.at.device, jobs)

    def apart(variant: "Variant") -> None:
        _run(arguments(variant, given), beside)

    done: list[Swept] = list(watched(sweep(some, lesson.at, lesson.folds, apart, beside), quiet))
    order = {id(variant): place for place, variant in enumerate(some)}
    done.sort(key=lambda one: order[id(one.variant)])
    _tell(done, as_json)
    if lost := [one for one in done if one.run is None]:
        words = " ".join((*lost[0].variant.words, f"training.seed={lost[0].variant.seed}"))
        raise EgoError(f"{len(lost)} of {len(done)} settings have no run, such as {words}: {lost[0].error}")


def arguments(variant: "Variant", given: Mapping[str, Any]) -> list[str]:
    """What to type for the run of one variant alone, with the options that were `given` for all."""
    words = ["fit-heads", given["recipe_path"], "--data", given["data"], "--out", given["out"],
             "--device", given["device"], "--decoder", given["decoder_name"]]  # fmt: skip
    for option, values in (
        ("--store", given["places"]),
        ("--set", variant.recipe.settings),
        ("--fold", given["folds"]),
        ("--weights", given["weights"]),
    ):
        words += [part for value in values for part in (option, value)]
    return [*words, *(["--skip-missing"] if given["skip_missing"] else []), "--quiet", "--json"]


def _run(words: Sequence[str], beside: int) -> None:
    threads = str(max(1, (os.cpu_count() or 1) // beside))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}
    done = subprocess.run([sys.executable, "-m", "ego", *words], capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise EgoError(one_line(last.removeprefix("ego: ")))


def _tell(done: "Sequence[Swept]", as_json: bool) -> None:
    from ego.pipeline.intervals import lines

    found = lines(done)
    if as_json:
        for line in found:
            figures = {name: {"mean": one.mean, "half": one.half, "seeds": one.count}
                       for name, one in line.figures.items()}  # fmt: skip
            folders = [str(one.run.folder) for one in done if one.run and one.variant.words == line.words]
            click.echo(json.dumps({
                "settings": list(line.words), "fold": line.fold, "split": line.split, "task": line.task,
                "figures": figures, "runs": folders,
            }))  # fmt: skip
        return
    _draw(found)
    again = sum(1 for one in done if one.run and one.run.found)
    click.echo(f"{len(done)} runs, {again} of them already done; means over seeds, +- half a 95 % interval", err=True)


def _draw(found: "Sequence[Line]") -> None:
    for task in dict.fromkeys(line.task for line in found):
        own = [line for line in found if line.task == task]
        names = list(dict.fromkeys(name for line in own for name in line.figures))
        lines = []
        for line in own:
            words = " ".join(one_line(word).removeprefix("training.") for word in line.words) or "the recipe's"
            figures = [told(name, line.figures[name]) if name in line.figures else "" for name in names]
            lines.append([words, line.split, line.task, *figures])
        settings = [line.words for line in own]
        ends = [one != after for one, after in zip(settings, [*settings[1:], None], strict=True)]
        tables(["setting", "split", "task"], names, lines, ends)


def told(name: str, one: "Interval") -> str:
    """A mean and half of its interval, in the figure's unit."""
    if one.half is None:
        return figure(name, one.mean)
    return f"{figure(name, one.mean)} +-" + (f"{one.half * 100:.1f}" if is_share(name, one.mean) else f"{one.half:.3g}")
