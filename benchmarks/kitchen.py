"""The synthetic kitchen judged: how fast one core draws it, and what simple probes can and cannot read from it.

    python benchmarks/kitchen.py [WORLD] [--videos 40] [--seconds 40] [--seed 0]

Draws a world (or reads WORLD, one of `ego synth kitchen --layout folder`) and trains logistic regressions on
true segments and true splits: training and validation videos against test videos, whose looks are all new.

    mean colour -> verb             at most 1.5 times chance: there is no shortcut
    appearance -> direction pairs   at most 60 %: frames without their order do not tell take from put
    appearance -> noun              good: pictures at the true gaze do tell things apart
    true hand motion -> verb        at least 80 %: who sees how the hands move can learn it

Appearance is a clip's mean over frames of oriented gradients and colour histograms: of the whole frame, of a square
about the true gaze and of one about the hand nearest to it, once over all frames and once over those where gaze and
hand meet; it knows no order. Pairs are judged by balanced
accuracy, so that chance is a half. Chance is the share of the commonest verb where accuracy is
plain, and 1 / verbs where it is balanced over verbs.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.crew import draw_all
from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.grammar import DIRECTION_PAIRS, NOUNS, VERBS
from ego.datasets.kitchen.paths import through
from ego.datasets.kitchen.shoot import Shoot, film_file
from ego.datasets.kitchen.world import World, begin, done, finish
from ego.media.decode import Decoder, Look
from ego.sampling import Window
from ego.video import Picture, Video

Features = dict[str, NDArray[np.float64]]
STEPS = 24
HOG = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)


def frames_per_second(seconds: float) -> float:
    """Frames a second on one core, from seed to finished file: picture, noise, truth, sound and H.264."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        film = direct(Order(0, 3, "train", seconds, 30, (456, 256)))
        shoot = Shoot(film)
        film_file(Path(folder) / "film.mp4", film, shoot.frames())
        truth.save(Path(folder) / "truth.npz", shoot.arrays)
        return len(film.times) / (time.perf_counter() - began)


