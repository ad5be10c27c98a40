"""Peak memory of a whole extraction: a long video against a one-minute one, and a slow extractor with large rows.

    python benchmarks/memory.py [--minutes 30] [--size 1920x1080]

The long video is the short one over and over, so both hold the same pictures. Each extraction runs in a
program of its own; its peak (VmHWM) and that of the decoding program it starts are added. `flow` stands for
dense flow at 320x240: int8 rows of 150 kB, one a frame; `slow flow` also waits at the start ten times as long
for each row as decoding takes, until every queue is full. Goal: at most 1.3 times the one-minute peak.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch

from ego.cache.store import FeatureStore
from ego.extractors._base import Extractor, Files, Network
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.spec import make
from ego.video import Array, Picture, Video

KINDS = ("mean_rgb", "flow", "slow_flow")
FPS, SLOW_ROWS = 25, 600


@dataclass(frozen=True)
class FlowLike(Network):
    """Rows as large as dense flow at 320x240; the first ones wait `wait_seconds` each."""

    window: Window = Window()
    wait_seconds: float = 0.0

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        """A small picture: what is measured are the rows."""
        return {"frames": Picture("squash", 64)}

    def rows(self, files: Files) -> dict[str, Array]:
        """int8 (2, 240, 320)."""
        return {"feature": Array((2, 240, 320), "int8", "flow")}

    def build(self, files: Files) -> torch.nn.Module:
        """Copies one pixel into every cell."""
        return _Filled(self.wait_seconds)


class _Filled(torch.nn.Module):
    def __init__(self, wait_seconds: float) -> None:
        super().__init__()
        self._wait, self._left = wait_seconds, SLOW_ROWS

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        rows = min(len(frames), self._left)
        self._left -= rows
        time.sleep(self._wait * rows)
        first = (frames[:, 0, 0, 0, 0].to(torch.int16) - 128).to(torch.int8)
        return {"feature": first[:, None, None, None].expand(-1, 2, 240, 320)}


def drawn(folder: Path, size: tuple[int, int]) -> Path:
    """Ten seconds of moving texture at GOP 12."""
    width, height = size
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (height // 8, width // 8 + 32, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    pictures = (wide[:height, t : t + width] for t in range(10 * FPS))
    return encode(folder / "ten.mp4", pictures, FPS, gop=12)


def repeated(path: Path, target: Path, times: int) -> Path:
    """The video over and over again, without encoding it anew."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        span = max((packet.pts or 0) + (packet.duration or 0) for packet in packets)
        with av.open(str(target), "w") as sink:
            copy = sink.add_stream_from_template(stream)
            for turn in range(times):
                for packet in packets:
                    clone = av.Packet(bytes(packet))
                    clone.pts, clone.dts = (packet.pts or 0) + turn * span, (packet.dts or 0) + turn * span
                    clone.duration, clone.time_base = packet.duration, packet.time_base
                    clone.is_keyframe, clone.stream = packet.is_keyframe, copy
                    sink.mux(clone)
    return target


def extractor_of(kind: str, wait_seconds: float) -> Extractor:
    """The extractor that a kind of run measures."""
    if kind == "mean_rgb":
        found = make("extractors", "mean_rgb", {})
        assert isinstance(found, Extractor)
        return found
    return FlowLike(wait_seconds=wait_seconds if kind == "slow_flow" else 0.0)


def run_one(kind: str, path: str, wait_seconds: float) -> None:
    """In a program of its own: extracts, and prints rows, seconds and peak bytes of itself and its child."""
    child = 0
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        store = FeatureStore(Path(folder) / "store", create=True)
        with Decoder() as decoder:
            (video,) = (one for one in scan([path], decoder) if isinstance(one, Video))
        began, rows = time.perf_counter(), 0
        for event in extract(work([video], [extractor_of(kind, wait_seconds)], store), store, {}):
            child = max(child, *map(peak_bytes, children()), 0)
            if isinstance(event, Outcome):
                assert event.state == "stored", event.error
                rows = sum(event.rows.values())
        seconds = time.perf_counter() - began
    print(json.dumps({"rows": rows, "seconds": seconds, "own": peak_bytes("self"), "child": child}))


def children() -> list[str]:
    """The programs this one has started and that still run."""
    return [one for task in Path("/proc/self/task").iterdir() for one in (task / "children").read_text().split()]


def peak_bytes(process: str) -> int:
    """The most memory a process ever held; 0 where it has just ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def measure(kind: str, path: Path, wait_seconds: float) -> dict[str, float]:
    """What `run_one` prints."""
    command = [sys.executable, __file__, "--run", kind, str(path), str(wait_seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        return run_one(asked.run[0], asked.run[1], float(asked.run[2]))
    width, height = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ten = drawn(folder, (width, height))
        minute = repeated(ten, folder / "minute.mp4", 6)
        long = repeated(ten, folder / "long.mp4", 6 * asked.minutes)
        each = measure("mean_rgb", minute, 0.0)
        wait = 10 * each["seconds"] / each["rows"]
        print(
            f"{width}x{height}, {FPS} frames/s, H.264 GOP 12; slow_flow waits {1000 * wait:.1f} ms a row at the start"
        )
        ratios = []
        for kind in KINDS:
            one, many = measure(kind, minute, wait), measure(kind, long, wait)
            peaks = [(run["own"] + run["child"]) / 2**20 for run in (one, many)]
            ratios.append(peaks[1] / peaks[0])
            print(
                f"{kind}: 1 minute {peaks[0]:.0f} MB, {asked.minutes} minutes {peaks[1]:.0f} MB "
                f"({many['rows']:.0f} rows in {many['seconds']:.0f} s): {ratios[-1]:.2f}x"
            )
    print(f"ratio {max(ratios):.2f} (goal: at most 1.3)")
    return None


if __name__ == "__main__":
    main()
