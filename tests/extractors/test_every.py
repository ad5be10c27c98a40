"""What holds for every extractor: its spec travels, its digest is the same everywhere, its rows are what it declares.

An extractor without a sample here fails: add one as a recipe would write it. `golden.json` holds the full
description beside each digest and the first numbers of a row; it changes only with a `version`. Write it
anew with EGO_WRITE_GOLDEN=1.
"""

import json
import os
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ego.extractors._base import Extractor, Network
from ego.spec import Weights, find, make, names, rebuild
from ego.video import Picture, Sound

GOLDEN = Path(__file__).with_name("golden.json")
TINY = "sha256:" + "ab" * 32  # stands for the drawn ONNX model, whose bytes a library may write otherwise tomorrow
SIDE, WIDE = 32, 48
QUICK = 'weights = "random:7"\nprecision = "float32"\nsize = 32\npicture = { fit = "short", size = 32 }\n'
FLOW_PICTURE = f'picture = {{ fit = "height", size = {SIDE} }}'
SCRIPT = "sha256:" + "cd" * 32  # and this one for the drawn TorchScript model
VIT = (
    '{"model_type": "vit", "image_size": 32, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 2, '
    '"num_attention_heads": 2, "intermediate_size": 64}'
)
VIDEOMAE = VIT[:-1].replace('"vit"', '"videomae"') + ', "num_frames": 4, "tubelet_size": 2}'
# name -> recipe tables: the first is the extractor as it comes, and only named; the others are run too
SAMPLES = {
    "mean_rgb": ["", "window = { frames = 3, stride = 2 }"],
    "image_model": [
        f'weights = "{TINY}"',
        f'weights = "{TINY}"\noutput = "pooled"\nsize = 16\npicture = {{ fit = "squash", size = 16 }}',
        f'weights = "{TINY}"\noutput = "gated"\nsize = 16\npicture = {{ fit = "short", size = 20 }}\ncolours = "bgr"',
    ],
    "resnet": [
        'weights = "random:0"',
        'weights = "random:7"\nprecision = "float32"\nsize = 32\npicture = { fit = "short", size = 32 }',
        'weights = "random:7"\nprecision = "float32"\ndepth = 50\nsize = 64\npicture = { fit = "squash", size = 64 }\n'
        'taps = ["conv3_x", "conv5_x", "pool", "logits"]',
        'weights = "random:7"\nprecision = "float32"\ndepth = 34\nsize = 64\npicture = { fit = "squash", size = 64 }\n'
        'taps = ["bn", "nbn", "cam"]',
    ],
    "googlenet": [
        'weights = "random:0"',
        'weights = "random:7"\nprecision = "float32"\nsize = 32\npicture = { fit = "short", size = 36 }\n'
        'taps = ["Mixed_3b", "Mixed_5c", "logits"]',
        'weights = "random:7"\nprecision = "float32"\nsize = 32\nwindow = { frames = 10, stride = 8 }\n'
        'taps = ["Mixed_5c"]\nsees = { name = "dis", picture = { fit = "height", size = 32 } }',
    ],
    "i3d": [
        'weights = "random:0"',
        'weights = "random:7"\nprecision = "float32"\nsize = 32\npicture = { fit = "short", size = 36 }\n'
        'window = { frames = 9 }\ntaps = ["Mixed_3b", "Mixed_4f", "Mixed_5c"]',
        'weights = "random:7"\nprecision = "float32"\nsize = 193\npicture = { fit = "squash", size = 193 }\n'
        'window = { frames = 9 }\ntaps = ["avg_pool"]',
        'weights = "random:7"\nprecision = "float32"\nsize = 32\nwindow = { frames = 9 }\ntaps = ["Mixed_5c"]\n'
        'sees = { name = "dis", picture = { fit = "height", size = 32 } }',
    ],
    "flow_resnet": [
        'weights = "random:0"\nsees = { name = "warp_flow", flow = { name = "dis" } }',
        'weights = "random:7"\nprecision = "float32"\nsize = 32\n'
        'sees = { name = "dis", picture = { fit = "short", size = 32 } }',
    ],
    "two_in_one": [
        'weights = "random:0"\nflow = { name = "warp_flow", flow = { name = "dis", '
        'picture = { fit = "short", size = 256 } } }',
        'weights = "random:7"\nprecision = "float32"\nsize = 32\ndepth = 18\ntaps = ["bn", "cam_raw"]\n'
        'picture = { fit = "short", size = 32 }\nflow = { name = "dis", picture = { fit = "short", size = 32 } }',
    ],
    "mfnet": [
        'weights = "random:0"',
        f'{QUICK}window = {{ frames = 4 }}\nstd = "imagenet"\ntaps = ["conv4", "tail", "pool", "logits"]',
    ],
    "r3d": ['weights = "random:0"', f'{QUICK}window = {{ frames = 5 }}\nvariant = "r2plus1d"'],
    "slow": ['weights = "random:0"', f'{QUICK}window = {{ frames = 4 }}\ntaps = ["res3", "tokens", "logits"]'],
    "i3d_r50": ['weights = "random:0"', f'{QUICK}window = {{ frames = 4 }}\ntaps = ["res3", "tokens"]'],
    "slow_layer5": [
        'weights = "random:0"',
        f'{QUICK}window = {{ frames = 3 }}\nscaling = "kinetics"\ntaps = ["res3", "tokens", "pool", "logits"]',
    ],
    "slowfast": [
        'weights = "random:0"',
        f'{QUICK}window = {{ frames = 8 }}\ntaps = ["res3", "tokens_slow", "tokens_fast", "pool", "logits"]',
        'weights = "random:0"\ndepth = 101\nclip = 2\nclips = 2',
    ],
    "log_mel": ["", 'front = "vggish"\nwindow = { frames = 39, stride = 39, fps = 40.0 }'],
    "mfcc": ["", "loudness = 0.0\nwindow = { frames = 25, stride = 5, fps = 25.0 }"],
    "gaze": [""],
    "gaze_heatmap": ["grid = 14\ngaze = { name = 'gaze', label = 'nearest' }"],
    "gaze_prior": ["hand_weight = 0.5"],
    "sound": ["", "window = { frames = 1, fps = 4.0 }"],
    "tvl1": ["", f'preset = "fast"\nstored = "int8"\n{FLOW_PICTURE}'],
    "dis": ["", FLOW_PICTURE],
    "farneback": ["", f"gaussian = true\n{FLOW_PICTURE}"],
    "raft": ['weights = "random:0"', f'weights = "random:7"\nsize = "small"\niterations = 2\n{FLOW_PICTURE}'],
    "flow_images": [""],
    "map_images": [""],
    "cells": ['window = { frames = 2, edge = "drop" }\nmaps = { name = "dis" }'],
    "warp_flow": ['flow = { name = "dis" }'],
    "idt": [""],
    "motion_map": [""],
    "hands": [
        "",
        f'detector = {{ name = "Palms", weights = "{TINY}", tiles = 1 }}\nmin_hits = 2',
        f'detector = {{ name = "OnnxBoxes", weights = "{TINY}", layout = "ssd", anchors = [[16, 12, 20]] }}',
        'detector = { name = "GivenBoxes" }\ninset = 0.1',
    ],
    "faces": [
        "",
        f'detector = {{ name = "YuNet", weights = "{TINY}" }}',
        f'detector = {{ name = "UltraFace", weights = "{TINY}" }}\nmin_hits = 1',
    ],
    "face_crops": ["", f'rule = "asd"\nfaces = {{ detector = {{ name = "YuNet", weights = "{TINY}" }} }}'],
    "lam": [
        'weights = "random:0"',
        'weights = "random:7"\nwindow = { fps = 30.0 }\nfaces = { window = { fps = 30.0 } }',
    ],
    "ttm": ['weights = "random:0"'],
    "talknet": ['weights = "random:0"', 'weights = "random:7"\nfps = 25.0\nloudness = 0.0'],
    "light_asd": [
        'weights = "random:0"',
        f'weights = "random:7"\npiece_seconds = 4.0\nfaces = {{ detector = {{ name = "YuNet", weights = "{TINY}" }} }}',
    ],
}
SAMPLES["hf"] = [
    f"weights = 'random:0'\nconfig = '{VIT}'\nsize = 32\noutput = 'cls'",
    f"weights = 'random:7'\nprecision = 'float32'\nconfig = '{VIT}'\nsize = 32\noutput = 'cls'\n"
    "picture = { fit = 'short', size = 32 }\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]",
    f"weights = 'random:7'\nprecision = 'float32'\nconfig = '{VIDEOMAE}'\nsize = 32\noutput = 'grid'\n"
    "window = { frames = 4 }\npicture = { fit = 'squash', size = 36 }\nstd = [0.3, 0.3, 0.3]",
]
SAMPLES["torch_model"] = [
    f"weights = '{SCRIPT}'",
    f"weights = '{SCRIPT}'\nsize = 24\noutput = 'map'\npicture = {{ fit = 'short', size = 28 }}\ncolours = 'bgr'",
    f"weights = '{SCRIPT}'\nsize = 24\noutput = 'pool'\npicture = {{ fit = 'squash', size = 24 }}\n"
    "std = [0.5, 0.5, 0.5]",
]
POOL = "factory = 'torch.nn:AdaptiveAvgPool2d'\nrevision = '2'\noptions = '{\"output_size\": 2}'"
SAMPLES["python_model"] = [POOL, f"{POOL}\nsize = 24\npicture = {{ fit = 'short', size = 28 }}\nmean = [0.5, 0.4, 0.3]"]
EVERY = [(name, place) for name, tables in SAMPLES.items() for place in range(len(tables))]
LONG = [("i3d", 2)]
NETWORKS = [(name, place) for name, place in EVERY if issubclass(find("extractors", name), Network)]
NAMED = [("slowfast", 2)]
RUN = [one for one in NETWORKS if (one[1] > 0 or one[0] == "mean_rgb") and one not in NAMED]
MARKED = [pytest.param(*one, marks=pytest.mark.slow) if one in LONG else one for one in RUN]


