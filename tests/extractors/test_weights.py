"""Weights files are read without running code, and what does not fit is said at once."""

import pickle
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ego.errors import BadRequest
from ego.extractors._weights import initialise, load, read
from ego.spec import Weights


class Net(nn.Module):
    """A small network with one of everything."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, classes)


class Bomb:
    """A pickle that runs code when it is opened."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("exploded"),)


def state(classes: int = 4) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return Net(classes).state_dict()


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.model"])
def test_both_formats_are_told_by_content(name: str, keep: Callable[..., Any], tmp_path: Path) -> None:
    weights, files = keep(state(), name)
    assert same(read(files[weights]), state())
    renamed = tmp_path / "renamed.bin"
    files[weights].rename(renamed)
    assert same(read(renamed), state())


def test_the_old_format_of_torch_is_read(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert same(read(tmp_path / "old.pt"), state())


@pytest.mark.parametrize("container", ["state_dict", "model_state", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
def test_containers_and_prefixes_are_taken_off(container: str, prefix: str, keep: Callable[..., Any]) -> None:
    inner = {prefix + key: tensor for key, tensor in state().items()}
    weights, files = keep({container: inner, "epoch": 3, "optimizer": {"lr": 0.1}}, "w.pt")
    assert same(read(files[weights]), state())


def test_every_tensor_is_loaded(keep: Callable[..., Any]) -> None:
    weights, files = keep(state(), "w.safetensors")
    network = load(lambda found: Net(), weights, files)
    assert same(network.state_dict(), state())
    assert not network.training


def test_a_missing_batch_counter_is_filled_in(keep: Callable[..., Any]) -> None:
    found = {key: tensor for key, tensor in state().items() if not key.endswith("num_batches_tracked")}
    weights, files = keep(found, "w.pt")
    assert load(lambda found: Net(), weights, files).state_dict()["bn.num_batches_tracked"] == 0


def test_what_does_not_fit_is_listed_in_one_message(keep: Callable[..., Any]) -> None:
    wrong = state(classes=9) | {f"extra.{i}": torch.zeros(1) for i in range(50)}
    del wrong["conv.weight"]
    weights, files = keep(wrong, "other.pt")
    with pytest.raises(BadRequest) as caught:
        load(lambda found: Net(), weights, files)
    text = str(caught.value)
    assert "1 missing: conv.weight" in text
    assert "50 unexpected: extra.0, extra.1" in text
    assert "and 44 more" in text
    assert "2 of another shape: fc.weight (9, 2) instead of (4, 2)" in text
    assert len(text) < 500


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x00" * 64, pickle.dumps({"blobs": {}}), pickle.dumps({"w": Bomb()}), b"{}" * 9]
)
def test_other_files_are_refused_with_advice(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pkl").write_bytes(content)
    with pytest.raises(BadRequest, match=r"net\.pkl"):
        read(tmp_path / "net.pkl")
    assert not (tmp_path / "exploded").exists()


def test_settings_and_scores_beside_the_tensors_are_read_as_nothing(
    keep: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = type("CfgNode", (dict,), {"__module__": "fvcore.common.config"})
    callback = type("ModelCheckpoint", (), {"__module__": "pytorch_lightning.callbacks.model_checkpoint"})
    for kind in (settings, callback):
        parts = kind.__module__.split(".")
        for depth in range(len(parts)):
            name = ".".join(parts[: depth + 1])
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        setattr(sys.modules[kind.__module__], kind.__name__, kind)
    deep = settings(MODEL=settings(NAME="SlowFast"))
    deep.frozen = True  # type: ignore[attr-defined]
    beside = {"hyper_parameters": {"cfg": deep, "args": Namespace(lr=0.1)}, "best": np.float64(72.8)}
    saved = {**beside, "callbacks": {callback: {"best_model_score": 1}}, "state_dict": state()}
    weights, files = keep(saved, "ego4d.ckpt")
    _, bad = keep({**saved, "more": Bomb()}, "bad.ckpt")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert same(read(files[weights]), state())
    with pytest.raises(BadRequest, match=r"bad\.ckpt does not open as plain tensors"):
        read(next(iter(bad.values())))
    assert not (tmp_path / "exploded").exists()


def test_a_damaged_safetensors_file_is_refused(keep: Callable[..., Any]) -> None:
    weights, files = keep(state(), "w.safetensors")
    whole = files[weights].read_bytes()
    for cut in (9, 40, len(whole) - 1):
        files[weights].write_bytes(whole[:cut])
        with pytest.raises(BadRequest, match=r"w\.safetensors"):
            read(files[weights])


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="gone"):
        read(tmp_path / "gone.pt")


def test_random_weights_depend_on_seed_and_key_alone() -> None:
    first, again, other = (load(lambda found: Net(), Weights(f"random:{seed}"), {}) for seed in (1, 1, 2))
    assert same(first.state_dict(), again.state_dict())
    assert not torch.equal(first.conv.weight, other.conv.weight)
    # the same numbers on any machine
    expected = [0.5153051614761353, 0.01877986639738083, -0.37914201617240906]
    assert first.conv.weight.flatten()[:3].tolist() == pytest.approx(expected, abs=1e-7)


def test_random_norms_are_the_identity() -> None:
    network = Net()
    initialise(network, 3)
    assert network.bn.weight.tolist() == network.bn.running_var.tolist() == [1, 1]
    assert network.bn.bias.tolist() == network.bn.running_mean.tolist() == network.conv.bias.tolist() == [0, 0]
    assert network.bn.num_batches_tracked == 0
    assert network.fc.weight.std() > 0
