"""What hands, gaze and order add to heads on cached features of the synthetic kitchen, each with its control.

    python benchmarks/kitchen_heads.py [multitask] [few] [attention] [order] [--seeds 10 11 12] [--work DIR]

Draws two kitchens (or goes on with those in DIR). In the first, of other cooks and rooms, a ResNet-18 learns to name
the things in each cell (`_things.py`): it stands in for published weights. From the second, of seed 1, which no setting
was chosen on, it extracts frozen maps of that network and the true hands and gaze, and trains small heads
for every seed: of initial weights, batches and permutations.

    multitask   a trainable tail (conv5 over cached conv4 maps) on verbs alone, and with the hands' points beside;
                control: each training clip has the hands of another clip
    few         the same where 8 training videos have verbs and 36 the points of hands and gaze
    attention   STAM on nouns with few training videos: no attention, attention that nobody teaches, taught by gaze;
                control: the gaze of another clip
    order       which of a pair of verbs that are each other's reversal, by the mean of maps and by a ConvLSTM;
                control: each clip's frames out of order, in training and in tests

A table gives percent right on clips of videos not trained on, the mean over seeds, and the difference from its first
line, paired by seed, with its 95 % interval (t); its last line is the difference between what helped and its control.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _things import learn
from scipy.stats import t

from ego.cache.store import FeatureStore
from ego.datasets.kitchen.grammar import DIRECTION_PAIRS
from ego.heads._train import begin
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.cached import CachedClips, with_targets
from ego.pipeline.controls import with_controls
from ego.pipeline.fit import Workplace, planned, run_loop, stored_clips
from ego.pipeline.runs import FoldResult, Plan
from ego.pipeline.tails import Tail, joined, shapes_after, tails_of
from ego.pipeline.weights import WeightFinder
from ego.video import Array

WEIGHTS, FILMS, TRUNK_SEED = "things.safetensors", 40, 77
RESNET = """name = "resnet"
weights = "{weights}"
taps = ["conv4_x"]
picture = {{ fit = "squash", size = {size} }}
size = {size}
window = {{ fps = 4.0 }}
precision = "float32"
"""
CELLS = """name = "cells"
window = {{ fps = 4.0 }}
grid = {grid}
kind = "map"
"""
STAGE = f"""[dataset]
name = "kitchen"

[extractors.hands]
detector = {{ name = "GivenBoxes" }}

[extractors.gaze]

