"""`slow_layer5` has the published tensors and orders its tokens by row, column and channel."""

import json
from pathlib import Path

import pytest
import torch

from ego.layers.slow_layer5 import SlowLayer5, tokens
from ego.layers.slowfast_plan import KEYFRAME_HEAD, STATE_HEAD, cells


@pytest.mark.parametrize(
    ("head", "classes", "count"),
    [(None, 0, 32_185_792), (KEYFRAME_HEAD, 1, 32_193_985), (STATE_HEAD, 2, 32_202_178)],
)
def test_counts_and_names(head: str | None, classes: int, count: int, shared_data: Path) -> None:
    with torch.device("meta"):
        network = SlowLayer5(head, classes, 2)
    assert sum(x.numel() for x in network.parameters()) == count
    if head is not None:
        name = "slow_layer5_pnr" if head == KEYFRAME_HEAD else "slow_layer5_oscc"
        published = dict(json.loads((shared_data / "parity" / f"{name}.json").read_text())["keys"])
        assert {key: list(x.shape) for key, x in network.state_dict().items()} == published


def test_the_order_of_a_token() -> None:
    maps = torch.zeros(1, 2048, 3, 8, 8)
    maps[0, 700, 1, 7, 0] = 49.0  # the window of row 1, column 0 sees it, and no other
    found = tokens(maps)
    assert found.shape == (1, 3, 8192)
    assert found.nonzero().tolist() == [[0, 1, 2 * 2048 + 700]]
    assert found.max() == pytest.approx(1.0)


def test_a_map_smaller_than_a_window_is_one_cell() -> None:
    assert [cells(side) for side in (2, 7, 8, 10)] == [1, 1, 2, 4]
    assert torch.allclose(tokens(torch.ones(2, 5, 3, 2, 2)), torch.ones(2, 3, 5))
