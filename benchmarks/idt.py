"""Camera motion, improved dense trajectories and motion maps: speed on one core, and truth in the kitchen.

    python benchmarks/idt.py [--seconds 6] [--no-accuracy] [--only-maps] [--chosen-on] [--processes 1]

Pictures are drawn at 960x540, noise included, not compressed. Speed is in CPU seconds of one thread on one core,
the best of three runs; the baseline is the flow alone, two dense searches (DIS, preset fast) a frame, without which
there is no warp flow.

    idt, dis, finest 4 scales       goal 25 frames a second and core
    idt, farneback, 8 scales        the exact preset: its speed is told
    camera                          corner error of the homography; goal 1.5 px
    warp flow                       its median outside moving things at 456x256; goal 0.3 px
    motion maps                     recall over what moves, precision against all that may (dilated by one radius), of
                                    either engine; goals 0.85 and 0.6
    engines                         intersection over union of their maps; goal 0.7
    turning camera                  surviving tracks of sampled points, drawn and at CRF 23; goals 0 and 0.5 %

Motion maps are judged on whole videos but their first and last 10 frames, in kitchens that were not looked at before
all their constants stood; `--chosen-on` tells of those on which they were chosen too. Their pixels are added up over
all kitchens before shares are taken: a mean of shares, which stands beside, is ruled by kitchens where hardly anything
moves. Recall over the whole mask stands beside too: hands at rest belong to it, and no track shows them.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
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
SEEN = ((2, 0), (2, 3), (3, 1), (3, 4), (5, 2), (11, 1), (12, 2), (13, 3), (14, 4), (15, 0))
CHOSEN_ON = (*KITCHENS, *SEEN)
"""Where the rules of the motion maps and their constants were chosen, or that were looked at before they were."""
HELD_OUT = ((41, 1), (42, 2), (43, 3), (44, 4), (45, 0), (46, 1))
"""Named before they were drawn, and looked at when all was chosen."""
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


def judged(which: tuple[int, int], seconds: float) -> dict[str, float]:
    """Pixels of one kitchen, in all its frames but ten at either end."""
    kit, inner = worlds(), slice(10, -10)
    cook = kit.kitchen(*which, seconds, SIZE)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (29, 29))
    near = np.stack([cv2.dilate(one.astype(np.uint8), disc) > 0 for one in cook.mask[inner]])
    moving, mask = cook.moving[inner], cook.mask[inner]
    made = {
        engine: kit.maps(MotionMap(idt=IDT(scales=4, engine=engine)), cook.pictures).arrays["feature"][inner]
        for engine in ("dis", "farneback")
    }
    one, other = made.values()
    found = {"all": one.size, "moving": moving.sum(), "mask": mask.sum(), "rest": (one & mask).sum(),
             "both": (one & other).sum(), "either": (one | other).sum()}  # fmt: skip
    for engine, painted in made.items():
        found |= {f"{engine} hit": (painted & moving).sum(), f"{engine} near": (painted & near).sum()}
        found |= {f"{engine} painted": painted.sum()}
    return {name: float(count) for name, count in found.items()}


def shares(pixels: dict[str, float]) -> dict[str, float]:
    """What is told of such pixels; NaN of nothing."""
    pairs = {"recall": ("dis hit", "moving"), "precision": ("dis near", "dis painted"),
             "recall (farneback)": ("farneback hit", "moving"),
             "precision (farneback)": ("farneback near", "farneback painted"),
             "engines agree": ("both", "either"), "recall with hands at rest": ("rest", "mask")}  # fmt: skip
    return {name: pixels[part] / pixels[whole] if pixels[whole] else np.nan for name, (part, whole) in pairs.items()}


def maps(which: tuple[tuple[int, int], ...], seconds: float, processes: int) -> None:
    """Recall, precision and agreement."""
    found = []
    with ProcessPoolExecutor(processes, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for (seed, index), pixels in zip(which, pool.map(judged, which, [seconds] * len(which)), strict=True):
            found.append(pixels)
            told = ", ".join(f"{name} {one:.2f}" for name, one in shares(pixels).items())
            print(f"kitchen {seed}/{index}: {told}; {pixels['moving'] / pixels['all']:.1%} moves", flush=True)
    pooled = shares({name: sum(one[name] for one in found) for name in found[0]})
    each = [shares(one) for one in found]
    print(f"motion maps of {len(found)} kitchens (goals: recall 0.85, precision 0.6, engines agree 0.7)")
    for name, one in pooled.items():
        print(f"  {name}: {one:.3f} of all pixels, mean over kitchens {np.nanmean([of[name] for of in each]):.3f}")


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
    parser.add_argument("--no-accuracy", action="store_true")
    parser.add_argument("--only-maps", action="store_true")
    parser.add_argument("--chosen-on", action="store_true")
    parser.add_argument("--processes", type=int, default=1, help="for the motion maps alone")
    asked = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    cv2.setNumThreads(1)
    kit = worlds()
    shown = ", ".join(f"{seed}/{index}" for seed, index in KITCHENS)
    print(f"OpenCV {cv2.__version__}, {SIZE[0]}x{SIZE[1]}, one thread on one core, load {os.getloadavg()[0]:.1f}; "
          f"{asked.seconds:g} s of each kitchen, the camera's: {shown}")  # fmt: skip
    print(f"idt: {IDT(scales=4).describe()['fields']}")
    print(f"motion_map: { {key: one for key, one in MotionMap().describe()['fields'].items() if key != 'idt'} }")
    if not asked.only_maps:
        speed(kit.kitchen(0, 0, 4.0, SIZE, False).pictures[:80])
    if not asked.no_accuracy and not asked.only_maps:
        turning(kit)
        camera(kit, asked.seconds)
    if not asked.no_accuracy:
        os.sched_setaffinity(0, cores)
        print("kitchens that were not looked at before all was chosen:")
        maps(HELD_OUT, asked.seconds, asked.processes)
        if asked.chosen_on:
            print("kitchens on which it was chosen:")
            maps(CHOSEN_ON, asked.seconds, asked.processes)


if __name__ == "__main__":
    main()
