"""A sound track in the child program against a plain PyAV loop that decodes and resamples in this process.

    python benchmarks/sound.py [--minutes N]

Ten minutes of AAC at 44.1 kHz beside small pictures, to one channel at 16 kHz. CPU seconds, both processes' threads
included, the child's start too; the ratio is the loop's over ours: 1.00 means that child and clock cost nothing.
"""

import argparse
import os
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from ego.media.encode import encode
from ego.media.sound import SoundDecoder
from ego.video import Video

RATE = 16_000


def cpu_seconds(deed: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds of a deed and of the programs it has started and ended; what it returns."""

    def used() -> float:
        each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in each)

    before = used()
    found = deed()
    return used() - before, found


def plain_loop(path: Path) -> int:
    """All samples, whatever their times; how many."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
    return sum(frame.to_ndarray().shape[1] for frame in frames + resampler.resample(None))


def child_program(path: Path, minutes: int) -> int:
    """All samples on the container's clock, in rows of one second; how many."""
    rows = 0
    with SoundDecoder() as decoder, decoder.open(Video("0" * 64, path.name, str(path)), RATE) as reader:
        for second in range(minutes * 60):
            rows += reader.take(float(second), RATE) is not None
        reader.finish()
    return rows * RATE


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    minutes = parser.parse_args().minutes
    print(f"{minutes} min of AAC, 44100 Hz stereo -> {RATE} Hz, PyAV {av.__version__}, load {os.getloadavg()[0]:.1f}")
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (minutes * 60 * 44_100, 2)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        still = (np.zeros((48, 64, 3), np.uint8) for _ in range(minutes * 60))
        path = encode(Path(folder) / "sound.mp4", still, 1, sound=(noise, 44_100))
        loop, _ = cpu_seconds(lambda: plain_loop(path))
        ours, samples = cpu_seconds(lambda: child_program(path, minutes))
    print(f"  plain PyAV loop: {minutes * 60 / loop:.0f} s of sound a CPU second")
    print(f"  child program: {samples / RATE / ours:.0f} s of sound a CPU second, {loop / ours:.2f} x the loop")


if __name__ == "__main__":
    main()