[extractors.stage]
{RESNET.format(size=128, weights=WEIGHTS)}
"""
EXTRACTORS = f"""{STAGE}
[extractors.look]
{CELLS.format(grid=6)}
[extractors.look.maps]
{RESNET.format(size=192, weights=WEIGHTS)}
[extractors.coarse]
{CELLS.format(grid=3)}
[extractors.coarse.maps]
{RESNET.format(size=192, weights=WEIGHTS)}
"""
VERB = '[tasks.verb]\nname = "classify"\nlabel = "verb"\nunseen = "count"\ntop = []\n'
NOUN = VERB.replace("verb", "noun")
HANDS = '[tasks.points]\nname = "point"\nwho = "hands"\nsize = [4, 4]\n'
LOOKS = '[tasks.looks]\nname = "point"\nwho = "gaze"\nsize = [4, 4]\n'
GAZE = '[tasks.eyes]\nname = "heatmap"\nsize = [6, 6]\nsigma = 0.7\n'
TAIL = '[head]\nname = "multitask"\nfeatures = ["stage.conv5_x"]\ntails = ["stage"]\npieces = 4\n'
SHARED, POINTS = VERB + HANDS + LOOKS + TAIL, ("points.weight=15.0", "looks.weight=7.0")
STAM = '[head]\nname = "stam"\nfeatures = ["look"]\nnormalised = true\nstandard = true\n'
SLOW = ("sampling.rows=4", 'sampling.draw="jitter"', "training.batch=16", 'training.precision="bfloat16"')
MEAN = '[head]\nname = "linear"\nnorm = "batch"\nfeatures = ["coarse"]\n'
CELL = '[head]\nname = "convlstm"\nfeatures = ["coarse"]\nchannels = 32\ndropout = 0.0\nstandard = true\n'


Score = Callable[[Plan, FoldResult], float]
Shapes = Mapping[str, Array]


@dataclass(frozen=True)
class Experiment:
    """Arms by name, each the tasks and head of a recipe and settings; the first is what the others are held against.

    `videos` are so many training videos, of which the first `labelled` (0: all) have labels; `verbs` are those that
    are kept (none: all); `score` reads a run.
    """

    arms: dict[str, tuple[str, tuple[str, ...]]]
    settings: tuple[str, ...]
    score: Score
    videos: int
    labelled: int = 0
    verbs: tuple[str, ...] = ()


def accuracy(task: str) -> Score:
    """The share of right clips of a task, validation and test videos together."""

    def score(plan: Plan, done: FoldResult) -> float:
        said = [done.predictions[split][task] for split in ("validation", "test")]
        return float(np.concatenate([one.predictions.argmax(axis=1) == one.labels for one in said]).mean())

    return score


def direction(plan: Plan, done: FoldResult) -> float:
    """How often the true verb has a higher score than its reversal; a half by chance, each verb counting alike."""
    verbs = plan.problem.tasks["verb"].classes
    other = {a: b for pair in DIRECTION_PAIRS for a, b in (pair, pair[::-1])}
    turned = np.array([verbs.index(other[verb]) for verb in verbs])
    said = [done.predictions[split]["verb"] for split in ("validation", "test")]
    scores, labels = (
        np.concatenate(part) for part in zip(*((one.predictions, one.labels) for one in said), strict=True)
    )
    rows = np.arange(len(labels))
    right = scores[rows, labels] > scores[rows, turned[labels]]
    return float(np.mean([right[labels == verb].mean() for verb in set(labels)]))


EXPERIMENTS = {
    "multitask": Experiment(
        {
            "verbs alone": (VERB + HANDS + TAIL, ("points.weight=0.0",)),
            "with hands": (VERB + HANDS + TAIL, ("points.weight=3.0",)),
            "control: another clip's hands": (
                VERB + HANDS + TAIL, ("points.weight=3.0", 'sampling.permuted=["points"]')),
        },
        (*SLOW, "training.epochs=8", "training.lr=3e-4"), accuracy("verb"), videos=15,
    ),
    "few": Experiment(
        {
            "verbs alone": (SHARED, ("points.weight=0.0", "looks.weight=0.0")),
            "with points": (SHARED, POINTS),
            "control: another clip's points": (SHARED, (*POINTS, 'sampling.permuted=["points", "looks"]')),
        },
        (*SLOW, "training.epochs=6", "training.lr=5e-4",
         'training.groups=[{ parameters = "head.layers.*", lr = 3e-3 }]'),
        accuracy("verb"), videos=36, labelled=8,
    ),
    "attention": Experiment(
        {
            "no attention": (NOUN + STAM + 'attention = "none"\n', ()),
            "attention, not taught": (NOUN + STAM, ()),
            "attention, taught by gaze": (NOUN + GAZE + STAM, ("eyes.weight=30.0",)),
            "control: another clip's gaze": (NOUN + GAZE + STAM, ("eyes.weight=30.0", 'sampling.permuted=["eyes"]')),
        },
        ("sampling.rows=4", "training.epochs=30", "training.batch=32", "training.lr=3e-3"),
        accuracy("noun"), videos=20,
    ),
    "order": Experiment(
        {
            "mean": (VERB + MEAN, ()),
            "ConvLSTM": (VERB + CELL, ()),
            "control: frames out of order": (VERB + CELL, ("sampling.shuffled=true",)),
        },
        ("sampling.rows=4", 'sampling.draw="jitter"', "training.epochs=40", "training.batch=32", "training.lr=1e-3",
         "training.weight_decay=3.0"),
        direction, videos=60, verbs=tuple(verb for pair in DIRECTION_PAIRS for verb in pair),
    ),
}  # fmt: skip


def drawn(world: Path, seed: int, videos: int) -> Path:
    """A world of so many videos of 20 s, drawn where they are not yet."""
    size = ["--videos", str(videos), "--seconds", "20", "--size", "320x180", "--fps", "15", "--seed", str(seed)]
    command = [sys.executable, "-m", "ego", "synth", "kitchen", "--out", str(world), *size, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return world


def prepare(work: Path, world: Path, seed: int, videos: int, extractors: str) -> None:
    """World, weights and store, drawn, learnt and extracted where they are not yet."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / WEIGHTS).exists():
        learn(drawn(work / f"world-{TRUNK_SEED}", TRUNK_SEED, FILMS), work / WEIGHTS)
    spec = work / "extractors.toml"
    spec.write_text(extractors)
    asked = ["--data", str(drawn(world, seed, videos)), "--store", str(work / "store"), "--weights", str(work)]
    subprocess.run([sys.executable, "-m", "ego", "extract", str(spec), *asked], check=True)


