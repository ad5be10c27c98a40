"""Inception-v1 I3D has the published tensors, counts, shapes and TensorFlow's padding."""

import json
from math import ceil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from ego.layers.inception import InceptionI3d, Mixed, SamePool3d, Unit3d, pad_same
from ego.layers.inception_plan import END_POINTS, STEM, same_padding, shape, stem_frames

BLOCKS = {
    "Conv3d_1a_7x7": 65_984, "Conv3d_2b_1x1": 4_224, "Conv3d_2c_3x3": 332_160, "Mixed_3b": 386_272,
    "Mixed_3c": 837_888, "Mixed_4b": 737_760, "Mixed_4c": 904_464, "Mixed_4d": 1_103_664, "Mixed_4e": 1_356_672,
    "Mixed_4f": 1_799_168, "Mixed_5b": 1_974_272, "Mixed_5c": 2_784_736, "logits": 410_000,
}  # fmt: skip
SHAPES_16_224 = {
    "Conv3d_1a_7x7": (64, 8, 112, 112), "MaxPool3d_2a_3x3": (64, 8, 56, 56), "Conv3d_2b_1x1": (64, 8, 56, 56),
    "Conv3d_2c_3x3": (192, 8, 56, 56), "MaxPool3d_3a_3x3": (192, 8, 28, 28), "Mixed_3b": (256, 8, 28, 28),
    "Mixed_3c": (480, 8, 28, 28), "MaxPool3d_4a_3x3": (480, 4, 14, 14), "Mixed_4b": (512, 4, 14, 14),
    "Mixed_4c": (512, 4, 14, 14), "Mixed_4d": (512, 4, 14, 14), "Mixed_4e": (528, 4, 14, 14),
    "Mixed_4f": (832, 4, 14, 14), "MaxPool3d_5a_2x2": (832, 2, 7, 7), "Mixed_5b": (832, 2, 7, 7),
    "Mixed_5c": (1024, 2, 7, 7), "avg_pool": (1024, 1, 1, 1), "logits": (400, 1, 1, 1),
}  # fmt: skip


def on_meta(channels: int = 3, classes: int = 400, after: str | None = None) -> InceptionI3d:
    with torch.device("meta"):
        return InceptionI3d(channels, classes, after).eval()


@pytest.mark.parametrize(
    ("channels", "classes", "count"),
    [(3, 400, 12_697_264), (2, 400, 12_675_312), (3, 106, 12_395_914), (2, 106, 12_373_962), (3, 157, 12_448_189)],
)
def test_parameter_counts(channels: int, classes: int, count: int) -> None:
    network = on_meta(channels, classes)
    assert sum(p.numel() for p in network.parameters()) == count
    assert len(network.state_dict()) == 344


def test_parameters_of_each_block() -> None:
    network = on_meta()
    found = {name: sum(p.numel() for p in network.get_submodule(name).parameters()) for name in BLOCKS}
    assert found == BLOCKS


@pytest.mark.parametrize(("stream", "channels"), [("rgb", 3), ("flow", 2)])
def test_keys_and_shapes_are_those_of_the_published_files(stream: str, channels: int, shared_data: Path) -> None:
    published = json.loads((shared_data / "keymaps" / f"i3d_piergiaj_{stream}_kinetics400.json").read_text())["keys"]
    found = {key: list(tensor.shape) for key, tensor in on_meta(channels).state_dict().items()}
    # files older than the counter of batches lack it
    assert {key: side for key, side in found.items() if key in published} == published
    assert all(key.endswith("num_batches_tracked") for key in found.keys() - published.keys())


def test_every_end_point_of_16_frames_of_224() -> None:
    found = on_meta()(torch.empty(2, 3, 16, 224, 224, device="meta"), END_POINTS)
    assert {name: tuple(x.shape[1:]) for name, x in found.items()} == SHAPES_16_224
    assert {name: shape(name, 16, 224, 224, 400) for name in END_POINTS} == SHAPES_16_224


@pytest.mark.parametrize(("frames", "moments"), [(16, 1), (17, 2), (24, 2), (32, 3), (64, 7)])
def test_moments_of_the_pooled_feature(frames: int, moments: int) -> None:
    found = on_meta()(torch.empty(1, 3, frames, 224, 224, device="meta"), ("avg_pool", "logits"))
    assert found["avg_pool"].shape == (1, 1024, moments, 1, 1)
    assert found["logits"].shape == (1, 400, moments, 1, 1)
    assert moments == ceil(frames / 8) - 1


