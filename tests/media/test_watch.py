import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asking import EVERY, NATIVE, video, watch
from readable import read_number, readable_video

from ego.errors import BadVideo
from ego.media.decode import Decoder, Look
from ego.media.watch import resident_bytes


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return readable_video(tmp_path_factory.mktemp("watch") / "video.mp4", frames=400, size=(320, 240))


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_child_that_dies_or_hangs_costs_one_video(blow: signal.Signals, clip: Path) -> None:
    with Decoder("pyav", stall_seconds=1.0, ring_bytes=1) as decoder:
        frames = decoder.frames(video(clip), [Look(NATIVE, EVERY)])
        for _ in range(5):
            next(frames)
        began = time.monotonic()
        os.kill(decoder._child.pid, blow)
        with pytest.raises(BadVideo, match="said nothing for 1 s" if blow == signal.SIGSTOP else f"signal {blow:d}"):
            list(frames)
        assert time.monotonic() - began < 5
        assert [read_number(one.picture) for one in watch(decoder, clip)] == list(range(400))


def test_the_second_decoder_takes_over_at_the_very_frame(clip: Path) -> None:
    with Decoder("auto", ring_bytes=1) as decoder:
        frames = decoder.frames(video(clip), [Look(NATIVE, EVERY)])
        seen = [next(frames) for _ in range(7)]
        numbers = [one.index for one in seen]
        os.kill(decoder._child.pid, signal.SIGKILL)
        for frame in frames:
            numbers.append(frame.index)
            assert read_number(frame.pictures[NATIVE]) == frame.index
        assert numbers == list(range(400))
        assert decoder.decoded.decoder == "decord"
        assert "pyav died (signal 9)" in (decoder.decoded.took_over or "")
        assert decoder.decoded.frames_decoded == 400
        assert decoder.decoded.start_pts == seen[0].pts


def test_a_child_that_dies_between_videos_is_replaced(clip: Path) -> None:
    with Decoder("auto") as decoder:
        assert decoder.probe(str(clip)).frames_from_header == 400
        os.kill(decoder._child.pid, signal.SIGKILL)
        time.sleep(0.1)
        assert len(watch(decoder, clip)) == 400


def test_a_child_that_grows_too_large_is_ended(tmp_path: Path) -> None:
    large = readable_video(tmp_path / "large.mp4", frames=40, size=(1920, 1080))
    small = readable_video(tmp_path / "small.mp4")
    with Decoder("pyav", memory_bytes=120 << 20) as decoder:
        frames = decoder.frames(video(large), [Look(NATIVE, EVERY)])
        next(frames)
        time.sleep(1)  # the child fills its ring meanwhile
        with pytest.raises(BadVideo, match="MB of memory, at most 120 are allowed"):
            list(frames)
        assert len(watch(decoder, small)) == 60


def test_a_consumer_may_take_its_time(clip: Path) -> None:
    with Decoder("pyav", stall_seconds=0.5, ring_bytes=1) as decoder:
        for frame in decoder.frames(video(clip), [Look(NATIVE, EVERY)]):
            if frame.index % 100 == 50:
                time.sleep(0.8)  # longer than the child may be silent: it is the parent that is slow
    assert decoder.decoded.frames_decoded == 400


def test_nothing_is_left_behind(clip: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Decoder("pyav") as decoder:
            watch(decoder, clip)
            pid = decoder._child.pid
        assert resident_bytes(pid) == 0
    assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.parametrize("state", ["idle", "stopped by a full ring"])
def test_a_parent_that_dies_takes_its_child_along(state: str, clip: Path) -> None:
    program = (
        "import sys, time; from asking import *; decoder = Decoder('pyav', ring_bytes=1)\n"
        "frames = decoder.frames(video(sys.argv[1]), [Look(NATIVE, EVERY)])\n"
        + ("list(frames)\n" if state == "idle" else "next(frames)\n")
        + "print(decoder._child.pid, flush=True); time.sleep(60)"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(clip)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths}
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert resident_bytes(child) > 0
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"
