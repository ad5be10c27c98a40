"""Every modality of one video in one pass, against each of them alone, in CPU seconds.

    python benchmarks/one_pass.py [--seconds 60]

A kitchen video is drawn; flow, warp flow, dense trajectories, motion maps, hands, gaze, heatmaps, sound and
a ResNet are extracted together and then one by one. What one pass shares (the decode, and a held
extractor's rows) is counted once; the rest should cost what it costs alone.
"""

import argparse
import resource
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ego.cache.store import FeatureStore
from ego.datasets.kitchen import Kitchen
from ego.extractors._base import Extractor
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.lanes import Lane
from ego.pipeline.needs import held_by, in_order
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder
from ego.video import Reading, Video

RECIPE = """
[extractors.rgb]
name = "resnet"
weights = "random:0"
size = 112
picture = { fit = "short", size = 112 }
[extractors.dis]
[extractors.warp_flow]
flow = { name = "dis" }
[extractors.idt]
engine = "dis"
scales = 4
height = 270
[extractors.motion_map]
idt = { engine = "dis", scales = 4, height = 270 }
[extractors.hands]
[extractors.gaze]
[extractors.gaze_heatmap]
[extractors.log_mel]
"""


@dataclass(frozen=True)
class Cost:
    """What a run took: CPU seconds in all, those of its decodes, how many decodes, rows computed by digest."""

    cpu: float
    decode_cpu: float
    decodes: int
    rows: Mapping[str, int]


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def run(video: Video, extractors: Sequence[Extractor], readings: Mapping[str, Reading]) -> Cost:
    """Extracts into a new store and counts."""
    decodes, rows = [0], Counter[str]()
    frames, compute = Decoder.frames, Lane.compute

    def counted_frames(self: Decoder, *asked: Any) -> Any:
        decodes[0] += 1
        return frames(self, *asked)

    def counted_compute(self: Lane, inputs: Any, *more: Any) -> Any:
        rows[self.extractor.digest] += len(next(iter(inputs.values())))
        return compute(self, inputs, *more)

    Decoder.frames, Lane.compute = counted_frames, counted_compute  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            store = FeatureStore(folder, create=True)
            beside = {video.digest: readings}
            began = cpu_seconds()
            done = [
                one for one in extract(work([video], extractors, store, beside), store, {}) if isinstance(one, Outcome)
            ]
            spent = cpu_seconds() - began
    finally:
        Decoder.frames, Lane.compute = frames, compute  # type: ignore[method-assign]
    assert all(one.state == "stored" for one in done), [one.error for one in done]
    decoding = sum(one.about["decoded"]["decode_cpu_seconds"] for one in done)
    return Cost(spent, decoding, decodes[0], rows)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as world:
        video, readings = kitchen(Path(world), asked.seconds)
        extractors = recipe.parse(RECIPE, (), WeightFinder([])).extractors
        run(video.cut(0, 2), list(extractors.values()), readings)  # imports and first calls
        together = run(video, list(extractors.values()), readings)
        own: dict[str, float] = {}
        alone = 0.0
        for one in in_order(extractors.values()):
            cost = run(video, [one], readings)
            own[one.digest] = cost.cpu - cost.decode_cpu - sum(own[held.digest] for held in held_by(one).values())
            alone += cost.cpu
            print(f"  {one.name:14} alone {cost.cpu:7.2f} CPU s, of its own {own[one.digest]:7.2f}")
    expected = sum(own.values()) + together.decode_cpu
    rows = {one.name: together.rows[one.digest] for one in in_order(extractors.values()) if one.digest in together.rows}
    print(f"one pass over {asked.seconds:g} s at 480x270: {together.cpu:.2f} CPU s, {together.decodes} decode")
    print(f"rows computed: {rows}")
    print(f"each alone, added up: {alone:.2f} CPU s; less what is shared: {expected:.2f} CPU s")
    print(f"one pass over the parts less what they share: {together.cpu / expected:.3f} (goal at most 1.1)")


def kitchen(world: Path, seconds: float) -> tuple[Video, Mapping[str, Reading]]:
    """A drawn video with sound and gaze."""
    from click.testing import CliRunner

    from ego.cli import group

    words = ["synth", "kitchen", "--out", str(world), "--videos", "1", "--seconds", str(seconds), "--size", "480x270"]
    done = CliRunner().invoke(group, [*words, "--quiet"])
    assert done.exit_code == 0, done.output
    path = next((world / "videos").glob("*.mp4"))
    with Decoder() as decoder:
        (video,) = scan([path], decoder)
    assert isinstance(video, Video)
    return video, Kitchen().readings(world, path.stem)


if __name__ == "__main__":
    main()
