"""The two published names of the same tensors: PySlowFast's, which the modules bear, and PyTorchVideo's."""

import re
from collections.abc import Iterable

from ego.errors import BadRequest

# PySlowFast's and PyTorchVideo's names of the parts of a block
PARTS = (
    ("branch1.", "branch1_conv."), ("branch1_bn.", "branch1_norm."),
    ("branch2.a.", "branch2.conv_a."), ("branch2.a_bn.", "branch2.norm_a."),
    ("branch2.b.", "branch2.conv_b."), ("branch2.b_bn.", "branch2.norm_b."),
    ("branch2.c.", "branch2.conv_c."), ("branch2.c_bn.", "branch2.norm_c."),
)  # fmt: skip


def pyslowfast_names(keys: Iterable[str]) -> dict[str, str]:
    """PyTorchVideo's key -> PySlowFast's, for all keys of a file; none other than `blocks.*` may be among them."""
    keys = list(keys)
    stages = sorted({int(key.split(".")[1]) for key in keys if ".res_blocks." in key})
    return {key: _pyslowfast(key, {stage: place + 2 for place, stage in enumerate(stages)}) for key in keys}


def pytorchvideo_names(keys: Iterable[str], pooled: bool = False) -> dict[str, str]:
    """PySlowFast's key -> PyTorchVideo's; `pooled` for `i3d`, whose weight-free pool counts as a block."""
    keys = list(keys)
    two = any(key.startswith("s1_fuse.") for key in keys)
    return {key: _pytorchvideo(key, two, pooled) for key in keys}


def _pyslowfast(key: str, stages: dict[int, int]) -> str:
    found = re.fullmatch(r"blocks\.(\d+)\.(?:multipathway_(blocks|fusion)\.)?(.+)", key)
    if found is None:
        raise BadRequest(f"got {key!r} among keys that begin with blocks; name a file of one network of PyTorchVideo")
    block, kind, rest = int(found[1]), found[2], found[3]
    if rest.startswith("proj."):
        return f"head.projection.{rest.removeprefix('proj.')}"
    stage = 1 if block == 0 else stages.get(block, 0)
    if kind == "fusion":
        return f"s{stage}_fuse.{rest.replace('conv_fast_to_slow.', 'conv_f2s.').replace('norm.', 'bn.')}"
    pathway = "0"
    if kind == "blocks":
        pathway, _, rest = rest.partition(".")
    if stage == 1:
        return f"s1.pathway{pathway}_stem.{rest.replace('norm.', 'bn.')}"
    _, _, rest = rest.partition("res_blocks.")
    number, _, rest = rest.partition(".")
    for ours, theirs in PARTS:
        if rest.startswith(theirs):
            rest = ours + rest.removeprefix(theirs)
            break
    return f"s{stage}.pathway{pathway}_res{number}.{rest}"


def _pytorchvideo(key: str, two: bool, pooled: bool) -> str:
    if key.startswith("head.projection."):
        return f"blocks.{6 if two or pooled else 5}.proj.{key.removeprefix('head.projection.')}"
    found = re.fullmatch(r"s(\d)(_fuse|\.pathway(\d)_(?:stem|res(\d+)))\.(.+)", key)
    if found is None:
        raise BadRequest(f"got {key!r}, which has no name in PyTorchVideo; leave it out")
    stage, rest = int(found[1]), found[5]
    block = stage - 1 + (pooled and stage > 2)
    if found[2] == "_fuse":
        rest = rest.replace("conv_f2s.", "conv_fast_to_slow.").replace("bn.", "norm.")
        return f"blocks.{block}.multipathway_fusion.{rest}"
    where = f"blocks.{block}.multipathway_blocks.{found[3]}" if two else f"blocks.{block}"
    if stage == 1:
        return f"{where}.{rest.replace('bn.', 'norm.')}"
    for ours, theirs in PARTS:
        if rest.startswith(ours):
            rest = theirs + rest.removeprefix(ours)
            break
    return f"{where}.res_blocks.{found[4]}.{rest}"
