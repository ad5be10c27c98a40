"""The whole path against its parts: decode -> MobileNetV2 -> store, beside decode alone and the model alone.

    python benchmarks/throughput.py VIDEOS --weights DIR

Prints wall time of the whole path over (decode CPU seconds + model CPU seconds) / cores, each measured
alone in this run; 1.00 is every core busy with nothing but decoding and the model. Goal: at most 1.15.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ego.cache.store import FeatureStore
from ego.extractors._base import Extractor, Network
from ego.media.decode import Decoder, Look
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.needs import pictures_of
from ego.pipeline.recipe import extractors_from
from ego.pipeline.scan import find_videos, scan
from ego.pipeline.weights import WeightFinder
from ego.video import Video

MODEL = "mobilenet_v2_1.0_224_quant.tflite"


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def decode_alone(videos: Sequence[Video], extractor: Extractor) -> tuple[float, int, list[np.ndarray]]:
    """CPU seconds to decode and resize everything, child program and pipes included; frames; some pictures."""
    (picture,) = pictures_of(extractor).values()
    kept: list[np.ndarray] = []
    frames = 0
    before = cpu_seconds()
    with Decoder() as decoder:
        for video in videos:
            for frame in decoder.frames(video, [Look(picture, extractor.window)]):
                frames += 1
                if len(kept) < 256:
                    kept.append(frame.pictures[picture].copy())
    return cpu_seconds() - before, frames, kept  # closed: the child's seconds count


def model_alone(extractor: Network, files: WeightFinder, pictures: list[np.ndarray], frames: int, batch: int) -> float:
    """CPU seconds to run the model on as many pictures as there are frames, in one thread."""
    module = extractor.build(files)
    windows = [torch.from_numpy(np.stack(pictures[i : i + batch]))[:, None] for i in range(0, len(pictures), batch)]
    with torch.inference_mode():
        module(frames=windows[0])
        done, before = 0, cpu_seconds()
        while done < frames:
            window = windows[done // batch % len(windows)]
            module(frames=window)
            done += len(window)
    return (cpu_seconds() - before) * frames / done


def whole_path(videos: Sequence[Video], extractor: Extractor, files: WeightFinder) -> float:
    """Wall seconds from videos to published entries."""
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "store", create=True)
        began = time.perf_counter()
        events = list(extract(work(videos, [extractor], store), store, files))
        wall = time.perf_counter() - began
        assert all(event.state == "stored" for event in events if isinstance(event, Outcome))
    return wall


def main() -> None:
    """Measures and prints."""
    data = Path(os.environ.get("EGO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", default=[str(data / "labelled_gtea_s2" / "videos")])
    parser.add_argument("--weights", default=str(data / "weights" / "imagenet_small"))
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    finder = WeightFinder([asked.weights])
    extractor = extractors_from(["image_model"], [f"image_model.weights={MODEL}"], finder)["image_model"]
    assert isinstance(extractor, Network)
    with Decoder() as decoder:
        videos = [one for one in scan(find_videos(asked.videos), decoder) if isinstance(one, Video)]
    cores = os.cpu_count() or 1
    torch.set_num_threads(1)
    print(f"{len(videos)} videos, {cores} cores, {MODEL}, decoder auto, load {os.getloadavg()[0]:.1f}")
    ratios = []
    for _ in range(asked.repeats):
        decode, frames, pictures = decode_alone(videos, extractor)
        model = model_alone(extractor, finder, pictures, frames, 16)
        wall = whole_path(videos, extractor, finder)
        ratios.append(wall * cores / (decode + model))
        print(
            f"{frames} frames: decode {decode:.2f} CPU s, model {model:.2f} CPU s, whole path {wall:.2f} s "
            f"({frames / wall:.0f} frames/s): {ratios[-1]:.2f} of (decode + model) / cores"
        )
    print(f"ratio {min(ratios):.2f} (goal: at most 1.15)")


if __name__ == "__main__":
    main()
