"""Speed and error of optical flow on one core: our TV-L1 beside OpenCV's DualTVL1, DIS and Farneback.

    python benchmarks/flow.py [--pairs 12] [--repeats 1]

Every method sees the same pictures of 320x240 in the same run: pairs of a drawn kitchen whose flow is known, and
textures that move by known amounts (translations to 12 px, half pixels, a zoom of 5 %). Prints CPU milliseconds a
pair and the mean end-point error on both, then, for each setting of DualTVL1, the speed of our fastest setting that
is at most as wrong on both, over its own (goal: at least 0.7). With a GPU: ms a pair at batch 64 and the ratio to one
core (goal: at least 100). Background load moves the milliseconds and hardly the ratios.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ego.datasets.kitchen import flow as true_flow
from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.paint import Painter
from ego.extractors.tvl1 import TVL1
from ego.layers import tvl1

HEIGHT, WIDTH = 240, 320
BORDER = 20
Picture = NDArray[np.uint8]
Method = Callable[[Picture, Picture], NDArray[np.float32]]
OURS = {
    "tvl1 fast, 10 iterations": {"preset": "fast", "inner": 10},
    "tvl1 fast, 20 iterations": {"preset": "fast", "inner": 20},
    "tvl1 fast": {"preset": "fast"},
    "tvl1 fast, 5 warps x 30": {"preset": "fast", "warps": 5, "inner": 30},
    "tvl1 fast, 5 warps x 30, median 5": {"preset": "fast", "warps": 5, "inner": 30, "median": 5},
    "tvl1 quality, epsilon 0.01": {"epsilon": 0.01},
    "tvl1 quality": {},
    "tvl1 quality, median 5": {"median": 5},
    "tvl1 opencv, zoom 0.5, 1 x 10": {"preset": "opencv", "zoom": 0.5, "outer": 1, "inner": 10},
}
THEIRS = {
    "DualTVL1 0.5, 1 x 5": (0.5, 1, 5),
    "DualTVL1 0.5, 1 x 10": (0.5, 1, 10),
    "DualTVL1 0.5, 1 x 30": (0.5, 1, 30),
    "DualTVL1 0.5, 10 x 30": (0.5, 10, 30),
    "DualTVL1 0.8, 10 x 30 (its defaults)": (0.8, 10, 30),
}


@dataclass(frozen=True)
class Pair:
    """Two grey pictures and the flow (H, W, 2) between them; `scene` is kitchen or texture."""

    scene: str
    first: Picture
    second: Picture
    truth: NDArray[np.float32]

    def error(self, found: NDArray[np.float32]) -> float:
        """Mean end-point error in pixels; of textures the border is left out, where the picture ends."""
        inner = np.s_[:, :] if self.scene == "kitchen" else np.s_[BORDER:-BORDER, BORDER:-BORDER]
        return float(np.linalg.norm(found - self.truth, axis=-1)[inner].mean())


def kitchen(count: int) -> Iterator[Pair]:
    """Pairs from two drawn videos."""
    for seed in range(2):
        film = direct(Order(seed, 0, "train", 4.0, 30.0, (WIDTH, HEIGHT), social=0.0))
        painter = Painter(film)
        for index in np.linspace(5, 110, count // 2).astype(int).tolist():
            here, there = painter.frame(index), painter.frame(index + 1)
            grey = [cv2.cvtColor(one.picture, cv2.COLOR_RGB2GRAY) for one in (here, there)]
            truth = true_flow.between(film, painter.poses, index, here.parts).astype(np.float32)
            yield Pair("kitchen", grey[0], grey[1], truth)


def textures() -> Iterator[Pair]:
    """White noise blurred by 3 pixels, moved exactly in the frequency domain, and one that grows."""
    tall, wide = HEIGHT + 128, WIDTH + 128
    fy, fx = np.fft.fftfreq(tall)[:, None], np.fft.fftfreq(wide)
    noise = np.fft.fft2(np.random.default_rng(0).standard_normal((tall, wide)))
    noise *= np.exp(-2 * (np.pi * 3.0) ** 2 * (fx * fx + fy * fy))
    still = np.fft.ifft2(noise).real
    cut = np.s_[64 : 64 + HEIGHT, 64 : 64 + WIDTH]

    def grey(one: NDArray[np.float64]) -> Picture:
        scaled = (one - still.min()) / (still.max() - still.min()) * 255
        return np.ascontiguousarray(np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)[cut])

    for x, y in ((3, -2), (0.5, 0.25), (-6.3, 1.7), (12, 0)):
        moved = np.fft.ifft2(noise * np.exp(-2j * np.pi * (fx * x + fy * y))).real
        truth = np.broadcast_to(np.array([x, y], np.float32), (HEIGHT, WIDTH, 2))
        yield Pair("texture", grey(still), grey(moved), truth)
    x, y = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    matrix = np.array([[1.05, 0, -0.05 * x], [0, 1.05, -0.05 * y]])
    grown = cv2.warpAffine(grey(still).astype(np.float32), matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LANCZOS4)
    columns, rows = np.meshgrid(np.arange(WIDTH) - x, np.arange(HEIGHT) - y)
    truth = (0.05 * np.stack([columns, rows], -1)).astype(np.float32)
    yield Pair("texture", grey(still), np.rint(np.clip(grown, 0, 255)).astype(np.uint8), truth)


def methods() -> dict[str, Method]:
    """Everything that is measured, by what it is called."""
    found: dict[str, Method] = {name: ours(TVL1(**fields).constants) for name, fields in OURS.items()}  # type: ignore[arg-type]
    found |= {name: dual(*settings) for name, settings in THEIRS.items()}
    for preset in ("ULTRAFAST", "FAST", "MEDIUM"):
        found[f"DIS {preset.lower()}"] = dis(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset}"))
    settings = (0.5, 5, 15, 3, 5, 1.2, 0)
    found["Farneback 0.5, 5, 15, 3, 5, 1.2"] = lambda a, b: np.asarray(
        cv2.calcOpticalFlowFarneback(a, b, None, *settings)  # type: ignore[call-overload]
    )
    return found


def ours(constants: tvl1.Constants) -> Method:
    """Our TV-L1, one pair at a time."""

    def run(first: Picture, second: Picture) -> NDArray[np.float32]:
        with torch.inference_mode():
            pair = (torch.from_numpy(one)[None].float() for one in (first, second))
            return tvl1.flow(*pair, constants)[0].permute(1, 2, 0).numpy()

    return run


def dual(step: float, outer: int, inner: int) -> Method:
    """OpenCV's DualTVL1 with 5 scales and 5 warps."""

    def run(first: Picture, second: Picture) -> NDArray[np.float32]:
        method = cv2.optflow.DualTVL1OpticalFlow_create()
        method.setScaleStep(step)
        method.setOuterIterations(outer)
        method.setInnerIterations(inner)
        return np.asarray(method.calc(first, second, None))

    return run


