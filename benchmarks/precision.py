"""How far each backbone's rows move when its convolutions run in bfloat16: relative L2 to float32, the worst row.

    python benchmarks/precision.py [VIDEO] [--device cpu] [--only NAME ...]

Each is shown two windows of its published size of a video (a drawn one where none is named), with random
weights of one seed. Goal: at most 0.01.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ego.extractors._backbone import Backbone
from ego.extractors.dis import DIS
from ego.extractors.flow_resnet import FlowResNet
from ego.extractors.i3d import I3D
from ego.extractors.i3d_r50 import I3DR50
from ego.extractors.mfnet import MFNet
from ego.extractors.r3d import R3D
from ego.extractors.resnet import ResNet
from ego.extractors.slow import Slow
from ego.extractors.slow_layer5 import SlowLayer5
from ego.extractors.slowfast import SlowFast
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.scan import find_videos, scan
from ego.pipeline.windows import nearest_windows
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture, Video

RANDOM = Weights("random:0")
FLOW = DIS(picture=Picture("short", 256), window=Window(frames=2, fps=25.0))
BACKBONES: dict[str, Backbone] = {
    "resnet 18": ResNet(weights=RANDOM),
    "resnet 34": ResNet(weights=RANDOM, depth=34),
    "resnet 50": ResNet(weights=RANDOM, depth=50),
    "flow_resnet": FlowResNet(weights=RANDOM, sees=FLOW, window=Window(frames=5, fps=25.0)),
    "i3d": I3D(weights=RANDOM),
    "i3d of flow": I3D(weights=RANDOM, sees=FLOW),
    "mfnet": MFNet(weights=RANDOM),
    "r3d": R3D(weights=RANDOM),
    "r3d (2+1)D": R3D(weights=RANDOM, variant="r2plus1d"),
    "i3d_r50": I3DR50(weights=RANDOM),
    "slow": Slow(weights=RANDOM),
    "slowfast 50": SlowFast(weights=RANDOM),
    "slowfast 101": SlowFast(weights=RANDOM, depth=101),
    "slow_layer5": SlowLayer5(weights=RANDOM),
}


def drawn(path: Path) -> Path:
    """Four seconds of discs that move over a textured ground, 30 frames a second."""
    random = np.random.default_rng(1)
    ground = random.integers(0, 256, (24, 32, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    rows, columns = np.mgrid[:384, :512]
    places, steps = random.uniform(0, 384, (6, 2)), random.uniform(-6, 6, (6, 2))
    colours = random.integers(0, 256, (6, 3), np.uint8)
    frames = []
    for t in range(120):
        picture = ground.copy()
        for (y, x), colour in zip((places + steps * t) % 384, colours, strict=True):
            picture[(rows - y) ** 2 + (columns - x) ** 2 < 50**2] = colour
        frames.append(picture)
    encode(path, frames, fps=30)
    return path


def windows(backbone: Backbone, video: Video) -> dict[str, torch.Tensor]:
    """What two windows of the video show a backbone."""
    shown = backbone if not hasattr(backbone, "sees") or backbone.sees is None else FLOW
    moments = np.array([0.5, 2.5])
    with Decoder() as decoder:
        if shown is backbone:
            found = nearest_windows(decoder, video, backbone, {}, moments)
            return {"frames": torch.from_numpy(np.stack([one.given["frames"] for one in found]))}
        count = backbone.window.frames
        starts = (moments[:, None] + np.arange(count) / 25).reshape(-1)
        pairs = nearest_windows(decoder, video, FLOW, {}, starts)
    fields = FLOW.build({})(torch.from_numpy(np.stack([one.given["frames"] for one in pairs])))["feature"]
    return {"flow": fields.reshape(len(moments), count, *fields.shape[1:])}


def moved(backbone: Backbone, shown: dict[str, torch.Tensor], device: str) -> float:
    """The worst relative L2 of a row in bfloat16."""
    rows = []
    for precision in ("float32", "bfloat16"):
        module = replace(backbone, precision=precision).build({}).to(device)
        with torch.inference_mode():
            rows.append(module(**{need: x.to(device) for need, x in shown.items()})["feature"].flatten(1).cpu())
    exact, rough = rows
    return float(((rough - exact).norm(dim=1) / exact.norm(dim=1)).max())


def main() -> None:
    """Prints a line a backbone."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("video", nargs="?", type=Path)
    asked.add_argument("--device", default="cpu")
    asked.add_argument("--only", nargs="*", default=list(BACKBONES), choices=list(BACKBONES))
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, Decoder() as decoder:
        path = given.video or drawn(Path(folder) / "drawn.mp4")
        (video,) = scan(find_videos([str(path)]), decoder)
        assert isinstance(video, Video)
        print(f"{video.name}, torch {torch.__version__}, {given.device}, {torch.get_num_threads()} threads")
        for name in given.only:
            found = moved(BACKBONES[name], windows(BACKBONES[name], video), given.device)
            print(f"{name:13} {found:.5f}", flush=True)


if __name__ == "__main__":
    main()
