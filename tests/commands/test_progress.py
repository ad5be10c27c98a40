"""The bar: what it counts is true whether or not it is drawn, and it is drawn on a terminal only."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ego.commands._progress import Bar
from ego.pipeline.jobs import Advance, Job, Outcome
from ego.video import Video


def job(name: str, seconds: float) -> Job:
    video = Video(name * 64, name, f"/{name}.mp4", None, (0.0, seconds) if seconds else None)
    return Job(video, (), {})


def test_speed_counts_what_is_done_and_what_runs() -> None:
    now = [100.0]
    jobs = [job("a", 30.0), job("b", 10.0), job("c", 0.0)]  # c claims no length: it counts as the mean, 20 s
    with Bar(quiet=True, clock=lambda: now[0]) as bar:
        now[0] += 50
        bar.begin(jobs)
        now[0] += 10
        bar.advance(Advance(jobs[0].video, 12.0))
        assert (bar.wall_seconds, bar.video_seconds) == (10.0, 12.0)
        bar.end(Outcome(jobs[0].video, "stored", {}, None, 1.0, {}))
        assert bar.video_seconds == 30.0
        bar.advance(Advance(jobs[1].video, 4.0))
        bar.end(Outcome(jobs[1].video, "failed", {}, "cut off", 1.0, {}))
        assert bar.video_seconds == 34.0  # of a failed video only what was decoded
        bar.end(Outcome(jobs[2].video, "stored", {}, None, 1.0, {}))
        assert bar.video_seconds == pytest.approx(54.0)


def test_on_a_terminal_it_tells_how_far_how_fast_and_how_long_still(clips: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "features")
    text = _told("extract", "--with", "mean_rgb", "--store", store, str(clips))
    assert "reading videos 2/2" in text
    assert "2/2 videos" in text
    assert "left" in text
    assert "2 stored in" in text
    text = _told("verify", "--store", store)
    assert re.search(r"verifying \d/5", text)  # two entries, their videos' notes and the extractor's
    assert "left" in text


def _told(*arguments: str) -> str:
    """What a command writes to stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "ego", *arguments], stderr=theirs, env={**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    )
    os.close(theirs)
    told = b""
    while chunk := _read(ours):
        told += chunk
    os.close(ours)
    assert running.wait() == 0
    return told.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is gone
        return b""
