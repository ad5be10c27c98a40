"""`torch_model` gives what the network in the file gives, and opens no file that could run code."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.torch_model import TorchModel
from ego.pipeline.weights import WeightFinder
from ego.sampling import Window
from ego.spec import from_table
from ego.video import Picture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
Made = tuple[TorchModel, WeightFinder]


def made(path: Path, **fields: Any) -> Made:
    finder = WeightFinder()
    table = {"size": 24, "picture": Picture("short", 28), **fields}
    return from_table(TorchModel, finder.fill(TorchModel, {"weights": str(path), **table}), "torch_model"), finder


def drawn(count: int, frames: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, frames, 28, 30, 3), np.uint8))


def exported(network: torch.nn.Module, path: Path, shape: tuple[int, ...] = (2, 3, 24, 24), free: bool = True) -> Path:
    named = {"x": {0: torch.export.Dim("batch")}} if free else None
    torch.export.save(torch.export.export(network, (torch.zeros(shape),), dynamic_shapes=named), path)
    return path


def crop(frames: torch.Tensor) -> torch.Tensor:
    return frames[:, 0, 2:26, 3:27].permute(0, 3, 1, 2).double().div(255).float()


@pytest.mark.parametrize("kind", ["script", "exported", "exported for one"])
@pytest.mark.parametrize("output", ["map", "pool", ""])
def test_it_is_the_network(
    kind: str, output: str, tiny_network: torch.nn.Module, tiny_script: Path, tmp_path: Path
) -> None:
    one = kind == "exported for one"
    shape = (1 if one else 2, 3, 24, 24)
    path = tiny_script if kind == "script" else exported(tiny_network, tmp_path / "m.pt2", shape, not one)
    spec, files = made(path, output=output, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), colours="bgr")
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    shown = drawn(3)
    with torch.inference_mode():
        expected = tiny_network((crop(shown).flip(1) - mean) / std)[output or "map"]
        found = spec.build(files)(shown)["feature"]
    assert torch.allclose(found, expected, atol=1e-4)
    array = spec.rows(files)["feature"]
    assert (array.shape, array.kind) == (tuple(found.shape[1:]), "vector" if output == "pool" else "map")


class Axes(torch.nn.Module):
    """Gives back its input's shape and one pixel, so that the order of the axes is seen."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The first channel or row, and the whole."""
        return x.flatten(1)[:, :7], x + 0


