"""What all flow extractors promise: signs, pixels of their picture, how they are stored, one thread."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Network
from ego.sampling import Window
from ego.spec import make
from ego.video import Array, Picture

NAMES = ["tvl1", "dis", "farneback"]


def flow(name: str, **fields: Any) -> Network:
    spec = make("extractors", name, fields)
    assert isinstance(spec, Network)
    return spec


def frames(*steps: tuple[int, int]) -> torch.Tensor:
    """Pairs of a drawn texture in colour and the same moved right and down by whole pixels: (B, 2, 96, 128, 3)."""
    noise = np.random.default_rng(0).standard_normal((160, 192, 3)).astype(np.float32)
    still = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3.0), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    cut = [[still[32 - y : 128 - y, 32 - x : 160 - x] for x, y in ((0, 0), step)] for step in steps]
    return torch.from_numpy(np.array(cut))


@pytest.mark.parametrize("name", NAMES)
def test_right_and_down_are_positive_x_then_y(name: str) -> None:
    found = flow(name).build({})(frames=frames((3, -2), (0, 0), (-1, 4)))["feature"][:, :, 20:-20, 20:-20].mean((2, 3))
    assert found.numpy() == pytest.approx(np.array([[3, -2], [0, 0], [-1, 4]]), abs=0.15)


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_does_not_know_its_company(name: str) -> None:
    engine, shown = flow(name).build({}), frames((3, -2), (0, 0), (-1, 4))
    whole = engine(frames=shown)["feature"]
    assert torch.equal(whole, engine(frames=shown)["feature"])
    assert torch.equal(whole, torch.cat([engine(frames=shown[i : i + 1])["feature"] for i in range(3)]))


@pytest.mark.parametrize("name", NAMES)
def test_defaults(name: str) -> None:
    spec = flow(name)
    assert spec.window == Window(frames=2, edge="drop")
    assert spec.needs() == {"frames": Picture("height", 240)}
    declared = spec.rows({})["feature"]
    assert (declared.shape, declared.dtype, declared.kind, declared.scale) == ((2, 0, 0), "float16", "flow", 1.0)
    assert declared.sized(240, 427).shape == (2, 240, 427)
    assert (declared.compress, flow(name, stored="int8").rows({})["feature"].compress) == (False, True)


def test_int8_is_cut_at_its_bound_and_keeps_zero() -> None:
    class Fixed(torch.nn.Module):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return torch.tensor([0.0, -0.0, 7.0, -7.0, 8.0, 99.0, -99.0]).view(1, 1, 1, 7).expand(1, 2, 1, 7)

    from ego.extractors._flow_engines import Bounded

    declared = flow("dis", stored="int8", bound=8).rows({})["feature"]
    rows = Bounded(Fixed(), 8.0)(torch.empty(0))["feature"].numpy()
    stored = declared.cast(rows)
    assert stored.dtype == np.int8
    assert stored[0, 0, 0].tolist() == [0, 0, 111, -111, 127, 127, -127]
    assert declared.real(stored)[0, 0, 0] == pytest.approx(np.array([0, 0, 7, -7, 8, 8, -8]), abs=0.032)
    assert Bounded(Fixed(), None)(torch.empty(0))["feature"].abs().max() == 99


def test_float16_keeps_long_vectors_within_a_hundredth_of_a_pixel() -> None:
    rows = np.linspace(-31, 31, 5000, dtype=np.float32)
    assert np.abs(Array((), "float16", "flow").cast(rows).astype(np.float32) - rows).max() <= 0.0079


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_opencv_keeps_to_one_thread(method: str) -> None:
    cv2.setNumThreads(2)
    flow(method).build({})(frames=frames((1, 1)))
    assert cv2.getNumThreads() == 1


def test_too_small_for_opencv_is_a_bad_video() -> None:
    with pytest.raises(BadVideo, match="no flow in pictures of 8x8 pixels"):
        flow("dis").build({})(frames=torch.zeros(1, 2, 8, 8, 3, dtype=torch.uint8))


def test_grey_is_that_of_television() -> None:
    from ego.extractors._flow_engines import grey

    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], dtype=torch.uint8)
    assert grey(colours).tolist() == pytest.approx([76.245, 149.685, 29.07, 255])


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("tvl1", {"window": {"frames": 3}}, "got a window of 3 frames for tvl1, which sees two"),
        ("dis", {"bound": 10}, "whose float16 has none; set stored='int8'"),
        ("dis", {"bound": 0, "stored": "int8"}, "expected pixels above 0"),
        ("dis", {"preset": "slow"}, "'ultrafast' or 'fast' or 'medium'"),
        ("farneback", {"scale": 1}, "expected a scale between 0 and 1"),
        ("farneback", {"poly_n": 2}, "expected at least 1, 1, 2 and 3 to 31"),
        ("tvl1", {"tau": 0.5}, "got tau = 0.5 for tvl1, expected 0 to 0.25"),
        ("tvl1", {"theta": 0}, "got theta = 0 for tvl1"),
        ("tvl1", {"median": 4}, "expected an odd side, or 0 for none"),
        ("tvl1", {"zoom": 1}, "got zoom = 1 for tvl1, expected 0.1 to 0.95"),
        ("raft", {"weights": "random:0", "iterations": 0}, "got iterations = 0 for raft, expected at least 1"),
    ],
)
def test_each_error_is_one_sentence(name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        make("extractors", name, {k: Window(**v) if k == "window" else v for k, v in fields.items()})
