"""Decoding in the child program against a plain PyAV loop, and the two decoders' pixels against each other.

    python benchmarks/decoders.py [VIDEOS]

The loop decodes and resizes every frame in this process (`reformat`, bilinear, as its users write it).
Ours crosses two processes, keeps timestamps and survives a crash. CPU seconds, both processes' threads
included; the ratio is the loop's over ours: 1.00 means that the child costs nothing. Videos that decord
cannot be held to (odd sizes, long ones) are told; short drawn ones of 1280x720 stand beside them.
"""

import argparse
import os
import resource
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np

from ego.errors import BadVideo
from ego.media.decode import Choice, Decoder, Look
from ego.media.encode import encode
from ego.pipeline.scan import find_videos, scan
from ego.sampling import Window
from ego.video import Picture, Video

PICTURE = Picture("short", 256)


def cpu_seconds(deed: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds of a deed and of the programs it has started and ended; what it returns."""

    def used() -> float:
        each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in each)

    before = used()
    found = deed()
    return used() - before, found


def plain_loop(videos: Sequence[Video]) -> int:
    """Every frame resized in this process; how many."""
    frames = 0
    for video in videos:
        with av.open(video.path) as container:
            container.streams.video[0].thread_type = "AUTO"
            for frame in container.decode(video=0):
                width, height = PICTURE.pixels(frame.width, frame.height)
                frame.reformat(width, height, format="rgb24", interpolation="BILINEAR").to_ndarray()
                frames += 1
    return frames


def child_program(videos: Sequence[Video], choice: Choice) -> int:
    """Every frame resized by the child; how many."""
    with Decoder(choice) as decoder:
        return sum(1 for video in videos for _ in decoder.frames(video, [Look(PICTURE, Window())]))


def greatest_difference(video: Video) -> int:
    """The greatest difference of a pixel between the two decoders over the whole video, in grey levels."""
    worst = 0
    with Decoder("pyav") as one, Decoder("decord") as two:
        looks = [Look(PICTURE, Window())]
        for ours, theirs in zip(one.frames(video, looks), two.frames(video, looks), strict=True):
            assert (ours.index, ours.pts) == (theirs.index, theirs.pts)
            pair = (ours.pictures[PICTURE].astype(np.int16), theirs.pictures[PICTURE].astype(np.int16))
            worst = max(worst, int(np.abs(pair[0] - pair[1]).max()))
    return worst


def drawn(folder: Path, gop: int) -> Path:
    """Moving texture, as short as decord may be given at this size."""
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (90, 160 + 64, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return encode(folder / f"gop{gop}.mp4", (wide[:, t : t + 1280] for t in range(96)), 25, gop=gop)


def compare(videos: Sequence[Video]) -> None:
    """Prints the loop and both decoders on these videos."""
    loop, frames = cpu_seconds(lambda: plain_loop(videos))
    print(f"{', '.join(video.name for video in videos)}: {frames} frames")
    print(f"  plain PyAV loop: {1000 * loop / frames:.2f} CPU ms a frame")
    choices: tuple[Choice, ...] = ("pyav", "decord")
    for choice in choices:
        try:
            ours, _ = cpu_seconds(partial(child_program, videos, choice))
        except BadVideo as error:
            print(f"  child program, {choice}: {error}")
            return
        print(f"  child program, {choice}: {1000 * ours / frames:.2f} CPU ms a frame, {loop / ours:.2f} x the loop")
    print(f"  greatest difference between the decoders: {max(map(greatest_difference, videos))} grey levels")


def main() -> None:
    """Measures and prints."""
    data = Path(os.environ.get("EGO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", default=[str(data / "labelled_gtea_s2" / "videos")])
    asked = parser.parse_args()
    print(f"pictures {PICTURE.fit} {PICTURE.size}, PyAV {av.__version__}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name, Decoder() as decoder:
        groups = [find_videos(asked.videos), [drawn(Path(name), 12)], [drawn(Path(name), 250)]]
        for paths in groups:
            compare([one for one in scan(paths, decoder) if isinstance(one, Video)])


if __name__ == "__main__":
    main()
