"""Runs that are killed or race: after one more run the store equals an undisturbed one, entry for entry."""

import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from ego.cache.store import FeatureStore
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.scan import scan
from ego.spec import make
from ego.video import Video

Make = Callable[..., Path]


def run(place: Path, videos: list[Video]) -> None:
    """What `ego extract` does, without its start-up time."""
    extractors = [make("extractors", "mean_rgb", {"window": {"fps": fps}}) for fps in (15.0, 5.0)]
    store = FeatureStore(place, create=True)
    store.sweep()
    jobs = work(videos, extractors, store)  # type: ignore[arg-type]
    outcomes = [event for event in extract(jobs, store, {}, workers=1) if isinstance(event, Outcome)]
    assert not [one.error for one in outcomes if one.state == "failed"]


def fork(place: Path, videos: list[Video]) -> int:
    """The pid of a process that runs; its exit code is 0 where all went well."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        run(place, videos)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def contents(place: Path) -> dict[str, object]:
    """Every entry with the checksums of its files; all of them sound."""
    store = FeatureStore(place)
    findings = list(store.verify())
    assert [finding for finding in findings if not finding.ok] == []
    found = {key.path: store.marker(key).files for key in store}
    assert len(findings) >= len(found)
    return found  # type: ignore[return-value]


@pytest.fixture
def videos(readable_video: Make, tmp_path: Path) -> list[Video]:
    paths = [readable_video(tmp_path / f"{i}.mp4", frames=60 + 10 * i) for i in range(4)]
    with Decoder() as decoder:
        return [one for one in scan(paths, decoder) if isinstance(one, Video)]


def kill_at_random_moments(videos: list[Video], folder: Path, moments: int) -> None:
    began = time.monotonic()
    _, status = os.waitpid(fork(folder / "undisturbed", videos), 0)
    whole = time.monotonic() - began
    assert status == 0
    expected = contents(folder / "undisturbed")
    assert len(expected) == 8
    chance = random.Random(0)
    reached = set()
    for moment in range(moments):
        place = folder / f"killed{moment}"
        pid = fork(place, videos)
        time.sleep(chance.uniform(0, whole))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if (place / "ego-store.json").exists():  # killed before that, it is no store yet
            visible = contents(place)
            assert visible.items() <= expected.items()
            reached.add(len(visible))
        _, status = os.waitpid(fork(place, videos), 0)
        assert status == 0
        assert contents(place) == expected
        assert list((place / "staging").iterdir()) == []
    if moments >= 50:
        assert len(reached) > 2, reached  # some kills must have fallen between entries


def test_a_killed_run_is_healed_by_the_next(videos: list[Video], tmp_path: Path) -> None:
    kill_at_random_moments(videos, tmp_path, 5)


@pytest.mark.slow
def test_fifty_killed_runs_are_healed(videos: list[Video], tmp_path: Path) -> None:
    kill_at_random_moments(videos, tmp_path, 50)


def test_two_runs_race_on_one_store(videos: list[Video], tmp_path: Path) -> None:
    _, status = os.waitpid(fork(tmp_path / "undisturbed", videos), 0)
    assert status == 0
    for turn in range(3):
        racers = [fork(tmp_path / f"raced{turn}", videos) for _ in range(2)]
        assert [os.waitpid(pid, 0)[1] for pid in racers] == [0, 0]
        assert contents(tmp_path / f"raced{turn}") == contents(tmp_path / "undisturbed")
