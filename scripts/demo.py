"""`make demo`: draws a small kitchen, extracts its features, fits two heads, and shows and pictures what came out."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.sheet import sheet

RECIPE = Path(__file__).parents[1] / "recipes" / "kitchen.toml"
VIDEOS, SECONDS, SEED = 20, 30, 0
COLOUR, BOTH = 'head.features=["colour"]', 'head.features=["colour", "shape"]'


def run(*arguments: str) -> None:
    """Shows a command and runs it; what fails ends the demo."""
    print(f"\n$ ego {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "ego", *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def draw_sheet(path: Path) -> None:
    """A contact sheet of three of the world's videos; the last row has its truth drawn in."""
    orders = [Order(SEED, index, split, float(SECONDS), 30.0, (456, 256)) for index, split in enumerate(("train",) * 3)]
    Image.fromarray(np.asarray(sheet([direct(order) for order in orders], 3, 4, 304))).save(path)


def main(folder: Path) -> None:
    """Makes `folder` anew: a world of videos, a store with two extractors' features, two runs, three pictures."""
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    world, store, runs = (str(folder / name) for name in ("world", "features", "runs"))
    recipe, learn = str(RECIPE), ("--data", world, "--store", store, "--out", runs, "--quiet")
    run("synth", "kitchen", "--out", world, "--videos", str(VIDEOS), "--seconds", str(SECONDS), "--seed", str(SEED))
    draw_sheet(folder / "world.png")
    run("extract", recipe, "--data", world, "--store", store)
    run("status", "--store", store)
    run("fit-heads", recipe, *learn, "--set", COLOUR)
    run("fit-heads", recipe, *learn, "--set", BOTH)
    video = sorted(path.stem for path in Path(world, "videos").iterdir())[0]
    run("show", "--store", store, video, "--picture", str(folder / "features.png"))
    run("verify", "--store", store)
    ego = Path(sys.executable).parent / "ego"
    print(f"""
done in {time.monotonic() - began:.0f} s. Look at
  {folder}/world.png     three videos of the kitchen; into the last one the truth is drawn
  {folder}/features.png  a video's features over time: the colours change as the cook goes on
  {folder}/runs/         each run: recipe, weights, metrics, every clip's prediction

Both heads see test cooks and kitchens that training never saw, and neither extractor knows the world: one sees the
mean colour, the other is a network with random weights. So the tables stay near the commonest class: give the
recipe trained weights (`{ego} weights list`). With videos of your own, begin with

  {ego} extract --with mean_rgb --store features/ VIDEO.mp4
  {ego} ls extractors""")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
