"""RAFT against its definition: sizes, correlations, look-up, upsampling, padding."""

import pytest
import torch
from torch import Tensor

from ego.layers.raft import RAFT, correlations, looked_up, upsampled
from ego.layers.raft_plan import PLANS, authors_names


@pytest.mark.parametrize(("size", "count"), [("large", 5_257_536), ("small", 990_162)])
def test_parameters_are_those_published(size: str, count: int) -> None:
    assert sum(one.numel() for one in RAFT(size, 1).parameters()) == count


def test_correlations_are_scaled_products() -> None:
    first, second = torch.randn(2, 2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    levels = correlations(first, second)
    assert [tuple(one.shape) for one in levels] == [(128, 1, 8 >> i, 8 >> i) for i in range(4)]
    expected = (first[1, :, 2, 3] * second[1, :, 5, 6]).sum() / 4
    assert float(levels[0][64 + 2 * 8 + 3, 0, 5, 6]) == pytest.approx(float(expected), abs=1e-5)
    assert torch.allclose(levels[1][:, 0, 0, 0], levels[0][:, 0, :2, :2].mean((1, 2)), atol=1e-5)


def test_a_look_goes_where_the_flow_points_and_counts_along_y_fastest() -> None:
    features = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    pyramid, flow = correlations(features, features), torch.zeros(1, 2, 16, 16)
    flow[0, :, 6, 7] = torch.tensor([2.0, -1.0])
    seen = looked_up(pyramid, flow, 1)[0, :9, 6, 7]
    plane = pyramid[0][6 * 16 + 7, 0]  # the cell points at column 9, row 5
    expected = [plane[5 + dy, 9 + dx] for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    assert torch.allclose(seen, torch.stack(expected), atol=1e-4)


def test_equal_weights_give_the_mean_of_nine_cells_in_pixels() -> None:
    flow = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    found = upsampled(flow, torch.zeros(1, 9 * 64, 3, 4))
    assert found.shape == (1, 2, 24, 32)
    assert torch.allclose(found[0, :, 8:16, 8:16], 8 * flow[0, :, :3, :3].mean((1, 2))[:, None, None], atol=1e-5)
    assert torch.allclose(upsampled(torch.ones(1, 2, 3, 4), None), torch.tensor(8.0))


def test_any_size_comes_back() -> None:
    network = RAFT("small", 1).eval()
    with torch.inference_mode():
        for size in ((33, 47), (130, 140)):
            assert network(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size)).shape == (1, 2, *size)


def torchvision_name(key: str, size: str) -> str:
    """How torchvision calls a tensor of the authors'."""
    part, _, rest = key.partition(".")
    if part in ("fnet", "cnet"):
        part = {"fnet": "feature_encoder", "cnet": "context_encoder"}[part]
        words = rest.split(".")
        if words[0] in ("conv1", "norm1"):
            return f"{part}.convnormrelu.{int(words[0] == 'norm1')}.{words[1]}"
        if words[0] == "conv2":
            return f"{part}.conv.{words[1]}"
        if words[2] == "downsample":
            return f"{part}.{rest}"
        return f"{part}.{words[0]}.{words[1]}.convnormrelu{words[2][-1]}.{int(words[2].startswith('norm'))}.{words[3]}"
    block, _, rest = rest.partition(".")
    name, _, last = rest.rpartition(".")
    if block == "encoder":
        longer = {"c": "corr", "f": "flow"}
        full = name if name == "conv" else f"conv{longer[name[4]]}{name[5]}"
        return f"update_block.motion_encoder.{full}.0.{last}"
    if block == "gru":
        turn = name[5:] or "1"
        return f"update_block.recurrent_block.convgru{turn}.{name[:5]}.{last}"
    if block == "mask":
        return f"mask_predictor.{'convrelu.0' if name == '0' else 'conv'}.{last}"
    return f"update_block.flow_head.{rest}"


@pytest.mark.parametrize("size", ["large", "small"])
def test_both_ways_of_naming_are_read(size: str) -> None:
    ours = RAFT(size, 1).state_dict()
    authors: dict[str, Tensor] = dict(ours)
    last = 4 if PLANS[size].narrow else 3
    for key in ours:  # the authors register the norm of a shortcut twice
        if ".downsample.1." in key:
            authors[key.replace("downsample.1", f"norm{last}")] = ours[key]
    assert set(authors_names(authors, size)) == set(ours)
    theirs = {torchvision_name(key, size): value for key, value in ours.items()}
    assert len(theirs) == len(ours)
    back = authors_names(theirs, size)
    assert {key: value.data_ptr() for key, value in back.items()} == {k: v.data_ptr() for k, v in ours.items()}
    assert "feature_encoder.layer2.0.convnormrelu1.0.weight" in theirs
    assert "update_block.motion_encoder.convcorr1.0.weight" in theirs
    assert "update_block.recurrent_block.convgru1.convz.weight" in theirs