@pytest.mark.parametrize(("frames", "height", "width"), [(15, 113, 97), (9, 193, 257), (10, 320, 224)])
def test_declared_shapes_hold_for_odd_sizes(frames: int, height: int, width: int) -> None:
    names = tuple(name for name in END_POINTS if min(shape(name, frames, height, width, 400)) > 0)
    found = on_meta()(torch.empty(1, 3, frames, height, width, device="meta"), names)
    assert {name: tuple(found[name].shape[1:]) for name in names} == {
        name: shape(name, frames, height, width, 400) for name in names
    }


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [
        (7, 3, 2, (1, 1)),
        (112, 3, 2, (0, 1)),
        (16, 7, 2, (2, 3)),
        (8, 1, 1, (0, 0)),
        (7, 2, 2, (0, 1)),
        (14, 2, 2, (0, 0)),
    ],
)
def test_padding_follows_the_size(size: int, kernel: int, stride: int, pads: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == pads


def test_an_impulse_at_the_corner_reaches_output_cells_0_and_1_only() -> None:
    unit = Unit3d(1, 1, (7, 7, 7), (2, 2, 2), head=True)
    with torch.no_grad():
        unit.conv3d.weight.fill_(1)
        unit.conv3d.bias.zero_()
    clip = torch.zeros(1, 1, 16, 224, 224)
    clip[..., 0, 0, 0] = 1
    out = unit(clip)[0, 0]
    assert out.shape == (8, 112, 112)
    assert {tuple(cell) for cell in out.nonzero().tolist()} == {
        (t, y, x) for t in (0, 1) for y in (0, 1) for x in (0, 1)
    }


def test_pooling_equals_pooling_after_padding_with_zeros() -> None:
    clip = torch.rand(1, 2, 5, 9, 8)
    for kernel, stride in (
        ((3, 3, 3), (2, 2, 2)),
        ((1, 3, 3), (1, 2, 2)),
        ((3, 3, 3), (1, 1, 1)),
        ((2, 2, 2), (2, 2, 2)),
    ):
        pads = [same_padding(n, k, s) for n, k, s in zip(clip.shape[2:], kernel, stride, strict=True)]
        padded = F.pad(clip, [n for pad in reversed(pads) for n in pad])
        assert torch.equal(SamePool3d(kernel, stride)(clip), F.max_pool3d(padded, kernel, stride))


def test_even_padding_is_left_to_the_operation() -> None:
    clip = torch.rand(1, 2, 4, 8, 8)
    kept, padding = pad_same(clip, (3, 3, 3), (1, 1, 1))
    assert kept is clip
    assert padding == (1, 1, 1)


def test_branches_are_joined_in_order() -> None:
    mixed = Mixed(4, (1, 2, 3, 4, 5, 6)).eval()
    clip = torch.rand(1, 4, 3, 6, 6)
    out = mixed(clip)
    assert out.shape == (1, 15, 3, 6, 6)
    assert torch.equal(out[:, :1], mixed.b0(clip))
    assert torch.equal(out[:, 4:9], mixed.b2b(mixed.b2a(clip)))
    assert torch.equal(out[:, 9:], mixed.b3b(mixed.b3a(clip)))


def test_the_part_above_an_end_point_gives_what_the_whole_gives() -> None:
    torch.manual_seed(0)
    whole, upper = InceptionI3d(3, 5).eval(), InceptionI3d(3, 5, after="Mixed_4f").eval()
    assert {key.split(".")[0] for key in upper.state_dict()} == {"Mixed_5b", "Mixed_5c", "logits"}
    upper.load_state_dict({key: value for key, value in whole.state_dict().items() if key in upper.state_dict()})
    found = whole(torch.rand(1, 3, 9, 33, 32), ("Mixed_4f", "Mixed_5c"))
    assert torch.equal(upper(found["Mixed_4f"], ("Mixed_5c",))["Mixed_5c"], found["Mixed_5c"])


def test_a_norm_folded_into_its_convolution_gives_what_both_give() -> None:
    unit = Unit3d(3, 5, (3, 3, 3))
    random = torch.Generator().manual_seed(1)
    assert unit.bn is not None
    for tensor in (unit.bn.running_mean, unit.bn.running_var, unit.bn.weight.data, unit.bn.bias.data):
        tensor.uniform_(0.5, 2, generator=random)
    x = torch.randn(2, 3, 4, 6, 6, generator=random)
    apart = torch.relu(unit.eval().bn(F.conv3d(x, unit.conv3d.weight, padding=1)))
    assert torch.allclose(unit(x), apart, rtol=1e-5, atol=1e-5)
    unit.train()(x)
    assert unit.bn.num_batches_tracked == 1
    unit.eval()(x).sum().backward()
    assert all(parameter.grad is not None for parameter in unit.parameters())


def test_a_flat_module_sees_one_moment_at_a_time() -> None:
    module = Mixed(16, (4, 4, 4, 2, 2, 2), (1, 3, 3)).eval()
    x = torch.rand(1, 16, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(module(x)[:, :, 1:2], module(x[:, :, 1:2]), atol=1e-6)


def test_each_moment_of_the_stem_comes_of_seven_frames() -> None:
    assert stem_frames(5) == ((-1, -1, -1, 0, 1, 2, 3), (-1, 0, 1, 2, 3, 4, -1), (1, 2, 3, 4, -1, -1, -1))
    assert stem_frames(16)[0] == (-1, -1, 0, 1, 2, 3, 4)
    torch.manual_seed(0)
    network = InceptionI3d().eval()
    for frames in (5, 8, 9):
        clip = torch.randn(1, 3, frames, 32, 32)
        with torch.inference_mode():
            whole = network(clip, (STEM,))[STEM]
            padded = torch.cat([clip, torch.zeros(1, 3, 1, 32, 32)], dim=2)  # -1 is the zeros behind
            moments = [network.moment(padded[:, :, list(places)]) for places in stem_frames(frames)]
        assert torch.allclose(torch.cat(moments, dim=2), whole, atol=1e-6)
