"""What flow of real videos takes on a disk: float16 and int8, plain, under zstd and as JPEG, and the time it costs.

    python benchmarks/flow_bytes.py [VIDEOS] [--with tvl1] [--pairs 16]

Prints KiB and CPU milliseconds a pair of frames for each way, on one core.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numcodecs import Zstd
from numpy.typing import NDArray

from ego.extractors._base import Network
from ego.layers.flow_codec import to_bytes
from ego.media.decode import Decoder, Look
from ego.pipeline.recipe import extractors_from
from ego.pipeline.scan import find_videos, scan
from ego.pipeline.weights import WeightFinder
from ego.video import Picture, Video

FIRST = 200


def flow_of(video: Video, extractor: Network, decoder: Decoder, pairs: int) -> NDArray[np.float32]:
    """The flow (n, 2, H, W) of consecutive frames from the middle of a video."""
    (picture,) = (need for need in extractor.needs().values() if isinstance(need, Picture))
    frames: list[NDArray[np.uint8]] = []
    for frame in decoder.frames(video, [Look(picture, extractor.window)]):
        if frame.index >= FIRST:
            frames.append(frame.pictures[picture].copy())
        if len(frames) > pairs:
            break
    shown = np.stack([np.stack(frames[:-1]), np.stack(frames[1:])], 1)
    with torch.inference_mode():
        found = extractor.build({})(frames=torch.from_numpy(shown))["feature"]
    return np.asarray(found.numpy(), np.float32)


def ways(extractors: dict[str, Network]) -> Iterator[tuple[str, Callable[[NDArray[np.float32]], int]]]:
    """(name, bytes of one row written so)."""
    for stored, extractor in extractors.items():
        array = extractor.rows({})["feature"]
        bound = 20.0 if stored == "int8" else np.inf
        yield stored, lambda row, array=array, bound=bound: array.cast(np.clip(row, -bound, bound)).nbytes
        for level in (1, 3):
            codec = Zstd(level)
            yield (
                f"{stored}, zstd {level}",
                lambda row, array=array, bound=bound, codec=codec: len(
                    codec.encode(array.cast(np.clip(row, -bound, bound)).tobytes())
                ),
            )
    yield "JPEG 95", lambda row: sum(len(cv2.imencode(".jpg", plane)[1]) for plane in to_bytes(row))
    yield "PNG", lambda row: sum(len(cv2.imencode(".png", plane)[1]) for plane in to_bytes(row))


def main() -> None:
    """Measures and prints."""
    data = Path(os.environ.get("EGO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", default=[str(data / "labelled_gtea_s2" / "videos")])
    parser.add_argument("--with", dest="name", default="tvl1")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--limit", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    made = {
        stored: extractors_from([asked.name], [f"{asked.name}.stored={stored}"], WeightFinder([]))[asked.name]
        for stored in ("float16", "int8")
    }
    extractors = {stored: one for stored, one in made.items() if isinstance(one, Network)}
    with Decoder() as decoder:
        videos = [one for one in scan(find_videos(asked.videos)[: asked.limit], decoder) if isinstance(one, Video)]
        flows = [flow_of(video, extractors["float16"], decoder, asked.pairs) for video in videos]
    rows = [row for flow in flows for row in flow]
    height, width = rows[0].shape[1:]
    print(f"{asked.name}, {len(rows)} pairs of {len(videos)} videos at {width}x{height}, load {os.getloadavg()[0]:.1f}")
    plain = rows[0].size * 2
    for name, way in ways(extractors):
        before = time.process_time()
        total = sum(way(row) for row in rows) / len(rows)
        spent = (time.process_time() - before) * 1e3 / len(rows)
        print(f"{name:16} {total / 1024:7.1f} KiB {total / plain:6.3f} of float16 {spent:6.2f} ms")


if __name__ == "__main__":
    main()
