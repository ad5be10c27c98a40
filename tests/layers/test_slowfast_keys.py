"""Both published schemes name the same tensors, of one pathway or two."""

import json
from pathlib import Path

import pytest
import torch

from ego.errors import BadRequest
from ego.layers.slowfast import SlowFast
from ego.layers.slowfast_keys import pyslowfast_names, pytorchvideo_names


def published(shared_data: Path, name: str) -> dict[str, list[int]]:
    return dict(json.loads((shared_data / "parity" / f"{name}.json").read_text())["keys"])


@pytest.mark.parametrize("depth", [50, 101])
def test_two_pathways(depth: int, shared_data: Path) -> None:
    theirs, ours = (published(shared_data, f"slowfast_r{depth}_8x8_{one}") for one in ("pytorchvideo", "pyslowfast"))
    forth, back = pyslowfast_names(theirs), pytorchvideo_names(ours)
    assert {forth[key]: shape for key, shape in theirs.items()} == ours
    assert {back[key]: shape for key, shape in ours.items()} == theirs
    assert all(forth[back[key]] == key for key in ours)


def test_one_pathway() -> None:
    with torch.device("meta"):
        slow, i3d = (list(SlowFast(arch, 50, {"projection": 400}).state_dict()) for arch in ("slow", "i3d"))
    names = pytorchvideo_names(slow)
    assert names["head.projection.weight"] == "blocks.5.proj.weight"
    assert names["s1.pathway0_stem.bn.bias"] == "blocks.0.norm.bias"
    assert names["s2.pathway0_res0.branch1_bn.weight"] == "blocks.1.res_blocks.0.branch1_norm.weight"
    assert names["s5.pathway0_res2.branch2.b.weight"] == "blocks.4.res_blocks.2.branch2.conv_b.weight"
    assert pyslowfast_names(names.values()) == {theirs: ours for ours, theirs in names.items()}
    pooled = pytorchvideo_names(i3d, pooled=True)
    assert {one.split(".")[1] for one in pooled.values()} == {"0", "1", "3", "4", "5", "6"}
    assert pyslowfast_names(pooled.values()) == {theirs: ours for ours, theirs in pooled.items()}


def test_other_names_are_refused() -> None:
    with pytest.raises(BadRequest, match="got 'head\\.weight'"):
        pyslowfast_names(["blocks.0.conv.weight", "head.weight"])
    with pytest.raises(BadRequest, match="no name in PyTorchVideo"):
        pytorchvideo_names(["Keyframe_localisation_head.projection.weight"])
