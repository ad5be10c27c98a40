"""Whether stored features know anything: a plain probe of MobileNetV2 rows on the four real GTEA videos.

    python benchmarks/real_signal.py [--data DIR] [--permutations 20]

Extracts the features through `ego.pipeline.extract` into a store of its own, averages them over each
labelled segment (all verbs but `background`), and prints leave-one-video-out verb accuracy of
scikit-learn's StandardScaler and LogisticRegression at their defaults, beside the majority class of the
training videos and the same probe with the training labels permuted.
"""

import argparse
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ego.cache.store import FeatureStore
from ego.datasets.folder import Folder
from ego.extractors._base import Extractor
from ego.media.decode import Decoder
from ego.pipeline.clips import rows_of
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, entry_key, work
from ego.pipeline.recipe import extractors_from
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder
from ego.video import Video

SHARED = Path(os.environ.get("EGO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
GTEA = Folder(
    csv="segments_shared.csv",
    folder="videos",
    start="start_s",
    stop="stop_s",
    labels=("verb",),
    ignore=("background",),
)

Table = tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_]]


def features(data: Path, extractor: Extractor, finder: WeightFinder, store: FeatureStore) -> dict[str, Video]:
    """Extracts every annotated video; the videos by their names in the annotations."""
    paths = GTEA.read(data).videos
    with Decoder() as decoder:
        scanned = list(scan(paths.values(), decoder))
    videos = {name: one for name, one in zip(paths, scanned, strict=True) if isinstance(one, Video)}
    for event in extract(work(videos.values(), [extractor], store), store, finder):
        if isinstance(event, Outcome):
            print(f"{event.video.name}: {event.state}, {event.rows} rows in {event.wall_seconds:.1f} s", flush=True)
    return videos


def table(data: Path, extractor: Extractor, finder: WeightFinder) -> Table:
    """(segments, width) mean features, verbs and videos of every labelled segment."""
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "features", create=True)
        videos = features(data, extractor, finder, store)
        stored = {name: store.read(entry_key(video, extractor, {})) for name, video in videos.items()}
    clips = GTEA.read(data).clips
    rows = [
        stored[clip.video]["feature"][rows_of(stored[clip.video].time, clip.parts, 0)].astype(np.float64).mean(axis=0)
        for clip in clips
    ]
    return np.stack(rows), np.array([clip.labels["verb"] for clip in clips]), np.array([clip.video for clip in clips])


def accuracy(model: object, rows: NDArray[np.float64], verbs: NDArray[np.str_], videos: NDArray[np.str_],
             permuted: np.random.Generator | None = None) -> float:  # fmt: skip
    """Right segments over all segments, each predicted by a model that has not seen its video."""
    right = 0
    for train, test in LeaveOneGroupOut().split(rows, verbs, videos):
        labels = verbs[train] if permuted is None else permuted.permutation(verbs[train])
        right += int((model.fit(rows[train], labels).predict(rows[test]) == verbs[test]).sum())  # type: ignore[attr-defined]
    return right / len(verbs)


def main() -> None:
    """Prints the three figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED / "labelled_gtea_s2")
    parser.add_argument("--weights", type=Path, default=SHARED / "weights" / "imagenet_small")
    parser.add_argument("--permutations", type=int, default=20)
    asked = parser.parse_args()
    finder = WeightFinder([asked.weights])
    settings = ["image_model.weights=mobilenet_v2_1.0_224_quant.tflite"]
    extractor = extractors_from(["image_model"], settings, finder)["image_model"]
    rows, verbs, videos = table(asked.data, extractor, finder)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        real = accuracy(probe, rows, verbs, videos)
        chance = [
            accuracy(probe, rows, verbs, videos, np.random.default_rng(seed)) for seed in range(asked.permutations)
        ]
    majority = accuracy(DummyClassifier(strategy="most_frequent"), rows, verbs, videos)
    print(f"{len(verbs)} segments, {len(set(verbs))} verbs, {len(set(videos))} videos, leave one video out:")
    print(f"  probe                {real:.1%}")
    print(f"  majority class       {majority:.1%}")
    print(f"  permuted labels      {np.mean(chance):.1%} (mean of {len(chance)}; highest {max(chance):.1%})")


if __name__ == "__main__":
    main()
