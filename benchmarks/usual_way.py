"""Extraction against the usual way, for one model and for three at once, in one run.

    python benchmarks/usual_way.py VIDEOS --weights DIR

The usual way is written as such scripts are: for each model and each video, frames are decoded one by
one, resized, run at batch 1, appended to a list and saved as float64 .npy. It gets the same decoder
library and threads, the same weights, precision and picture sizes.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import torch

from ego.cache.store import FeatureStore
from ego.extractors._base import Extractor, Network
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.needs import pictures_of
from ego.pipeline.recipe import extractors_from
from ego.pipeline.scan import find_videos, scan
from ego.pipeline.weights import WeightFinder
from ego.video import Video

MODELS = {
    "mobilenet": ("image_model", ["weights=mobilenet_v2_1.0_224_quant.tflite"]),
    "mobilenet_ptq": ("image_model", ["weights=tf2_mobilenet_v2_1.0_224_ptq.tflite"]),
    "resnet18": ("resnet", ["weights=random:0", "depth=18"]),
}


def usual_way(videos: Sequence[Video], extractors: Sequence[Extractor], files: WeightFinder, folder: Path) -> float:
    """Wall seconds of one process that does each model and each video in turn, frame by frame."""
    began = time.perf_counter()
    for number, extractor in enumerate(extractors):
        assert isinstance(extractor, Network)
        model = extractor.build(files).eval()
        ((name, picture),) = pictures_of(extractor).items()
        for video in videos:
            rows = []
            with av.open(video.path) as container:
                container.streams.video[0].thread_type = "AUTO"
                for frame in container.decode(video=0):
                    width, height = picture.pixels(frame.width, frame.height)
                    small = frame.reformat(width, height, format="rgb24", interpolation="BILINEAR").to_ndarray()
                    with torch.no_grad():
                        row = model(**{name: torch.from_numpy(small)[None, None]})["feature"]
                    rows.append(row[0].float().tolist())
            np.save(folder / f"{number}_{video.digest[:16]}.npy", np.array(rows))
    return time.perf_counter() - began


def our_way(videos: Sequence[Video], extractors: Sequence[Extractor], files: WeightFinder, folder: Path) -> float:
    """Wall seconds of one extraction into a new store."""
    began = time.perf_counter()
    store = FeatureStore(folder / "store", create=True)
    events = list(extract(work(videos, extractors, store), store, files))
    assert all(event.state == "stored" for event in events if isinstance(event, Outcome))
    return time.perf_counter() - began


def main() -> None:
    """Measures and prints."""
    data = Path(os.environ.get("EGO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", default=[str(data / "labelled_gtea_s2" / "videos")])
    parser.add_argument("--weights", default=str(data / "weights" / "imagenet_small"))
    asked = parser.parse_args()
    finder = WeightFinder([asked.weights])
    withs = [f"{name}={kind}" for name, (kind, _) in MODELS.items()]
    settings = [f"{name}.{setting}" for name, (_, some) in MODELS.items() for setting in some]
    extractors = extractors_from(withs, settings, finder)
    with Decoder() as decoder:
        videos = [one for one in scan(find_videos(asked.videos), decoder) if isinstance(one, Video)]
    print(
        f"{len(videos)} videos, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; PyAV {av.__version__} with its "
        f"own threads in both; torch {torch.__version__} with {torch.get_num_threads()} threads in the usual way; "
        "same weights, precision and picture size"
    )
    for chosen in (["mobilenet"], list(MODELS)):
        some = [extractors[name] for name in chosen]
        with tempfile.TemporaryDirectory() as folder:
            usual = usual_way(videos, some, finder, Path(folder))
            ours = our_way(videos, some, finder, Path(folder))
        print(f"{', '.join(chosen)}: usual way {usual:.1f} s, ego {ours:.1f} s: {usual / ours:.2f}x (goal: 3x)")


if __name__ == "__main__":
    main()
