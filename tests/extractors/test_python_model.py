"""`python_model` runs what a function of an importable package makes, under a revision that is in the digest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.python_model import PythonModel
from ego.spec import from_table
from ego.video import Picture

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.model = nn.Sequential(nn.Conv3d(3, width, 3), nn.BatchNorm3d(width))

    def forward(self, clip):
        return self.model(clip).mean(dim=(2, 3, 4))

def make(width=4):
    return Net(width)

def number():
    return 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "research_net_of_a_test.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(folder)
    return "research_net_of_a_test"


def made(**fields: Any) -> PythonModel:
    table = {"revision": "1", "size": 24, "picture": Picture("short", 28), "window": {"frames": 4}, **fields}
    return from_table(PythonModel, table, "python_model")


def test_weights_fill_it_exactly(package: str, keep: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    from importlib import import_module

    network = import_module(package).make(6).eval()
    weights, files = keep({f"module.{key}": value for key, value in network.state_dict().items()}, "net.pth")
    spec = made(factory=f"{package}:make", options='{"width": 6}', weights=weights, factor=1.0)
    frames = torch.randint(0, 256, (2, 4, 28, 28, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = network(frames[:, :, 2:26, 2:26].permute(0, 4, 1, 2, 3).float())
        found = spec.build(files)(frames)["feature"]
    assert torch.allclose(found, expected, rtol=1e-5)
    assert spec.rows(files)["feature"].shape == (6,)
    with pytest.raises(BadRequest, match="6 of another shape"):
        made(factory=f"{package}:make", weights=weights).build(files)
    del (state := dict(network.state_dict()))["model.0.bias"]
    weights, files = keep(state, "less.pth")
    with pytest.raises(BadRequest, match=r"1 missing: model\.0\.bias"):
        made(factory=f"{package}:make", options='{"width": 6}', weights=weights).build(files)


def test_the_revision_is_in_the_digest_and_required(package: str) -> None:
    factory = f"{package}:make"
    assert made(factory=factory, revision="2").digest != made(factory=factory).digest
    assert made(factory=factory, weights="random:1").build({})(torch.zeros(1, 4, 28, 28, 3, dtype=torch.uint8))
    with pytest.raises(BadRequest, match="needs a value for: revision"):
        from_table(PythonModel, {"factory": factory}, "python_model")
    with pytest.raises(BadRequest, match="its code is not in the digest"):
        made(factory=factory, revision=" ")


@pytest.mark.parametrize(("fields", "words"), [
    ({"factory": "no_such_package_here:make"}, "cannot be imported"),
    ({"factory": "{package}:build"}, "has no function 'build'; it offers: .*make"),
    ({"factory": "{package}:number"}, r"got int from .*, expected it to give a torch\.nn\.Module"),
    ({"factory": "{package}:make", "options": "[1]"}, "expected a JSON table"),
    ({"factory": "{package}:make", "options": "{"}, "expected a JSON table"),
])  # fmt: skip
def test_what_cannot_be_made_is_one_sentence(fields: dict[str, str], words: str, package: str) -> None:
    spec = made(**{key: value.replace("{package}", package) for key, value in fields.items()})
    with pytest.raises(BadRequest, match=words):
        spec.build({})


@pytest.mark.parametrize("factory", ["net.py", "package.module", "a b:make", ":make", "os:system('x')"])
def test_a_factory_is_a_name(factory: str) -> None:
    with pytest.raises(BadRequest, match=r"expected package\.module:function"):
        made(factory=factory)
