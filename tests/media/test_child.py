"""The decoding program as a whole: what it imports, how much memory it holds, what it does when asked badly."""

import json
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from asking import video, watch
from readable import readable_video

from ego.media.decode import Decoder, Look
from ego.sampling import Window
from ego.video import Picture


def test_it_loads_no_network_and_no_store() -> None:
    program = "import sys, ego.media.child, ego.media.with_decord; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "zarr", "dask", "onnxruntime", "rich"} & set(json.loads(loaded.replace("'", '"')))


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str], shared_data: Path) -> None:
    with Decoder("auto") as decoder:
        watch(decoder, shared_data / "nasty" / "mmaction2" / "tests_data_test.avi", Picture("short", 32))
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def peak_bytes(decoder: Decoder) -> int:
    """The most memory the decoding program ever held."""
    status = Path(f"/proc/{decoder._child.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024


def repeated(path: Path, target: Path, times: int) -> Path:
    """The video over and over again, without encoding it anew."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        span = max(packet.pts + packet.duration for packet in packets)
        with av.open(str(target), "w") as sink:
            copy = sink.add_stream_from_template(stream)
            for turn in range(times):
                for packet in packets:
                    clone = av.Packet(bytes(packet))
                    clone.pts, clone.dts = packet.pts + turn * span, packet.dts + turn * span
                    clone.duration, clone.time_base = packet.duration, packet.time_base
                    clone.is_keyframe, clone.stream = packet.is_keyframe, copy
                    sink.mux(clone)
    return target


def peak_of(path: Path, stride: int, wait_seconds: float = 0.0, frames: int | None = None) -> tuple[int, int]:
    """The child's peak memory and how many frames were seen; `wait_seconds` slows the consumer down."""
    looks = [Look(Picture("short", 256), Window(stride=stride)), Look(Picture("native", 0), Window(stride=stride * 7))]
    seen = 0
    with Decoder("auto") as decoder:
        for _ in decoder.frames(video(path), looks):
            seen += 1
            time.sleep(wait_seconds)
            if seen == frames:
                break
        return peak_bytes(decoder), seen


@pytest.mark.slow
@pytest.mark.parametrize("gop", [12, 250])
def test_memory_does_not_grow_with_length_or_with_a_slow_consumer(gop: int, tmp_path: Path) -> None:
    ten = readable_video(tmp_path / "ten.mp4", frames=250, fps=25, size=(1920, 1080), gop=gop)
    minute = repeated(ten, tmp_path / "minute.mp4", 6)
    half_hour = repeated(ten, tmp_path / "half-hour.mp4", 180)
    short, frames = peak_of(minute, 10)
    assert frames == 1500
    long, frames = peak_of(half_hour, 100)
    assert frames == 45_000
    patient, _ = peak_of(half_hour, 1, wait_seconds=0.1, frames=150)
    assert long <= 1.3 * short
    assert patient <= 1.3 * short
