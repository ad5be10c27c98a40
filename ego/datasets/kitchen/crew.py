"""Many videos drawn side by side by worker programs."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Queue
from typing import Any

from ego.datasets.kitchen.world import World, plain
from ego.errors import BadRequest

Report = dict[str, Any]
"""`index` with `frames` drawn, or with the `name` of the video that is done."""


def draw_all(world: World, indices: Sequence[int], root: Path, workers: int, watch: Callable[[Report], None]) -> None:
    """Draws these videos with up to `workers` programs, each handed the next when it is done.

    A worker that fails or dies is a BadRequest that names the video; what is done stays done.
    """
    tasks, reports = list(indices), Queue[Report]()
    crew = [_Worker(reports) for _ in range(min(workers, len(tasks)))]
    try:
        for worker in crew:
            worker.give(world, tasks.pop(0), root)
        left = len(indices)
        while left:
            report = reports.get()
            if "failed" in report:
                raise BadRequest(f"video {report['index']} could not be drawn: {report['failed']}")
            watch(report)
            if "name" in report:
                left -= 1
                worker = next(one for one in crew if one.index == report["index"])
                if tasks:
                    worker.give(world, tasks.pop(0), root)
    finally:
        for worker in crew:
            worker.stop()


class _Worker:
    """One worker program and the thread that listens to it."""

    def __init__(self, reports: "Queue[Report]") -> None:
        package = str(Path(__file__).parents[3])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._program = subprocess.Popen(
            [sys.executable, "-m", "ego.datasets.kitchen.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        self.index = -1
        self._reports = reports
        threading.Thread(target=self._listen, daemon=True).start()

    def give(self, world: World, index: int, root: Path) -> None:
        self.index = index
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps({"world": plain(world), "index": index, "root": str(root)}) + "\n")
        self._program.stdin.flush()

    def stop(self) -> None:
        self._program.terminate()
        self._program.wait()

    def _listen(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self._reports.put(json.loads(line))
        self._reports.put({"index": self.index, "failed": "its program ended; its own words are above"})