def spec_of(name: str, place: int) -> Extractor:
    spec = make("extractors", name, tomllib.loads(SAMPLES[name][place]))
    assert isinstance(spec, Extractor)
    return spec


@pytest.fixture
def files(tiny_onnx: Path, tiny_script: Path) -> dict[Weights, Path]:
    return {Weights(TINY): tiny_onnx, Weights(SCRIPT): tiny_script}


def windows(spec: Network, count: int) -> dict[str, torch.Tensor]:
    """Drawn windows of a frame of 48x32, in the pictures the extractor asks for."""
    shown = {}
    for need, picture in spec.needs().items():
        if isinstance(picture, Sound):
            assert spec.window.fps is not None
            samples = round(spec.window.span / spec.window.fps * picture.rate)
            shown[need] = torch.from_numpy(np.random.default_rng(len(need)).normal(0, 0.1, (count, samples))).float()
            continue
        if isinstance(picture, Extractor):  # flow, a field for each frame
            wide, tall = next(one for one in picture.needs().values() if isinstance(one, Picture)).pixels(WIDE, SIDE)
            fields = np.random.default_rng(len(need)).normal(0, 8, (count, spec.window.frames, 2, tall, wide))
            shown[need] = torch.from_numpy(fields).float()
            continue
        assert isinstance(picture, Picture)
        wide, tall = picture.pixels(WIDE, SIDE)
        random = np.random.Generator(np.random.PCG64(len(need)))
        shape = (count, spec.window.frames, tall, wide, 3)
        shown[need] = torch.from_numpy(random.integers(0, 256, shape, np.uint8))
    return shown


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> bool:
    return float((found - expected).norm()) <= tolerance * float(expected.norm())