def dis(preset: int) -> Method:
    """OpenCV's dense inverse search."""
    return lambda first, second: np.asarray(cv2.DISOpticalFlow.create(preset).calc(first, second, None))  # type: ignore[call-overload]


@dataclass(frozen=True)
class Measured:
    """CPU milliseconds a pair and the mean error of each scene."""

    milliseconds: float
    kitchen: float
    texture: float


def measure(method: Method, pairs: list[Pair], repeats: int) -> Measured:
    """The best time of several rounds over all pairs, and the errors."""
    method(pairs[0].first, pairs[0].second)
    rounds = []
    for _ in range(repeats):
        before = time.process_time()
        found = [method(pair.first, pair.second) for pair in pairs]
        rounds.append((time.process_time() - before) * 1e3 / len(pairs))
    errors: dict[str, list[float]] = {"kitchen": [], "texture": []}
    for pair, one in zip(pairs, found, strict=True):
        errors[pair.scene].append(pair.error(one))
    return Measured(min(rounds), float(np.mean(errors["kitchen"])), float(np.mean(errors["texture"])))


def compare(table: dict[str, Measured]) -> None:
    """Speed at equal error: for each DualTVL1 our fastest setting that is at most as wrong on both scenes."""
    for name in THEIRS:
        theirs = table[name]
        good = [
            one for one in OURS
            if table[one].kitchen <= theirs.kitchen and table[one].texture <= theirs.texture
        ]  # fmt: skip
        best = min(good, key=lambda one: table[one].milliseconds, default=None)
        told = f"{theirs.milliseconds / table[best].milliseconds:.2f}x its speed ({best})" if best else "none as exact"
        print(f"at most as wrong as {name}: {told}")
    base = table["DualTVL1 0.5, 1 x 10"]
    for name in ("tvl1 quality", "tvl1 fast"):
        one = table[name]
        ratios = f"kitchen {one.kitchen / base.kitchen:.2f}, textures {one.texture / base.texture:.2f}"
        print(f"{name}: error over DualTVL1 0.5, 1 x 10: {ratios} (goal: at most 1.05)")


def on_gpu(pairs: list[Pair], table: dict[str, Measured], batch: int) -> None:
    """Milliseconds a pair in batches on a GPU, and how often that is one core's speed."""
    first, second = (
        torch.from_numpy(np.stack([getattr(pairs[i % len(pairs)], side) for i in range(batch)])).cuda().float()
        for side in ("first", "second")
    )
    for name in ("tvl1 fast", "tvl1 quality"):
        constants = TVL1(**OURS[name]).constants  # type: ignore[arg-type]
        times = []
        with torch.inference_mode():
            for _ in range(3):
                torch.cuda.synchronize()
                began = time.perf_counter()
                tvl1.flow(first, second, constants)
                torch.cuda.synchronize()
                times.append((time.perf_counter() - began) * 1e3 / batch)
        ratio = table[name].milliseconds / min(times)
        device = torch.cuda.get_device_name()
        print(f"{name} on {device}, batch {batch}: {min(times):.3f} ms a pair, {ratio:.0f}x one core (goal: 100)")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pairs = [*kitchen(asked.pairs), *textures()]
    length = np.mean([np.linalg.norm(pair.truth, axis=-1).mean() for pair in pairs if pair.scene == "kitchen"])
    print(
        f"{asked.pairs} pairs of the kitchen (mean flow {length:.2f} px), {len(pairs) - asked.pairs} textures, "
        f"{WIDTH}x{HEIGHT}, one thread, 5 scales and 5 warps unless said; OpenCV {cv2.__version__}, torch "
        f"{torch.__version__}, load {os.getloadavg()[0]:.1f}"
    )
    table = {}
    for name, method in methods().items():
        table[name] = one = measure(method, pairs, asked.repeats)
        print(
            f"{name:38} {one.milliseconds:8.1f} ms {1e3 / one.milliseconds:7.1f} pairs/s   "
            f"error: kitchen {one.kitchen:.4f}, textures {one.texture:.4f} px",
            flush=True,
        )
    compare(table)
    if torch.cuda.is_available():
        on_gpu(pairs, table, 64)


if __name__ == "__main__":
    main()
