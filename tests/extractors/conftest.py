"""Weights and pins that several extractors are tested with."""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ego.extractors.image_model import ImageModel
from ego.spec import Weights, from_table

Files = dict[Weights, Path]


def identity(path: Path) -> Weights:
    return Weights(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[dict[str, Any], str], tuple[Weights, Files]]:
    """Writes a state dict as a file of this name; gives its identity and where it lies."""

    def write(state: dict[str, Any], name: str) -> tuple[Weights, Files]:
        path = tmp_path / name
        if path.suffix == ".safetensors":
            save_file({key: x.contiguous() for key, x in state.items()}, path)
        else:
            torch.save(state, path)
        return identity(path), {identity(path): path}

    return write


@pytest.fixture
def pins(shared_data: Path) -> Callable[[str], Any]:
    """The pins of a published network, by its name: see published.py."""

    def read(name: str) -> Any:
        folder = shared_data / "parity"
        with np.load(folder / f"{name}.npz") as arrays:
            return _beside("published").Pins(json.loads((folder / f"{name}.json").read_text()), dict(arrays))

    return read


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Pins were computed on one thread, and small networks are faster so; torch's own setting comes back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def made() -> Callable[..., tuple[ImageModel, Files]]:
    """Makes an image model as a recipe would: what is left out is filled in from the file."""

    def make(path: Path, **fields: Any) -> tuple[ImageModel, Files]:
        files = {identity(path): path}
        table = ImageModel.complete({"weights": identity(path), **fields}, files)
        return from_table(ImageModel, table, "image_model"), files

    return make


@pytest.fixture
def noise() -> Callable[[int, int], torch.Tensor]:
    """Draws pictures (count, 1, side, side, 3)."""

    def draw(count: int, side: int) -> torch.Tensor:
        drawn = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (count, 1, side, side, 3), np.uint8)
        return torch.from_numpy(drawn)

    return draw


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn classifier of 8 channels with a squeeze-and-excite block, for pictures of 16x16 in any batch."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.Generator(np.random.PCG64(11)).standard_normal
    weights = {
        "stem": draw((8, 3, 3, 3), np.float32) / 3,
        "squeeze": draw((8, 8, 1, 1), np.float32),
        "classes": draw((8, 5), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["picture", "stem"], ["conv"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["squeezed"]),
        helper.make_node("Conv", ["squeezed", "squeeze"], ["excited"]),
        helper.make_node("Sigmoid", ["excited"], ["gate"]),
        helper.make_node("Mul", ["map", "gate"], ["gated"]),
        helper.make_node("GlobalAveragePool", ["gated"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "classes"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", 3, 16, 16])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 5])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


class TinyNetwork(torch.nn.Module):
    """A convolution of 4 channels whose weights are stated; gives its map and the mean of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, stride=2)
        for place, weight in enumerate(self.parameters()):
            drawn = np.random.Generator(np.random.PCG64(place)).standard_normal(tuple(weight.shape), np.float32)
            weight.data = torch.from_numpy(drawn)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """{"map": (B, 4, h, w), "pool": (B, 4)}."""
        found = torch.relu(self.conv(x))
        return {"map": found, "pool": found.mean(dim=(2, 3))}


@pytest.fixture
def tiny_network() -> torch.nn.Module:
    """See TinyNetwork; in eval mode."""
    return TinyNetwork().eval()


@pytest.fixture(scope="session")
def tiny_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network as a TorchScript file."""
    path = tmp_path_factory.mktemp("script") / "tiny.pt"
    torch.jit.save(torch.jit.trace(TinyNetwork().eval(), torch.zeros(1, 3, 24, 24), strict=False), path)
    return path


def _beside(name: str) -> ModuleType:
    """The module of this name that lies here, loaded once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def worlds() -> ModuleType:
    """Worlds whose motion is known: see worlds.py."""
    return _beside("worlds")


@pytest.fixture(scope="session")
def watching() -> ModuleType:
    """Inputs, hooks and blocks of frames for networks of faces: see watching.py."""
    return _beside("watching")


_beside("transformer_models")  # which tests import by its name
