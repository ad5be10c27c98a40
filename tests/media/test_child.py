"""The decoding program as a whole: what it imports, how much memory it holds, what it does when asked badly."""

import json
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
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


def peak_of(path: Path, wait_seconds: float) -> tuple[int, int]:
    """The child's peak memory and how many frames were seen; the consumer waits before each of the first 100."""
    dense = Look(Picture("native", 0), Window(frames=100, at="segments"), np.array([[0.0, 4.0]]))
    seen = 0
    with Decoder("auto") as decoder:
        for _ in decoder.frames(video(path), [dense, Look(Picture("short", 256), Window(stride=100))]):
            seen += 1
            if seen <= 100:
                time.sleep(wait_seconds)
        return peak_bytes(decoder), seen


@pytest.mark.slow
@pytest.mark.parametrize(("gop", "minutes"), [(12, 30), (250, 10)])
def test_memory_does_not_grow_with_length_or_with_a_slow_consumer(gop: int, minutes: int, tmp_path: Path) -> None:
    ten_seconds = readable_video(tmp_path / "ten.mp4", frames=250, fps=25, size=(1920, 1080), gop=gop)
    minute = repeated(ten_seconds, tmp_path / "minute.mp4", 6)
    long = repeated(ten_seconds, tmp_path / "long.mp4", 6 * minutes)
    fast_peak, frames = peak_of(minute, 0)
    assert frames == 1500
    slow_peak, _ = peak_of(minute, 0.1)  # ten times slower than it could be decoded
    long_peak, frames = peak_of(long, 0.1)
    assert frames == 1500 * minutes
    assert long_peak <= 1.3 * slow_peak
    assert slow_peak <= fast_peak + (64 << 20) + (20 << 20)  # a slow consumer costs no more than the ring
