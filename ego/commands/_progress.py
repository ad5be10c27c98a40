"""The bar on stderr: how far, how fast, how long still; nothing where stderr is not a terminal."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ego.report.text import duration, one_line

if TYPE_CHECKING:
    from ego.pipeline.jobs import Advance, Job, Outcome

Clock = Callable[[], float]


class Bar:
    """Draws one bar over a run; `speed` and `wall_seconds` hold also where nothing is drawn.

    A video counts as long as its container claims; one that claims nothing counts as long as the mean.
    """

    def __init__(self, *, quiet: bool = False, clock: Clock = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[rate]}", table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, rate="")
        self._clock = clock
        self._began = clock()
        self._jobs: dict[str, float] = {}
        self._running: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @property
    def wall_seconds(self) -> float:
        """Seconds since the bar was begun."""
        return self._clock() - self._began

    @property
    def video_seconds(self) -> float:
        """Seconds of video that are done."""
        return sum(self._ended.values()) + sum(self._running.values())

    def counting(self, words: str, done: int, total: int) -> None:
        """Things are looked at one after the other: files that are hashed, entries that are verified."""
        each = done / max(self.wall_seconds, 1e-6)
        rate = f"{each:.1f}/s  {duration((total - done) / each)} left" if each else ""
        self._progress.update(self._task, description=f"{words} {done}/{total}", completed=done, total=total, rate=rate)

    def begin(self, jobs: "Sequence[Job]") -> None:
        """The jobs to come; the clock starts now."""
        known = [job.seconds for job in jobs if job.seconds > 0]
        mean = sum(known) / len(known) if known else 1.0
        self._jobs = {job.video.digest: job.seconds or mean for job in jobs}
        self._began = self._clock()
        self._progress.reset(self._task, total=sum(self._jobs.values()))
        self._draw("extracting")

    def advance(self, event: "Advance") -> None:
        """A running video has come this far."""
        whole = self._jobs.get(event.video.digest, event.seconds)
        self._running[event.video.digest] = min(event.seconds, whole)
        self._draw(one_line(event.video.name)[:24])

    def end(self, outcome: "Outcome") -> None:
        """A video is done, one way or the other."""
        digest = outcome.video.digest
        reached = self._running.pop(digest, 0.0)
        self._ended[digest] = reached if outcome.state == "failed" else self._jobs.get(digest, 0.0)
        if outcome.state == "failed":
            self._jobs[digest] = reached
            self._progress.update(self._task, total=sum(self._jobs.values()))
        self._draw("extracting")

    def _draw(self, words: str) -> None:
        wall, total = max(self.wall_seconds, 1e-6), sum(self._jobs.values())
        done, speed = self.video_seconds, self.video_seconds / wall
        each = len(self._ended) / wall
        rate = f"{each:.1f} videos/s" if each >= 1 else f"{speed:.1f}x real time"
        left = f"{duration((total - done) / speed)} left" if speed else ""
        words_at_end = f"{len(self._ended)}/{len(self._jobs)} videos  {rate}  {left}"
        self._progress.update(self._task, description=words, completed=done, rate=words_at_end)