def describe(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Oriented gradients (Dalal and Triggs 2005) and colour histograms of a square, whole and inner half."""
    small = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA)
    hue = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    areas = (hue, np.ascontiguousarray(hue[16:48, 16:48]))
    counts = [cv2.calcHist([one], [0, 1, 2], None, [8, 4, 3], [0, 180, 0, 256, 0, 256]).ravel() for one in areas]
    return np.concatenate([HOG.compute(small).ravel(), *(np.sqrt(one / one.sum()) for one in counts)]).astype(float)


def square(picture: NDArray[np.uint8], at: NDArray[np.float64], side: int = 72) -> NDArray[np.uint8]:
    """The square about a point in pixels, kept inside the picture."""
    if not np.isfinite(at).all():
        at = np.array(picture.shape[1::-1]) / 2
    left = int(np.clip(at[0] - side / 2, 0, picture.shape[1] - side))
    top = int(np.clip(at[1] - side / 2, 0, picture.shape[0] - side))
    return picture[top : top + side, left : left + side]


def motion(known: truth.Arrays, first: int, last: int, lead: int) -> NDArray[np.float64]:
    """The paths of both hands over a clip, seen from its middle frame: resampled, with how open and how they swing.

    The acting hand comes first, so that a left-handed cook's motion is the mirror image of a right-handed one's.
    """
    points = known["hand_points"][first:last].astype(float)
    middle = known["camera"][(first + last) // 2]
    cameras = known["camera"][first:last]
    steady = np.stack([through(middle @ np.linalg.inv(one), p) for one, p in zip(cameras, points, strict=True)])
    if lead == 0:
        steady = steady[:, ::-1] * (-1, 1)
    size = np.linalg.norm(steady[:, :, 1] - steady[:, :, 0], axis=-1, keepdims=True).mean(0) + 1e-6
    palm = (steady[:, :, 1] - steady[:, :1, 1].mean(0)) / size
    spread = np.linalg.norm(steady[:, :, 4] - steady[:, :, 1], axis=-1) / size[..., 0]
    ahead = steady[:, :, 4] - steady[:, :, 0]
    turn = np.arctan2(ahead[..., 0], -ahead[..., 1])
    paths = np.concatenate([palm[:, :, 0], palm[:, :, 1], spread, turn], 1)
    at = np.linspace(0, len(paths) - 1, STEPS)
    resampled = np.stack([np.interp(at, np.arange(len(paths)), column) for column in paths.T])
    swing = np.abs(np.diff(paths, n=2, axis=0)).mean(0) * 20
    return np.concatenate([resampled.ravel(), swing])


def clips(root: Path, world: World, videos: int) -> Iterator[tuple[str, NDArray[np.int64], Features]]:
    """(split, verb and noun, features) of every action."""
    with Decoder() as decoder:
        for one in finish(world, videos, root):
            known = truth.load(root / "truth" / f"{one['name']}.npz")
            path = root / "videos" / f"{one['name']}.mp4"
            video = Video("0" * 64, one["name"], str(path), decoder.probe(str(path)))
            picture = Picture("native", 0)
            window = Window(fps=5.0)
            shown = [
                (frame.start, frame.pictures[picture].copy())
                for frame in decoder.frames(video, [Look(picture, window)])
                if picture in frame.pictures
            ]
            yield from _clips_of(one["split"], known, shown)


def _clips_of(
    split: str, known: truth.Arrays, shown: list[tuple[float, NDArray[np.uint8]]]
) -> Iterator[tuple[str, NDArray[np.int64], Features]]:
    frames, size = known["seconds"], known["size"]
    looks = []
    for when, picture in shown:
        index = int(np.abs(frames - when).argmin())
        gaze = known["gaze"][index] * size
        grasps = known["hand_points"][index, :, 7].astype(float)
        far = np.hypot(*(grasps - gaze).T)
        near = np.nan_to_num(far, nan=np.inf).argmin()
        squares = describe(square(picture, gaze)), describe(square(picture, grasps[near]))
        looks.append((picture.mean((0, 1)), np.concatenate([describe(picture), *squares]), bool(far.min() < 45)))
    times = np.array([when for when, _ in shown])
    for span, classes, lead in zip(known["segments"], known["segment_classes"], known["segment_hand"], strict=True):
        inside = np.flatnonzero((times >= span[0]) & (times < span[1]))
        first, last = np.searchsorted(frames, span[:2])
        colour, appearance = (np.mean([looks[index][kind] for index in inside], 0) for kind in range(2))
        meet = np.mean([looks[index][1] for index in inside if looks[index][2]] or [appearance], 0)
        appearance = np.concatenate([appearance, meet])
        yield split, classes[:2].astype(np.int64), {
            "colour": colour, "appearance": appearance, "motion": motion(known, int(first), int(last), int(lead)),
        }  # fmt: skip


def probe(name: str, balance: str | None = None) -> Pipeline:
    """A logistic regression on standardised features, held back more where they are many."""
    strength = {"colour": 1.0, "motion": 0.1, "appearance": 0.01}[name]
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000, class_weight=balance))


def report(found: list[tuple[str, NDArray[np.int64], Features]]) -> None:
    """Prints each probe beside what is asked of it."""
    test = np.array([split == "test" for split, _, _ in found])
    labels = np.stack([label for _, label, _ in found])
    features = {name: np.stack([one[name] for _, _, one in found]) for name in found[0][2]}

    def predict(
        name: str, label: NDArray[np.int64], chosen: NDArray[np.bool_], balance: str | None = None
    ) -> tuple[NDArray[np.int64], ...]:
        learn, judge = chosen & ~test, chosen & test
        fitted = probe(name, balance).fit(features[name][learn], label[learn])
        return fitted.predict(features[name][judge]), label[judge]

    whole = np.ones(len(test), bool)
    verbs, nouns = labels[:, 0], labels[:, 1]
    print(f"{(~test).sum()} clips to learn from, {test.sum()} to judge; {len(set(verbs))} of {len(VERBS)} verbs, "
          f"{len(set(nouns))} of {len(NOUNS)} nouns")  # fmt: skip
    for name, label, words in (
        ("colour", verbs, "mean colour -> verb"), ("appearance", verbs, "appearance -> verb"),
        ("appearance", nouns, "appearance -> noun"), ("motion", verbs, "true hand motion -> verb"),
        ("motion", nouns, "true hand motion -> noun"),
    ):  # fmt: skip
        guess, true = predict(name, label, whole)
        common = float((true == np.bincount(label[~test]).argmax()).mean())
        balanced = balanced_accuracy_score(true, guess)
        kinds = len(set(true))
        print(f"{words:32s} {(guess == true).mean():6.1%} (commonest {common:.1%})   "
              f"balanced {balanced:6.1%} (chance {1 / kinds:.1%}, x{balanced * kinds:.2f})")  # fmt: skip
    for name in ("colour", "appearance", "motion"):
        right = total = 0
        each = []
        for pair in DIRECTION_PAIRS:
            chosen = np.isin(verbs, [VERBS.index(verb) for verb in pair])
            guess, true = predict(name, verbs, chosen, "balanced")
            balanced = balanced_accuracy_score(true, guess)
            right, total = right + balanced * len(true), total + len(true)
            each.append(f"{'/'.join(pair)} {balanced:.0%} of {len(true)}")
        print(f"{name + ' -> direction of a pair':32s} {right / total:6.1%} (chance 50.0%)   {', '.join(each)}")


def main() -> None:
    """Draws, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", nargs="?", type=Path)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-speed", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, world = asked.world or Path(folder) / "world", World(asked.seed, seconds=asked.seconds)
        begin(world, root)
        cores = len(os.sched_getaffinity(0))
        missing = [index for index in range(asked.videos) if not done(world, index, root)]
        draw_all(world, missing, root, cores, lambda news: None)
        report(list(clips(root, world, asked.videos)))
    if not asked.no_speed:
        print(f"{frames_per_second(20):.0f} frames a second on one core (goal 60) at 456x256, 30 fps")


if __name__ == "__main__":
    main()
