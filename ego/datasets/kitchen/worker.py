"""A program that draws the videos it is told on stdin, one JSON line each, and says on stdout how far it is.

A program of its own rather than a forked process: it begins the same way on every system, from any caller.
"""

import json
import sys
from pathlib import Path

from ego.datasets.kitchen.world import World, draw
from ego.errors import EgoError


def main() -> None:
    """Draws until stdin ends; a failure is a line with its error, and the next video goes on."""
    for line in sys.stdin:
        task = json.loads(line)
        size = task["world"]["size"]
        world = World(**{**task["world"], "size": tuple(size) if size else None})
        index = int(task["index"])

        def watch(frames: int, index: int = index) -> None:
            print(json.dumps({"index": index, "frames": frames}), flush=True)

        try:
            name = draw(world, index, Path(task["root"]), watch)
        except (OSError, EgoError) as error:
            print(json.dumps({"index": index, "failed": str(error)}), flush=True)
        else:
            print(json.dumps({"index": index, "name": name}), flush=True)


if __name__ == "__main__":
    main()
