"""How far each network's rows move when it runs in bfloat16: relative L2 to float32, the worst row.

    python benchmarks/precision.py [VIDEO] [--device cpu] [--only NAME ...]

Each is shown two windows of its published size of a video (a drawn one where none is named), with random
weights of one seed. Those of `transformers` have the sizes that its configurations have by default, V-JEPA 2 and ViViT
eight frames of them; the networks of faces are shown the middle of each frame. Goal: at most 0.01.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ego.extractors._backbone import Backbone
from ego.extractors._base import Network
from ego.extractors._looking import features
from ego.extractors.dis import DIS
from ego.extractors.flow_resnet import FlowResNet
from ego.extractors.hf import Hf
from ego.extractors.i3d import I3D
from ego.extractors.i3d_r50 import I3DR50
from ego.extractors.lam import LAM
from ego.extractors.mfnet import MFNet
from ego.extractors.r3d import R3D
from ego.extractors.resnet import ResNet
from ego.extractors.slow import Slow
from ego.extractors.slow_layer5 import SlowLayer5
from ego.extractors.slowfast import SlowFast
from ego.extractors.ttm import TTM
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.scan import find_videos, scan
from ego.pipeline.weights import WeightFinder
from ego.pipeline.windows import nearest_windows
from ego.sampling import Window
from ego.spec import Weights, make
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

SIDES: dict[str, tuple[int, dict[str, object]]] = {
    "videomae": (224, {}),
    "vjepa2": (256, {"frames_per_clip": 8}),
    "timesformer": (224, {}),
    "vivit": (224, {"num_frames": 8}),
    "clip_vision_model": (224, {}),
    "siglip_vision_model": (224, {}),
    "dinov2": (224, {"image_size": 224}),
    "dinov3_vit": (224, {}),
    "hiera": (224, {}),
}
"""The side of the picture of each kind of model of `transformers`, and what differs from its default configuration."""
FACES: dict[str, LAM | TTM] = {"lam": LAM(weights=RANDOM), "ttm": TTM(weights=RANDOM)}
NAMES = [*BACKBONES, *(f"hf {kind}" for kind in SIDES), *FACES]


def model_of(name: str) -> Network:
    """A backbone, or a model of `transformers` completed as a recipe's is."""
    if name in BACKBONES:
        return BACKBONES[name]
    kind = name.removeprefix("hf ")
    side, differs = SIDES[kind]
    config = json.dumps({"model_type": kind, **differs})
    picture = {"fit": "short", "size": side * 8 // 7}
    normal = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    asked = {"weights": "random:0", "config": config, "size": side, "picture": picture, **normal}
    made = make("extractors", "hf", WeightFinder().fill(Hf, asked))
    assert isinstance(made, Hf)
    return made


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


def windows(backbone: Network, video: Video) -> dict[str, torch.Tensor]:
    """What two windows of the video show a network."""
    shown = backbone if getattr(backbone, "sees", None) is None else FLOW
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


def moved(backbone: Network, shown: dict[str, torch.Tensor], device: str) -> float:
    """The worst relative L2 of a row in bfloat16."""
    rows = []
    for precision in ("float32", "bfloat16"):
        module = replace(backbone, precision=precision).build({}).to(device)  # type: ignore[call-arg]
        with torch.inference_mode():
            rows.append(module(**{need: x.to(device) for need, x in shown.items()})["feature"].flatten(1).cpu())
    return worst(*rows)


def moved_faces(spec: LAM | TTM, video: Video, device: str) -> float:
    """The same for the features of faces: the middle 224x224 of a few frames."""
    with Decoder() as decoder:
        seen = nearest_windows(decoder, video, BACKBONES["resnet 18"], {}, np.arange(8) / 2)
    crops = np.stack([one.given["frames"][0] for one in seen])
    top, left = ((side - 224) // 2 for side in crops.shape[1:3])
    crops = crops[:, top : top + 224, left : left + 224]
    network = spec.network({}).to(device)
    trunk = network.get_submodule("base_model" if isinstance(spec, LAM) else "video_encoder")
    return worst(*(torch.from_numpy(features(trunk, crops, device, one)) for one in ("float32", "bfloat16")))


def worst(exact: torch.Tensor, rough: torch.Tensor) -> float:
    """The greatest relative L2 of a row."""
    return float(((rough - exact).norm(dim=1) / exact.norm(dim=1)).max())


def main() -> None:
    """Prints a line a network."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("video", nargs="?", type=Path)
    asked.add_argument("--device", default="cpu")
    asked.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, Decoder() as decoder:
        path = given.video or drawn(Path(folder) / "drawn.mp4")
        (video,) = scan(find_videos([str(path)]), decoder)
        assert isinstance(video, Video)
        print(f"{video.name}, torch {torch.__version__}, {given.device}, {torch.get_num_threads()} threads")
        for name in given.only:
            if name in FACES:
                found = moved_faces(FACES[name], video, given.device)
            else:
                model = model_of(name)
                found = moved(model, windows(model, video), given.device)
            print(f"{name:22} {found:.5f}", flush=True)


if __name__ == "__main__":
    main()
