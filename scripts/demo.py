"""`make demo`: draws a small video of a kitchen, extracts its features, shows and pictures them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ego.media.encode import encode

WIDTH, HEIGHT, FPS, SECONDS = 320, 180, 12, 9
COUNTER, WALL, SKIN, STEEL = (150, 112, 78), (214, 208, 196), (224, 172, 138), (190, 196, 204)


def frames(head: float = 1.3) -> Iterator[NDArray[np.uint8]]:
    """(HEIGHT, WIDTH, 3) pictures: a hand cuts, then reaches into a lit fridge, then pours into a pan.

    `head` is how fast the head that sees it sways, in radians a second.
    """
    for index in range(FPS * SECONDS):
        seconds = index / FPS
        image = Image.new("RGB", (WIDTH, HEIGHT), WALL)
        pen = ImageDraw.Draw(image)
        sway = 6 * sin(seconds * head)  # a head is never still
        pen.rectangle((0, 70 + sway, WIDTH, HEIGHT), COUNTER)
        (_cut, _open, _pour)[int(seconds / SECONDS * 3)](pen, seconds, sway)
        yield np.asarray(image)


def _hand(pen: ImageDraw.ImageDraw, x: float, y: float) -> None:
    pen.line((x + 40, HEIGHT, x + 8, y + 8), SKIN, 26)
    pen.ellipse((x - 14, y - 12, x + 22, y + 22), SKIN)


def _cut(pen: ImageDraw.ImageDraw, seconds: float, sway: float) -> None:
    pen.rounded_rectangle((90, 95 + sway, 230, 150 + sway), 6, (230, 214, 170))
    for slice_ in range(int(seconds * 2) + 1):
        pen.ellipse((100 + 14 * slice_, 112 + sway, 122 + 14 * slice_, 134 + sway), (196, 44, 40))
    lift = 18 * abs(sin(seconds * 2 * pi))
    pen.polygon(((150, 100 - lift + sway), (215, 88 - lift + sway), (212, 100 - lift + sway)), STEEL)
    _hand(pen, 225, 84 - lift + sway)


def _open(pen: ImageDraw.ImageDraw, seconds: float, sway: float) -> None:
    pen.rectangle((60, 0, 260, 150 + sway), (250, 250, 236))
    for shelf in range(3):
        pen.rectangle((66, 44 + 40 * shelf + sway, 254, 48 + 40 * shelf + sway), STEEL)
        pen.rectangle(
            (80 + 50 * shelf, 16 + 40 * shelf + sway, 112 + 50 * shelf, 44 + 40 * shelf + sway), (60, 140, 80)
        )
    _hand(pen, 200 - 60 * sin((seconds - 3) * pi / 3), 70 + sway)


def _pour(pen: ImageDraw.ImageDraw, seconds: float, sway: float) -> None:
    pen.rectangle((40, 90 + sway, 280, HEIGHT), (52, 54, 60))
    pen.ellipse((90, 96 + sway, 210, 160 + sway), (24, 24, 28))
    swirl = seconds * 3
    pen.ellipse((130 + 12 * cos(swirl), 118 + sway, 170 + 12 * cos(swirl), 140 + sway), (236, 196, 60))
    pen.line((190, 60 + sway, 160, 120 + sway), (236, 196, 60), 5)
    _hand(pen, 205, 40 + sway)


def run(*arguments: str) -> None:
    """Shows a command and runs it; what fails ends the demo."""
    print(f"\n$ ego {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "ego", *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main(folder: Path) -> None:
    """Makes `folder` anew: a video, a store with two extractors' features, a picture of them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    video, store, picture = folder / "kitchen.mp4", str(folder / "features"), folder / "kitchen.png"
    encode(video, frames(), fps=FPS)
    print(f"drawn: {video}, {SECONDS} seconds of a kitchen that is cut in, opened and cooked in")
    random = ("--with", "resnet", "--set", "resnet.weights=random:0")
    run("extract", "--with", "mean_rgb", *random, "--store", store, str(video))
    run("status", "--store", store)
    run("show", "--store", store, "kitchen", "--picture", str(picture))
    run("verify", "--store", store)
    print(f"""
Look at {picture}: three things happen in the video, and the colours change with them (even for a network
that was never trained). Now try it with a video of your own:

  {Path(sys.executable).parent}/ego extract --with mean_rgb --store features/ VIDEO.mp4
  {Path(sys.executable).parent}/ego ls extractors""")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
