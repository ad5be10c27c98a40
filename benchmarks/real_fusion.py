"""Whether flow, motion maps and hands add to an image network on real videos: leave one video out, with a control.

    python benchmarks/real_fusion.py [--data DIR] [--store DIR] [--permutations 5]

DIR holds videos/ and segments_shared.csv (video, verb, start_s, stop_s), as recipes/gtea_fusion.toml says, whose
extractors are run where the store lacks them. A ridge or logistic regression on each clip's mean features is tested on
every video by one that has not seen it. Which of the two, its norm and its strength are chosen from one grid, for the
image network alone as for the fusion, by leaving out each of the training videos in turn; the tested one has no say.
`permuted` is the same fusion, chosen the same way, where every clip has the flow, motion maps and hands of another
clip. Intervals are paired bootstraps over clips.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.cache.store import FeatureStore
from ego.heads._train import predict
from ego.heads.logistic import Logistic
from ego.heads.ridge import Ridge
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.cached import CachedClips
from ego.pipeline.controls import with_controls
from ego.pipeline.extract import extract
from ego.pipeline.fit import Workplace, planned, stored_clips
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder

HERE = Path(__file__).parents[1]
SHARED = Path(os.environ.get("EGO_TEST_DATA", HERE.parent / "shared" / "data"))
GRID = (
    *(Ridge(norm=norm, strengths=(x,)) for norm in ("equal", "layer") for x in (0.1, 0.3, 1.0, 3.0, 10.0)),
    *(Logistic(norm="equal", strength=x, iterations=300) for x in (10.0, 100.0)),
    *(Logistic(norm="layer", strength=x, iterations=300) for x in (0.01, 0.1, 1.0)),
)
"""Heads that every arm may choose from."""

Right = NDArray[np.float64]


def fill(asked: recipe.Recipe, data: Path, store: FeatureStore, finder: WeightFinder) -> None:
    """Extracts what the store lacks of the recipe."""
    assert asked.dataset is not None
    with Decoder() as decoder:
        videos = list(scan(asked.dataset.videos(data).values(), decoder, store=store))
    for event in extract(work(videos, list(asked.extractors.values()), store), store, finder):
        if isinstance(event, Outcome) and event.state != "present":
            print(f"{event.video.name}: {event.state}, {event.wall_seconds:.0f} s", flush=True)


def clips_of(asked: recipe.Recipe, data: Path, store: FeatureStore, finder: WeightFinder) -> CachedClips:
    """All clips with the features of the recipe's head."""
    with Decoder() as decoder:
        at = Workplace(data, store, finder, decoder, data)
        plan, entries = planned("fit-heads", asked, at, ())
        return stored_clips(plan, entries, at)


def right(clips: CachedClips, head: Ridge | Logistic, train: NDArray[np.int64], test: NDArray[np.int64]) -> Right:
    """(test,) 1 where the verb is right, of a head trained on some clips."""
    tasks = clips.problem.trained_tasks
    chosen = clips.only(train)
    module = head.solve(chosen.batch(np.arange(len(chosen))), clips.shapes, tasks)
    found = predict(module, clips.only(test), ("verb",))["verb"]
    return (found.predictions.argmax(axis=1) == found.labels).astype(np.float64)


def nested(clips: CachedClips, features: Sequence[str]) -> tuple[Right, list[str]]:
    """(clips,) 1 where the verb is right, each by a head that has not seen its video, and the settings chosen."""
    grid = [replace(head, features=tuple(features)) for head in GRID]
    videos = np.array([clip.video.digest for clip in clips.problem.clips])
    found, picked = np.zeros(len(videos)), []
    for held in dict.fromkeys(videos):
        seen = videos != held
        scores = []
        for head in grid:
            inner = [
                right(clips, head, np.flatnonzero(seen & (videos != one)), np.flatnonzero(videos == one)).sum()
                for one in dict.fromkeys(videos[seen])
            ]
            scores.append(sum(inner))
        head = grid[int(np.argmax(scores))]
        picked.append(f"{head.name} {head.norm} {head.strengths[0] if isinstance(head, Ridge) else head.strength:g}")
        found[~seen] = right(clips, head, np.flatnonzero(seen), np.flatnonzero(~seen))
    return found, picked


def commonest(clips: CachedClips) -> Right:
    """(clips,) 1 where the verb is the commonest of the other videos."""
    videos = np.array([clip.video.digest for clip in clips.problem.clips])
    verbs = clips.problem.labels["verb"]
    guess = [np.bincount(verbs[videos != own]).argmax() for own in videos]
    return (verbs == guess).astype(np.float64)


def interval(each: Right, draws: int = 10_000) -> tuple[float, float]:
    """The middle 95 % of the means of clips drawn with replacement; of differences, a paired bootstrap."""
    picked = np.random.default_rng(0).integers(len(each), size=(draws, len(each)))
    low, high = np.percentile(each[picked].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def line(words: str, each: Right, sign: str = "") -> None:
    """Prints a mean with its interval, in percent."""
    low, high = interval(each)
    print(f"{words:34s} {100 * each.mean():{sign}5.1f}   [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED / "labelled_gtea_s2")
    parser.add_argument("--weights", type=Path, default=SHARED / "weights" / "imagenet_small")
    parser.add_argument("--recipe", type=Path, default=HERE / "recipes" / "gtea_fusion.toml")
    parser.add_argument("--store", type=Path, help="Where features are kept; else they are thrown away.")
    parser.add_argument("--permutations", type=int, default=5)
    asked = parser.parse_args()
    finder = WeightFinder([asked.weights])
    read = recipe.read(asked.recipe, (), finder)
    with tempfile.TemporaryDirectory() as scratch:
        store = FeatureStore(asked.store or Path(scratch) / "features", create=True)
        fill(read, asked.data, store, finder)
        clips = clips_of(read, asked.data, store, finder)
    assert read.head is not None
    features, image = read.head.features, read.head.features[0]
    beside = tuple(dict.fromkeys(name.partition(".")[0] for name in features[1:]))
    verbs = clips.problem.labels["verb"]
    videos = {clip.video.digest for clip in clips.problem.clips}
    print(
        f"{len(verbs)} clips, {len(set(verbs))} verbs, {len(videos)} videos, each left out once; percent right, 95 %:"
    )
    alone, settings = nested(clips, (image,))
    fused, fused_settings = nested(clips, features)
    permuted = [
        nested(with_controls(clips, replace(read.sampling, permuted=beside, control_seed=seed)), features)[0]
        for seed in range(asked.permutations)
    ]
    control = np.mean(permuted, axis=0)
    line("commonest verb", commonest(clips))
    line(f"{image} alone", alone)
    line("fusion", fused)
    line(f"fusion, permuted ({len(permuted)} times)", control)
    line(f"fusion - {image} alone", fused - alone, "+")
    line("fusion - permuted", fused - control, "+")
    line(f"permuted - {image} alone", control - alone, "+")
    print(f"fusion: {', '.join(features)}; permuted: {', '.join(beside)}")
    print(f"chosen for each video: alone {', '.join(settings)}; fusion {', '.join(fused_settings)}")


if __name__ == "__main__":
    main()
