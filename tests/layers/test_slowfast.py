"""The residual video networks have the published tensors, and their pathways meet only where they should."""

import json
from pathlib import Path

import pytest
import torch

from ego.layers.slowfast import SlowFast
from ego.layers.slowfast_plan import Arch, shape, slow_frames

HEAD = {"projection": 400}


@pytest.mark.parametrize(
    ("arch", "depth", "lateral", "heads", "count"),
    [
        ("slowfast", 50, 7, {}, 33_644_488),
        ("slowfast", 101, 5, {}, 61_904_968),
        ("slowfast", 50, 7, HEAD, 34_566_488),
        ("slowfast", 101, 5, HEAD, 62_826_968),
        ("slowfast", 101, 5, {"projections.0": 115, "projections.1": 478}, 63_271_833),
        ("i3d", 50, 5, HEAD, 28_043_472),
        ("slow", 50, 5, HEAD, 32_454_096),
    ],
)
def test_counts(arch: Arch, depth: int, lateral: int, heads: dict[str, int], count: int) -> None:
    with torch.device("meta"):
        network = SlowFast(arch, depth, heads, lateral=lateral)
    assert sum(x.numel() for x in network.parameters()) == count


def test_counts_of_each_pathway() -> None:
    with torch.device("meta"):
        found = {50: SlowFast("slowfast", 50, {}, lateral=7), 101: SlowFast("slowfast", 101, {}, lateral=5)}
    for depth, counts in {50: [32_827_456, 514_152, 302_880], 101: [60_732_480, 955_880, 216_608]}.items():
        named = list(found[depth].named_parameters())
        assert counts == [
            sum(x.numel() for name, x in named if part in name) for part in ("pathway0_", "pathway1_", "_fuse.")
        ]


@pytest.mark.parametrize("name", ["slowfast_r50_8x8_pyslowfast", "slowfast_r101_8x8_pyslowfast", "i3d_r50_pyslowfast"])
def test_names_and_shapes_are_the_published_ones(name: str, shared_data: Path) -> None:
    published = dict(json.loads((shared_data / "parity" / f"{name}.json").read_text())["keys"])
    arch: Arch = "i3d" if "i3d" in name else "slowfast"
    depth = 101 if "r101" in name else 50
    with torch.device("meta"):
        network = SlowFast(arch, depth, HEAD, lateral=7 if depth == 50 else 5)
    assert {key: list(x.shape) for key, x in network.state_dict().items()} == published


def test_the_slow_pathway_sees_frames_spread_evenly() -> None:
    assert slow_frames(32) == (0, 4, 8, 13, 17, 22, 26, 31)
    assert slow_frames(32, 1, 2) == (0, 4, 8, 12, 16, 21, 25, 29)
    assert slow_frames(32, 2, 2) == (1, 5, 10, 14, 18, 22, 26, 31)
    assert all(len(slow_frames(32, clip, 7)) == 8 for clip in range(1, 8))
    assert slow_frames(4) == (0,)


def test_shapes_at_the_published_size() -> None:
    assert shape("slowfast", "res5", 32, 224) == (2048 + 256 * 4, 8, 7, 7)
    assert shape("i3d", "res5", 8, 224) == (2048, 4, 7, 7)
    assert [shape("slow_layer5", stage, 16, 225)[2] for stage in ("stem", "res2", "res3", "res4", "res5")] == [
        57, 57, 29, 15, 8,
    ]  # fmt: skip


def test_the_pathways_meet_only_in_the_lateral_connections() -> None:
    network = SlowFast("slowfast", 50, {}, slow=[0, 7], lateral=7).eval()
    one = torch.randn(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1))
    other = one.clone()
    other[:, :, 3] += 1
    with torch.inference_mode():
        changed = [network(x, ("res5",))["res5"] for x in (one, other)]
        for name, module in network.named_modules():
            if name.endswith("_fuse"):
                module.bn.weight.zero_()
        alone = [network(x, ("res5",))["res5"] for x in (one, other)]
    assert not torch.equal(changed[0][:, :2048], changed[1][:, :2048])
    assert torch.equal(alone[0][:, :2048], alone[1][:, :2048])
    assert not torch.equal(alone[0][:, 2048:], alone[1][:, 2048:])