def narrowed(world: Path, target: Path, asked: Experiment) -> Path:
    """The world at `target` with the training videos, labels and verbs of an experiment."""
    target.mkdir(parents=True)
    for name in ("videos", "truth"):
        (target / name).symlink_to((world / name).resolve())
    with (world / "annotations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    train = list(dict.fromkeys(row["video"] for row in rows if row["split"] == "train"))[: asked.videos]
    for row in rows:
        if asked.labelled and row["split"] == "train" and row["video"] not in train[: asked.labelled]:
            row["verb"] = row["noun"] = ""
    kept = [row for row in rows if row["split"] != "train" or row["video"] in train]
    with (target / "annotations.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(row for row in kept if not asked.verbs or row["verb"] in asked.verbs)
    return target


def scores(name: str, seeds: Sequence[int], world: Path, work: Path, out: Path) -> dict[str, list[float]]:
    """The score of every arm for every seed; what is stored is read once an arm."""
    asked, finder = EXPERIMENTS[name], WeightFinder([work])
    data = narrowed(world, out / name, asked)
    found: dict[str, list[float]] = {}
    with Decoder() as decoder:
        at = Workplace(data, FeatureStore(work / "store"), finder, decoder, out / "runs")
        for arm, (text, own) in asked.arms.items():
            read = recipe.parse(EXTRACTORS + text, (*asked.settings, *own), finder)
            sampling = replace(read.sampling, permuted=(), shuffled=False)
            plan, entries = planned("fit-heads", replace(read, sampling=sampling), at, ())
            above = tails_of(plan.head, read.extractors, finder)
            clips = stored_clips(plan, entries, at, above)
            shapes = shapes_after(clips.shapes, plan.head, above)
            clips = with_targets(clips, plan.head, read, entries, shapes, at.store)
            found[arm] = []
            for seed in seeds:
                mine = replace(plan, sampling=replace(read.sampling, control_seed=seed),
                               training=replace(read.training, seed=seed))  # fmt: skip
                done = trained(mine, with_controls(clips, mine.sampling), shapes, above, at)
                found[arm].append(100 * asked.score(mine, done))
    return found


def trained(plan: Plan, clips: CachedClips, shapes: Shapes, above: Mapping[str, Tail], at: Workplace) -> FoldResult:
    """The one fold of a plan, trained."""
    tasks = plan.problem.fitted("")
    module = begin(plan.head, shapes, {name: tasks[name] for name in plan.problem.trained}, plan.training)
    steps = run_loop("", plan, joined(module, above, plan.head.tail_norms, at.files), clips, at)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value


def gain(each: Sequence[float], other: Sequence[float]) -> str:
    """The mean difference and its interval."""
    difference = np.array(each) - np.array(other)
    reach = t.ppf(0.975, len(each) - 1) * difference.std(ddof=1) / len(each) ** 0.5
    return f"{difference.mean():+5.1f} [{difference.mean() - reach:+.1f}, {difference.mean() + reach:+.1f}]"


def report(name: str, seeds: Sequence[int], found: dict[str, list[float]], seconds: float) -> None:
    """Prints a table."""
    asked, some = EXPERIMENTS[name], ", ".join(map(str, seeds))
    labelled = f", {asked.labelled} of them labelled" if asked.labelled else ""
    print(f"{name}: seeds {some}; {asked.videos} training videos{labelled}; {', '.join(asked.settings)}")
    *_, helped, control = found.values()
    first = next(iter(found.values()))
    for arm, each in found.items():
        print(f"  {arm:32s} {np.mean(each):5.1f}   {gain(each, first)}   {' '.join(f'{one:.1f}' for one in each)}")
    print(f"  {'over its control':32s}         {gain(helped, control)}")
    print(f"  {seconds:.0f} s", flush=True)


def main() -> None:
    """Prints a table an experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", help="Some of: " + ", ".join(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument("--work", type=Path, help="Where world and features are kept; else they are thrown away.")
    parser.add_argument("--videos", type=int, default=100, help="Of 20 s, three of five for training.")
    parser.add_argument("--world-seed", type=int, default=1, help="Of the kitchen; settings were chosen in that of 0.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = asked.work or Path(scratch)
        world = work / f"world-{asked.world_seed}"
        names = asked.experiments or list(EXPERIMENTS)
        prepare(work, world, asked.world_seed, asked.videos, STAGE if {*names} <= {"multitask", "few"} else EXTRACTORS)
        for name in names:
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as out:
                found = scores(name, asked.seeds, world, work, Path(out))
            report(name, asked.seeds, found, time.perf_counter() - began)


if __name__ == "__main__":
    main()
