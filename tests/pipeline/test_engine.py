"""Engines: compiled or not the same rows, one shape for a compiled module, and one sentence where none can be made."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from ego.extractors.resnet import ResNet
from ego.pipeline.engine import Engine, How, Inputs
from ego.spec import Weights
from ego.video import Picture

SMALL = ResNet(weights=Weights("random:0"), size=64, picture=Picture("short", 64), taps=("conv5_x", "pool"))


def shown(rows: int) -> dict[str, torch.Tensor]:
    drawn = np.random.default_rng(rows).integers(0, 256, (rows, 1, 64, 72, 3), np.uint8)
    return {"frames": torch.from_numpy(drawn)}


def test_rows_come_as_large_as_they_are_shown() -> None:
    how = How(batch=3)
    pictures = [np.full((4, 6, 3), grey, np.uint8) for grey in range(5)]
    inputs = Inputs({"frames": pictures[:2], "number": np.float32(1)}, how)
    inputs.put({"frames": pictures[:2], "number": np.float32(7)})
    inputs.put({"frames": pictures[3:], "number": np.float32(8)})
    found = inputs.tensors()
    assert (inputs.capacity, inputs.filled) == (3, 2)
    assert found["frames"].shape == (2, 2, 4, 6, 3)
    assert found["frames"].dtype == torch.uint8
    assert found["frames"][:, :, 0, 0, 0].tolist() == [[0, 1], [3, 4]]
    assert found["number"].tolist() == [7.0, 8.0]
    assert not inputs.fit({"frames": pictures[:3], "number": np.float32(1)})
    assert inputs.fit({"frames": pictures[1:3], "number": np.float32(1)})


@pytest.mark.parametrize(("row_bytes", "device", "rows"), [(1, "cpu", 16), (2**20, "cpu", 4), (8 * 2**20, "cuda", 32)])
def test_a_batch_is_what_fits(row_bytes: int, device: str, rows: int) -> None:
    assert How(device).rows(row_bytes) == rows


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_rows_for_any_number_of_them() -> None:
    plain, compiled = (Engine(SMALL.build({}), How(batch=4, compiled=one), "resnet") for one in (False, True))
    for rows in (4, 1, 3):
        given = shown(rows)
        expected, found = plain(given, 4), compiled(given, 4)
        assert {name: tuple(one.shape) for name, one in found.items()} == {
            "conv5_x": (rows, 512, 2, 2),
            "pool": (rows, 512),
        }
        for name in found:
            assert (found[name] - expected[name]).norm() <= SMALL.tolerance * expected[name].norm()


def test_without_a_compiler_the_flag_is_refused_in_one_sentence() -> None:
    code = (
        "import torch\nfrom ego.errors import BadRequest\nfrom ego.pipeline.engine import Engine, How\n"
        "try:\n    Engine(torch.nn.ReLU(), How(compiled=True), 'relu')({'input': torch.ones(2, 3)}, 2)\n"
        "except BadRequest as error:\n    print(error)\n"
    )
    env = {**os.environ, "CXX": "/nowhere/c++", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "relu cannot be compiled here" in done.stdout
    assert "leave --compile out" in done.stdout
