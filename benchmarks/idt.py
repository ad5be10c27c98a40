"""Camera motion, improved dense trajectories and motion maps: speed on one core, and truth in the kitchen.

    python benchmarks/idt.py [--seconds 6] [--engines-frames 40] [--no-accuracy]

Pictures are drawn at 960x540, noise included, not compressed. Speed is in CPU seconds of one thread on one core,
the best of three runs; the baseline is the flow alone, two dense searches (DIS, preset fast) a frame, without which
there is no warp flow.

    idt, dis, finest 4 scales       goal 25 frames a second and core
    idt, farneback, 8 scales        the exact preset: its speed is told
    camera                          corner error of the homography; goal 1.5 px
    warp flow                       its median outside moving things at 456x256; goal 0.3 px
    motion maps                     recall over what moves, precision against all that may (dilated by one radius), both
                                    over all videos but their first and last 10 frames; goals 0.85 and 0.6
    engines                         intersection over union of their maps; goal 0.7
    turning camera                  surviving tracks of sampled points, drawn and at CRF 23; goals 0 and 0.5 %

Recall over the whole mask is told too: hands at rest belong to it, and no track shows them.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from ego.extractors import _idt_flow, _idt_follow
from ego.extractors._camera import Camera
from ego.extractors._homography import between, corners, stabilise
from ego.extractors._idt_follow import Follower
from ego.extractors._idt_tracks import Tracks
from ego.extractors.idt import IDT
from ego.extractors.motion_map import MotionMap
from ego.media.decode import Decoder, Look
from ego.media.encode import encode
from ego.sampling import Window
from ego.video import Picture, Video

KITCHENS = ((0, 0), (0, 4), (1, 1), (0, 3))
MORE = ((2, 0), (2, 3), (3, 1), (3, 4), (5, 2))  # not looked at while the map's rules were found
SIZE = (960, 540)


def worlds() -> ModuleType:
    """The worlds of the tests."""
    path = Path(__file__).parents[1] / "tests" / "extractors" / "worlds.py"
    spec = importlib.util.spec_from_file_location("worlds", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["worlds"] = module
    spec.loader.exec_module(module)
    return module


def cpu_ms(work: Callable[[], Any], count: int, runs: int = 3) -> float:
    """The least CPU milliseconds of this thread for each of `count` things that one run does."""
    best = np.inf
    for _ in range(runs):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return 1000 * best / count


@contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """Adds up the CPU seconds of the parts of a frame while it lasts."""
    places = [(_idt_follow, name) for name in ("pyramid", "corners", "between", "stabilise", "eigen", "survives")]
    places += [(_idt_flow.Dis, "flow"), (Tracks, "advance"), (Tracks, "sample"), (Tracks, "end")]
    before = [(place, name, getattr(place, name)) for place, name in places]
    for place, name, plain in before:

        def watched(*given: Any, name: str = name, plain: Any = plain) -> Any:
            began = time.thread_time()
            found = plain(*given)
            spent[name] = spent.get(name, 0.0) + time.thread_time() - began
            return found

        setattr(place, name, watched)
    yield
    for place, name, plain in before:
        setattr(place, name, plain)


def follow_all(spec: IDT, pictures: Any) -> Follower:
    """Follows all pictures."""
    follower = Follower(spec, pictures.shape[2], pictures.shape[1])
    for picture in pictures:
        follower.push(picture)
    return follower


def speed(pictures: Any) -> None:
    """Frames a second, the parts, and the baseline."""
    greys = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in pictures]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    pairs = list(pairwise(greys))
    floor = 2 * cpu_ms(lambda: [search.calc(*pair, None) for pair in pairs], len(pairs))
    print(f"baseline: two DIS searches {floor:.1f} ms a frame")
    for scales in (4, 8):
        spec = IDT(scales=scales)
        taken = cpu_ms(lambda spec=spec: follow_all(spec, pictures), len(pictures))
        print(
            f"idt dis {scales} scales: {1000 / taken:.1f} frames/s a core, {taken / floor:.2f} x the baseline (goal 25)"
        )
    spent: dict[str, float] = {}
    with timed(spent):
        follow_all(IDT(scales=4), pictures)
    print("parts, ms a frame: " + ", ".join(
        f"{name} {1000 * one / len(pictures):.1f}" for name, one in sorted(spent.items(), key=lambda item: -item[1])
    ))  # fmt: skip
    few = pictures[:8]
    taken = cpu_ms(lambda: follow_all(IDT(engine="farneback"), few), len(few), 1)
    print(f"idt farneback 8 scales: {1000 / taken:.2f} frames/s a core, {taken / floor:.1f} x the baseline")


def camera(kit: ModuleType, seconds: float) -> None:
    """Corner errors, and warp flow outside moving things."""
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    errors: list[float] = []
    still: list[float] = []
    for seed, index in KITCHENS:
        for size in (SIZE, (456, 256)):
            cook = kit.kitchen(seed, index, seconds, size, False)
            for t in range(0, len(cook.pictures) - 1, 6):
                before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in cook.pictures[t : t + 2])
                start = corners(Camera(), before)
                at = start.astype(int)
                flow = search.calc(before, after, None)
                motion = between(Camera(), before, after, (start, start + flow[at[:, 1], at[:, 0]]))
                if size == SIZE:
                    errors.append(kit.corner_error(motion.homography, cook.camera(t), *size))
                    continue
                near = (cook.mask[t] | cook.mask[t + 1]).astype(np.uint8)
                far = cv2.dilate(near, np.ones((31, 31), np.uint8)) == 0
                left = search.calc(before, stabilise(after, motion, before), None)
                still.append(float(np.median(np.hypot(*np.moveaxis(left, 2, 0))[far])))
    print(f"camera: corner error median {np.median(errors):.2f} px, p90 {np.percentile(errors, 90):.2f}, worst "
          f"{max(errors):.2f} of {len(errors)} pairs (goal 1.5)")  # fmt: skip
    print(f"warp flow outside moving things: median {np.median(still):.2f} px, worst pair {max(still):.2f} (goal 0.3)")


def maps(kit: ModuleType, seconds: float, frames: int) -> None:
    """Recall, precision and agreement."""
    found, agree = [], []
    for seed, index in MORE:
        cook = kit.kitchen(seed, index, seconds, SIZE)
        made = kit.maps(MotionMap(idt=IDT(scales=4)), cook.pictures).arrays["feature"][10:-10]
        found.append((kit.recall(made, cook.moving[10:-10]), kit.precision(made, cook.mask[10:-10], 14),
                      kit.recall(made, cook.mask[10:-10])))  # fmt: skip
        print(f"kitchen {seed}/{index}: recall {found[-1][0]:.2f}, precision {found[-1][1]:.2f}", flush=True)
    for seed, index in KITCHENS:
        cook = kit.kitchen(seed, index, seconds, SIZE)
        made = kit.maps(MotionMap(idt=IDT(scales=4)), cook.pictures).arrays["feature"]
        inner = slice(10, -10)
        row = (
            kit.recall(made[inner], cook.moving[inner]), kit.precision(made[inner], cook.mask[inner], 14),
            kit.recall(made[inner], cook.mask[inner]),
        )  # fmt: skip
        first = int(cook.moving[: max(1, len(made) - frames)].mean(axis=(1, 2)).argmax())
        part = cook.pictures[first : first + frames]
        both = [
            kit.maps(MotionMap(idt=IDT(scales=4, engine=engine)), part).arrays["feature"][inner]
            for engine in ("dis", "farneback")
        ]
        agree.append(float((both[0] & both[1]).sum() / (both[0] | both[1]).sum()))
        found.append(row)
        print(f"kitchen {seed}/{index}: recall {row[0]:.2f}, precision {row[1]:.2f}, with hands at rest {row[2]:.2f}; "
              f"engines agree {agree[-1]:.2f} on frames {first} to {first + frames}", flush=True)  # fmt: skip
    recall, precision, rest = np.mean(found, axis=0)
    print(f"motion maps: recall {recall:.2f} (goal 0.85), precision {precision:.2f} (goal 0.6), with hands at rest "
          f"{rest:.2f}; engines agree {np.mean(agree):.2f} (goal 0.7)")  # fmt: skip


def turning(kit: ModuleType) -> None:
    """What a camera that only turns leaves."""
    pictures, _ = kit.turning(60)
    native = Picture("native", 0)
    with tempfile.TemporaryDirectory() as folder, Decoder() as decoder:
        path = encode(Path(folder) / "turn.mp4", iter(pictures), 25, crf=23)
        video = Video("0" * 64, "turn", str(path), decoder.probe(str(path)))
        shown = [one.pictures[native].copy() for one in decoder.frames(video, [Look(native, Window())])]
    for name, given in (("drawn", pictures), ("CRF 23", shown)):
        follower = Follower(IDT(), *SIZE)
        kept = sum(len(follower.push(picture)["points"]) for picture in given)
        print(f"turning camera, {name}: {kept} tracks of {follower.sampled} points, {kept / follower.sampled:.3%}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--engines-frames", type=int, default=40)
    parser.add_argument("--no-accuracy", action="store_true")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    kit = worlds()
    print(f"OpenCV {cv2.__version__}, {SIZE[0]}x{SIZE[1]}, one thread on one core, load {os.getloadavg()[0]:.1f}; "
          f"{asked.seconds:g} s of kitchens {', '.join(f'{seed}/{index}' for seed, index in KITCHENS)}")  # fmt: skip
    print(f"idt: {IDT(scales=4).describe()['fields']}")
    print(f"motion_map: { {key: one for key, one in MotionMap().describe()['fields'].items() if key != 'idt'} }")
    speed(kit.kitchen(0, 0, 4.0, SIZE, False).pictures[:80])
    if not asked.no_accuracy:
        turning(kit)
        camera(kit, asked.seconds)
        maps(kit, asked.seconds, asked.engines_frames)


if __name__ == "__main__":
    main()
