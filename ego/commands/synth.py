"""`ego synth`: worlds drawn on this machine, where everything is known."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ego.commands._progress import Bar
from ego.errors import BadRequest

LAYOUTS = ("folder", "gtea61", "egtea", "epic55", "epic100", "ego4d")


@click.group(no_args_is_help=True)
def command() -> None:
    """Draw a world of videos whose truth is known at every frame.

    \b
    Example:
      ego synth kitchen --out kitchen/ --videos 20 --seed 0
    """


@command.command()
@click.option("--out", required=True, metavar="DIR", help="The folder of the world; a begun one is gone on with.")
@click.option("--videos", type=click.IntRange(min=1), default=20, show_default=True, help="How many videos.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, another world.")
@click.option(
    "--layout", type=click.Choice(LAYOUTS), default="folder", show_default=True, help="Whose folders and files."
)
@click.option("--seconds", type=float, default=30.0, show_default=True, help="The length of each video.")
@click.option("--size", metavar="WxH", help="The size of the pictures. [default: 456x256, or the layout's own]")
@click.option("--fps", type=float, help="Frames a second. [default: 30, or the layout's own]")
@click.option("--workers", type=click.IntRange(min=1), help="Videos drawn at once. [default: the cores]")
@click.option("--flow", is_flag=True, help="Write dense optical flow too: 0.5 MB a frame.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a video on stdout, then one of the whole.")
@click.option("--quiet", is_flag=True, help="No bar.")
def kitchen(
    out: str, videos: int, seed: int, layout: str, seconds: float, size: str | None, fps: float | None,
    workers: int | None, flow: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Draw first-person cooking with gaze, hands, objects, actions, people and sound.

    The same seed draws the same pixels, whatever the number of workers or videos; a run that was cut off goes on.

    \b
    Examples:
      ego synth kitchen --out kitchen/ --videos 20
      ego synth kitchen --out epic/ --videos 12 --layout epic100 --seconds 60
    """
    from ego.datasets.kitchen.crew import draw_all
    from ego.datasets.kitchen.world import World, begin, done, finish

    world, root = World(seed, layout, seconds, fps, _pixels(size), flow), Path(out)
    begin(world, root)
    missing = [index for index in range(videos) if not done(world, index, root)]
    began, frames = time.monotonic(), round(seconds * world.order(0).fps)
    with Bar(quiet=quiet) as bar:
        report = _counted(bar, len(missing), frames)
        draw_all(world, missing, root, workers or len(os.sched_getaffinity(0)), report)
    records = finish(world, videos, root)
    wall = time.monotonic() - began
    actions = sum(len(one["actions"]) for one in records)
    whole = {
        "out": str(root), "layout": layout, "videos": videos, "drawn": len(missing), "actions": actions,
        "wall_seconds": round(wall, 2), "frames_per_second": round(len(missing) * frames / max(wall, 1e-6), 1),
    }  # fmt: skip
    if as_json:
        for one in records:
            keys = ("name", "split", "subject", "recipe")
            click.echo(json.dumps({**{key: one[key] for key in keys}, "actions": len(one["actions"])}))
        click.echo(json.dumps(whole))
    else:
        speed = f", {whole['frames_per_second']} frames a second" if missing else ""
        click.echo(f"{root}: {videos} videos ({len(missing)} drawn now{speed}), {actions} actions, layout {layout}")


def _pixels(size: str | None) -> tuple[int, int] | None:
    """`WxH` as two numbers; anything else is a BadRequest."""
    if size is None:
        return None
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
    if not match:
        raise BadRequest(f"got size {size!r}, expected WxH such as 456x256")
    return int(match[1]), int(match[2])


def _counted(bar: Bar, videos: int, frames: int) -> Callable[[dict[str, Any]], None]:
    """Takes in what workers say of their videos, and tells the bar how many frames of all are drawn."""
    done: dict[int, int] = {}

    def report(news: dict[str, Any]) -> None:
        done[news["index"]] = frames if "name" in news else news["frames"]
        bar.counting("drawing frame", sum(done.values()), videos * frames)

    return report
