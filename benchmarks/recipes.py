"""What each recipe of a paper costs as it stands, in CPU seconds of one core, on a small kitchen.

    python benchmarks/recipes.py [--recipes egornn lsta] [--videos 4] [--seconds 10] [--steps 2] [--batch 8]

A few kitchen videos are drawn; every recipe extracts them and takes a few steps. What is imported or tested is
left out. Told are seconds of CPU for a minute of video, decoding included, and for a clip of one epoch of training.
Nothing is learnt here: for what a recipe reaches run it, as docs/performance.md shows.
"""

import argparse
import resource
import tempfile
from collections.abc import Sequence
from math import ceil
from pathlib import Path

from ego.cache.store import FeatureStore
from ego.datasets.kitchen.crew import draw_all
from ego.datasets.kitchen.world import World, begin, finish
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.clips import Problem, problem
from ego.pipeline.extract import extract
from ego.pipeline.fit import Trained, Workplace, fit
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.weights import WeightFinder

RECIPES = Path(__file__).parents[1] / "recipes"
NAMES = (
    "egornn", "lsta", "sparnet_heads", "two_stream", "fpar_heads", "mfnet_heads", "stam_heads", "san_heads", "kitchen",
)  # fmt: skip


def cpu_seconds() -> float:
    both = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def extracted(read: recipe.Recipe, learnt: Problem, store: FeatureStore, finder: WeightFinder) -> float:
    """CPU seconds to extract all that the recipe names of every video but the first, which pays for imports."""
    before, videos = 0.0, list(learnt.videos.values())
    for some in (videos[:1], videos[1:]):
        before = cpu_seconds()
        jobs = work(some, list(read.extractors.values()), store, learnt.readings)
        failed = [event.error for event in extract(jobs, store, finder) if isinstance(event, Outcome) and event.error]
        if failed:
            raise SystemExit(f"{failed[0]}")
    return cpu_seconds() - before


def trained(read: recipe.Recipe, at: Workplace) -> float:
    """CPU seconds of the steps after the first."""
    clock, before = 0.0, 0.0
    for event in fit(read, at):
        now = cpu_seconds()
        if isinstance(event, Trained) and event.step.step > 1:
            clock += now - before
        before = now
    return clock


def told(name: str, arguments: argparse.Namespace, root: Path, folder: Path) -> None:
    """Prints one recipe's line."""
    finder, store = WeightFinder([]), FeatureStore(folder / name / "features", create=True)
    settings = (f"training.batch={arguments.batch}", f"training.steps={arguments.steps + 1}", "training.epochs=100")
    read = recipe.read(RECIPES / f"{name}.toml", settings, finder)
    with Decoder() as decoder:
        learnt = problem(read, root, decoder, store)
        extraction = extracted(read, learnt, store, finder) / ((arguments.videos - 1) * arguments.seconds / 60)
        training = trained(read, Workplace(root, store, finder, decoder, folder / name / "runs")) / arguments.steps
    clips = len(learnt.folds[""]["train"])
    training /= clips / ceil(clips / arguments.batch)
    print(f"{name:14} {extraction:7.1f} CPU s a minute of video, {training:7.4f} CPU s a clip and epoch", flush=True)


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipes", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        world = World(0, seconds=arguments.seconds)
        begin(world, folder / "kitchen")
        draw_all(world, range(arguments.videos), folder / "kitchen", 1, lambda news: None)
        finish(world, arguments.videos, folder / "kitchen")
        print(f"{arguments.videos} kitchen videos of {arguments.seconds:g} s, batches of {arguments.batch} clips")
        for name in arguments.recipes:
            told(name, arguments, folder / "kitchen", folder)


if __name__ == "__main__":
    main()
