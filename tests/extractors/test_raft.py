"""RAFT as an extractor: files of both authors give the same numbers; what its weights may be called."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors._weights import initialise
from ego.extractors.raft import RAFT
from ego.layers.raft import RAFT as Layers
from ego.spec import Weights

Keep = Callable[[dict[str, Any], str], tuple[Weights, dict[Weights, Path]]]


def frames() -> torch.Tensor:
    drawn = np.random.default_rng(0).integers(0, 256, (2, 2, 32, 48, 3), np.uint8)
    return torch.from_numpy(drawn)


def test_a_file_of_its_authors_is_read(keep: Keep) -> None:
    model = Layers("small", 2)
    initialise(model, 3)
    state = {f"module.{key}": value for key, value in model.state_dict().items()}  # as DataParallel saves them
    weights, files = keep(state, "raft-small.pth")
    network = RAFT(weights=weights, size="small", iterations=2).build(files)
    drawn = RAFT(weights=Weights("random:3"), size="small", iterations=2).build({})
    with torch.inference_mode():
        found = network(frames=frames())["feature"]
        assert found.shape == (2, 2, 32, 48)
        assert torch.equal(found, drawn(frames=frames())["feature"])


def test_iterations_change_the_numbers(keep: Keep) -> None:
    one, two = (RAFT(weights=Weights("random:0"), size="small", iterations=n).build({}) for n in (1, 2))
    with torch.inference_mode():
        assert not torch.equal(one(frames=frames())["feature"], two(frames=frames())["feature"])


def test_another_networks_file_is_refused(keep: Keep) -> None:
    weights, files = keep(dict(Layers("small", 1).state_dict()), "small.safetensors")
    with pytest.raises(BadRequest, match=r"small.safetensors holds 106 tensors, 169 were expected; .*missing"):
        RAFT(weights=weights, size="large").build(files)


def test_published_files_are_known_by_their_names() -> None:
    for one in RAFT.published:
        assert one.url.endswith(f"/{one.name}")
        assert one.name.endswith(f"-{one.sha256}.pth")
    assert {value for one in RAFT.published for _, value in one.when} == {"large", "small"}
