"""For every family: what fits runs, what does not is one sentence, and no file runs code."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors._base import Network
from ego.pipeline.weights import WeightFinder
from ego.pipeline.weights_check import Checked, check, contents
from ego.spec import make

# the classifier of its file, what its file lies in, and fields that make it small
FAMILIES: dict[str, tuple[str, Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "resnet": ("fc", dict, {"size": 32}),
    "mfnet": ("classifier", lambda x: {"state_dict": {f"module.{key}": one for key, one in x.items()}}, {"size": 32}),
    "light_asd": ("lossAV.FC", lambda x: {f"model.{key}": one for key, one in x.items()}, {}),
    "flow_resnet": ("fc_action", lambda x: {"state_dict": x}, {"sees": {"name": "dis"}}),
    "googlenet": ("fc", dict, {"size": 32}),
    "i3d": ("logits.conv3d", dict, {"size": 193, "window": {"frames": 9, "stride": 9}}),
    "r3d": ("fc", dict, {"size": 32}),
    "slow": ("head.projection", lambda x: {"model_state": x}, {"size": 32}),
    "i3d_r50": ("head.projection", lambda x: {"model_state": x}, {"size": 32}),
    "slowfast": ("head.projection", lambda x: {"model_state": x}, {"size": 32}),
    "slow_layer5": (
        "Keyframe_localisation_head.projection",
        lambda x: {"state_dict": {f"model.{key}": one for key, one in x.items()}},
        {"size": 33, "picture": {"fit": "squash", "size": 33}},
    ),
    "lam": ("last_layer2", lambda x: {"state_dict": {f"module.{key}": one for key, one in x.items()}}, {}),
    "ttm": ("last_layer2", lambda x: {"state_dict": x}, {}),
    "talknet": ("lossAV.FC", lambda x: {"model": x}, {}),
}
QUICK = ("resnet", "mfnet", "light_asd")
EVERY = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]


def state_of(name: str) -> dict[str, torch.Tensor]:
    fields = {**FAMILIES[name][2], "weights": "random:3"}
    made: Any = make("extractors", name, fields)
    network = made.build({}).model if isinstance(made, Network) else made.network({})
    found: dict[str, torch.Tensor] = network.state_dict()
    return found


def checked(name: str, path: Path) -> Checked:
    def plain(field: str, value: Any) -> list[str]:
        if isinstance(value, dict):
            inside = ", ".join(f"{key} = {one!r}" for key, one in value.items())
            return [f"{name}.{field}={{ {inside} }}"]
        return [f"{name}.{field}={value}"]

    settings = [one for field, value in FAMILIES[name][2].items() for one in plain(field, value)]
    return check(path, name, settings, WeightFinder([path.parent]))


@pytest.mark.parametrize("name", EVERY)
def test_every_family_is_told_from_what_it_is_not(name: str, tmp_path: Path) -> None:
    state, (head, wrapped, _) = state_of(name), FAMILIES[name]
    path = tmp_path / "whole.pth"
    torch.save(wrapped(state), path)
    found = checked(name, path)
    assert found.problem is None
    assert found.sound
    assert all(answer.finite for answer in found.answers.values())
    assert len(contents(path).shapes) == len(state)

    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = checked(name, path)
    assert "does not open as plain tensors" in (cut.problem or "")

    other = dict(state)
    bias = f"{head}.bias"
    other[bias] = torch.zeros(len(state[bias]) + 3)  # its weight says another number of classes
    torch.save(wrapped(other), path)
    told = checked(name, path)
    assert not told.sound
    (key,) = told.differences["of another shape"]
    assert key.startswith(head)

    first = next(key for key, one in state.items() if one.ndim > 1 and not key.startswith(head))
    torch.save(wrapped({key: one for key, one in state.items() if key != first} | {"alien": torch.zeros(3)}), path)
    told = checked(name, path)
    assert told.differences["missing"] == [first]
    assert first in (told.problem or "")


@pytest.mark.parametrize("name", FAMILIES)
def test_no_family_runs_what_is_in_a_file(name: str, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"state_dict": Bomb()}, tmp_path / "zip.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Bomb(), protocol=2))
    blobs = {"blobs": {"conv1_w": np.zeros((2, 3), np.float32)}}
    (tmp_path / "caffe2.pkl").write_bytes(pickle.dumps(blobs, protocol=2))
    for file in ("zip.pth", "bare.pth", "caffe2.pkl"):
        found = checked(name, tmp_path / file)
        assert "can run code and are not opened: where you trust the file, save its state dict" in (found.problem or "")
        assert not found.sound
    assert not (tmp_path / "ran").exists()
    resnet = {f"layer9.{place}": torch.zeros(2) for place in range(4)}
    torch.save(resnet, tmp_path / "other.pth")
    told = checked(name, tmp_path / "other.pth")
    assert told.problem is not None
    assert "missing" in told.problem or "expected" in told.problem


def test_what_has_no_weights_is_a_bad_request(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="got --as tvl1, which has no weights"):
        check(tmp_path / "any.pth", "tvl1", (), WeightFinder())