def test_every_extractor_has_a_sample() -> None:
    assert sorted(SAMPLES) == [name for name in names("extractors") if ":" not in name]


@pytest.mark.parametrize(("name", "place"), EVERY)
def test_the_spec_travels(name: str, place: int) -> None:
    spec = spec_of(name, place)
    assert pickle.loads(pickle.dumps(spec)) == spec
    again = rebuild(json.loads(json.dumps(spec.describe())))
    assert again == spec
    assert again.digest == spec.digest == pickle.loads(pickle.dumps(spec)).digest
    assert hash(again) == hash(spec)


def test_digests_are_those_of_the_golden_file() -> None:
    golden = json.loads(GOLDEN.read_text())
    for name, place in EVERY:
        spec, stored = spec_of(name, place), golden[f"{name}/{place}"]
        assert stored["spec"] == spec.describe(), f"the fields of {name} changed: raise its version, or use late()"
        assert stored["digest"] == spec.digest


def test_describing_an_extractor_does_not_wait_for_torch():
    script = f"""
import sys
from ego.spec import find
for name in {names("extractors")!r}:
    find("extractors", name)
import ego.pipeline.recipe, ego.pipeline.jobs, ego.pipeline.status
print([name for name in ("torch", "onnxruntime", "zarr", "av") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_another_process_gives_the_same_digests() -> None:
    program = (
        "import json, sys, tomllib; from ego.spec import make\n"
        "for name, table in json.load(sys.stdin): print(make('extractors', name, tomllib.loads(table)).digest)"
    )
    asked = json.dumps([(name, SAMPLES[name][place]) for name, place in EVERY])
    environment = {**os.environ, "PYTHONHASHSEED": "1", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", program], input=asked, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [spec_of(name, place).digest for name, place in EVERY], done.stderr


@pytest.mark.parametrize(("name", "place"), MARKED)
def test_rows_are_what_is_declared(name: str, place: int, files: dict[Weights, Path]) -> None:
    spec = spec_of(name, place)
    assert isinstance(spec, Network)
    network, declared, shown = spec.build(files), spec.rows(files), windows(spec, 3)
    assert not network.training
    with torch.inference_mode():
        whole, again = network(**shown), network(**shown)
        apart = [network(**{need: x[one] for need, x in shown.items()}) for one in (slice(0, 1), slice(1, 3))]
    assert set(declared) == set(whole)
    assert len(declared) > 1 or set(declared) == {"feature"}
    for array, rows in whole.items():
        assert tuple(rows.shape) == (3, *declared[array].sized(SIDE, WIDE).shape)
        stored = declared[array].cast(rows.numpy())
        assert np.isfinite(stored).all()
        assert torch.equal(rows, again[array])
        assert close(torch.cat([part[array] for part in apart]), rows, 1e-4)


@pytest.mark.parametrize(("name", "place"), MARKED)
def test_first_numbers_of_a_row(name: str, place: int, files: dict[Weights, Path]) -> None:
    stored = json.loads(GOLDEN.read_text())[f"{name}/{place}"]["rows"]
    for array, numbers in first_numbers(name, place, files).items():
        assert numbers == pytest.approx(stored[array], rel=2e-3, abs=1e-3), f"{array}: raise the version of {name}"


def first_numbers(name: str, place: int, files: dict[Weights, Path]) -> dict[str, list[float]]:
    """Four values spread over the first row of each array, and its norm."""
    spec = spec_of(name, place)
    assert isinstance(spec, Network)
    with torch.inference_mode():
        found = spec.build(files)(**windows(spec, 1))
    picked = {array: rows[0].reshape(-1) for array, rows in found.items()}
    return {
        array: [round(float(row[i * len(row) // 4]), 5) for i in range(4)] + [round(float(row.norm()), 4)]
        for array, row in picked.items()
    }


@pytest.mark.skipif("EGO_WRITE_GOLDEN" not in os.environ, reason="writes golden.json only when asked to")
def test_write_golden(files: dict[Weights, Path]) -> None:
    written: dict[str, Any] = {}
    for name, place in EVERY:
        spec = spec_of(name, place)
        written[f"{name}/{place}"] = {"digest": spec.digest, "spec": spec.describe()}
        if (name, place) in RUN:
            written[f"{name}/{place}"]["rows"] = first_numbers(name, place, files)
    GOLDEN.write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