@pytest.mark.parametrize("layout", ["btchw", "bcthw", "bthwc"])
def test_axes_lie_as_asked(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "axes.pt"
    torch.jit.save(torch.jit.trace(Axes(), torch.zeros(1, 2, 3, 24, 24)), path)
    spec, files = made(path, layout=layout, output="1", window=Window(frames=2), factor=1.0)
    shown = drawn(2, 2)
    order = ["bthwc".index(axis) for axis in layout]
    assert torch.equal(spec.build(files)(shown)["feature"], shown[:, :, 2:26, 3:27].permute(order).float())
    if layout == "bcthw":
        assert made(path, output="1", window=Window(frames=2), factor=1.0)[0]._layout == "bcthw"


def test_a_window_of_clips_needs_an_axis_of_time(tiny_script: Path) -> None:
    with pytest.raises(BadRequest, match="2 frames for torch_model with layout bchw"):
        made(tiny_script, window=Window(frames=2), layout="bchw")
    spec, files = made(tiny_script, window=Window(frames=2))
    with pytest.raises(BadRequest, match="does not run on one window of 2 frames of 24 pixels laid out as bcthw"):
        spec.rows(files)


def test_an_output_that_is_not_there_is_told(tiny_script: Path) -> None:
    spec, files = made(tiny_script, output="logits")
    with pytest.raises(BadRequest, match="gives map, pool; name one of them"):
        spec.rows(files)


class Bomb:
    """A pickle that makes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


Edit = Callable[[str, bytes], bytes | None]


def edited(path: Path, into: Path, edit: Edit, more: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(into, "w") as written:
        for name in archive.namelist():
            content = edit(name, archive.read(name))
            if content is not None:
                written.writestr(name, content)
        for name, content in (more or {}).items():
            written.writestr(f"{archive.namelist()[0].partition('/')[0]}/{name}", content)
    return into


def graph_with(change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        table = json.loads(content)
        change(table)
        return json.dumps(table).encode()

    return edit


@pytest.fixture
def network_file(tiny_network: torch.nn.Module, tmp_path: Path) -> Path:
    return exported(tiny_network, tmp_path / "good.pt2")


def refused(path: Path, match: str, mark: Path) -> None:
    spec, files = made(path, output="pool")
    with pytest.raises(BadRequest, match=match) as caught:
        spec.build(files)(drawn(1))
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_an_exported_file_runs_no_pickle(network_file: Path, tmp_path: Path) -> None:
    mark, bomb = tmp_path / "ran", io.BytesIO()
    torch.save((Bomb(mark),), bomb)
    bad = edited(network_file, tmp_path / "a.pt2", lambda name, old: bomb.getvalue() if "sample" in name else old)
    refused(bad, "a pickle with more than tensors", mark)

    def as_pickle(name: str, old: bytes) -> bytes:
        if name.endswith("weights/weight_0"):
            return bomb.getvalue()
        return old.replace(b'"use_pickle": false', b'"use_pickle": true') if name.endswith("config.json") else old

    refused(edited(network_file, tmp_path / "b.pt2", as_pickle), "holds the pickle weight_0", mark)
    opaque = {"data/constants/opaque_obj_0": pickle.dumps(Bomb(mark))}
    refused(edited(network_file, tmp_path / "c.pt2", lambda _, old: old, opaque), "opaque_obj_0", mark)
    compiled = {"data/aotinductor/model/x.so": b"\x7fELF"}
    refused(edited(network_file, tmp_path / "d.pt2", lambda _, old: old, compiled), "aotinductor", mark)


def test_an_exported_file_runs_no_text(network_file: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    call = f"__import__('os').mkdir('{mark}')"

    def operator(table: dict[str, Any]) -> None:
        table["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.mkdir"

    def size(table: dict[str, Any]) -> None:
        text = json.dumps(table["graph_module"]).replace("Symbol(", f"{call} or Symbol(")
        table["graph_module"] = json.loads(text)

    def name(table: dict[str, Any]) -> None:
        table["graph_module"]["graph"]["nodes"][0]["name"] = f"y = {call}; y"

    def guard(table: dict[str, Any]) -> None:
        table["guards_code"] = [call]

    refused(edited(network_file, tmp_path / "a.pt2", graph_with(operator)), r"operator 'torch\.os\.mkdir'", mark)
    refused(edited(network_file, tmp_path / "b.pt2", graph_with(size)), "the size", mark)
    refused(edited(network_file, tmp_path / "c.pt2", graph_with(name)), "the text", mark)
    spec, files = made(edited(network_file, tmp_path / "d.pt2", graph_with(guard)), output="pool")
    assert spec.build(files)(drawn(1))["feature"].shape == (1, 4)  # guards are left out
    assert not mark.exists()


def test_files_of_other_kinds_are_one_sentence(
    tiny_network: torch.nn.Module, tiny_script: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    torch.save(tiny_network.state_dict(), tmp_path / "state.pt")
    refused(tmp_path / "state.pt", "no graph", mark)
    torch.save(Bomb(mark), tmp_path / "bomb.pt")
    refused(tmp_path / "bomb.pt", "no graph", mark)
    (tmp_path / "plain.pkl.pt").write_bytes(pickle.dumps(Bomb(mark)))
    refused(tmp_path / "plain.pkl.pt", "no whole TorchScript or exported file", mark)
    (tmp_path / "cut.pt").write_bytes(tiny_script.read_bytes()[:-400])
    refused(tmp_path / "cut.pt", "no whole TorchScript or exported file", mark)


def test_a_script_with_a_python_pickle_runs_nothing(tiny_script: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    bad = edited(
        tiny_script,
        tmp_path / "a.pt",
        lambda name, old: pickle.dumps(Bomb(mark), 2) if name.endswith("/data.pkl") else old,
    )
    refused(bad, "cannot be opened by torch", mark)


def test_a_network_for_four_windows_at_once_is_refused(tiny_network: torch.nn.Module, tmp_path: Path) -> None:
    spec, files = made(exported(tiny_network, tmp_path / "four.pt2", (4, 3, 24, 24), free=False))
    with pytest.raises(BadRequest, match="exported for 4 windows at once"):
        spec.rows(files)


def test_random_weights_mean_nothing() -> None:
    with pytest.raises(BadRequest, match="expected a file"):
        from_table(TorchModel, {"weights": "random:0"}, "torch_model")
