"""Maps on a coarse grid: closed-form means, parts of flow that do not cancel, what may be held, and a stored run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors.cells import Cells
from ego.extractors.dis import DIS
from ego.extractors.hands import Hands
from ego.extractors.idt import IDT
from ego.extractors.motion_map import MotionMap
from ego.extractors.resnet import ResNet
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, entry_key, work
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

PAIRS = Window(frames=2, edge="drop")
FLOW = DIS(picture=Picture("height", 48), preset="ultrafast")


def test_flow_that_comes_and_goes_does_not_cancel():
    module = Cells(window=PAIRS, maps=FLOW, grid=2).build({})
    flow = torch.zeros(1, 2, 4, 6)
    flow[0, 0, :2, :3] = torch.tensor([3.0, -3.0, 0.0])  # right and left in the upper left cell
    flow[0, 1, 2:, 3:] = -2.0  # up in the lower right one
    right, left, down, up = module(maps=flow)["feature"].view(4, 2, 2)
    assert right.tolist() == left.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert not down.any()
    assert up.tolist() == [[0.0, 0.0], [0.0, 2.0]]


def test_masks_become_shares_and_maps_keep_their_channels():
    mask = torch.zeros(2, 4, 4)
    mask[1, :2, :2] = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    found = Cells(maps=MotionMap(), grid=2).build({})(maps=mask)["feature"]
    assert found.tolist() == [[0.0] * 4, [0.75, 0.0, 0.0, 0.0]]
    spec = Cells(maps=ResNet(weights=Weights("random:0"), taps=("conv5_x",)), grid=2, kind="map")
    maps = torch.arange(512 * 16.0).view(1, 512, 4, 4)
    assert spec.rows({})["feature"].shape == (512, 2, 2)
    assert spec.build({})(maps=maps)["feature"][0, 3, 1].tolist() == [58.5, 60.5]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"maps": FLOW}, "give both the same"),
        ({"maps": Hands()}, "which gives: boxes, points"),
        ({"maps": ResNet(weights=Weights("random:0"))}, "whose rows are vector"),
        ({"maps": MotionMap(), "grid": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_averaged(fields, words):
    with pytest.raises(BadRequest, match=words):
        Cells(**fields).rows({})


def test_cells_are_those_of_the_stored_maps(readable_video: Callable[..., Path], tmp_path: Path):
    with Decoder() as decoder:
        (video,) = scan([readable_video(tmp_path / "a.mp4", frames=40, fps=15)], decoder)
    motion = MotionMap(idt=IDT(height=64, scales=1))
    of_flow, of_motion = Cells(window=PAIRS, maps=FLOW), Cells(maps=motion, grid=3)
    store = FeatureStore(tmp_path / "store", create=True)
    jobs = work([video], [FLOW, motion, of_flow, of_motion], store)
    assert [event.state for event in extract(jobs, store, {}) if isinstance(event, Outcome)] == ["stored"]
    flow, found = (store.read(entry_key(video, one, {})) for one in (FLOW, of_flow))
    assert np.array_equal(found.time, flow.time)
    whole = np.asarray(flow["feature"], np.float32)
    parts = np.stack([whole.clip(0), (-whole).clip(0)], axis=2).mean(axis=(3, 4))
    assert np.allclose(found["feature"].reshape(-1, 4, 16).mean(axis=2), parts.reshape(-1, 4), atol=2e-3)
    assert whole.any()
    masks, shares = (store.read(entry_key(video, one, {})) for one in (motion, of_motion))
    assert len(shares) == len(masks) == 40
    assert np.array_equal(shares["feature"].any(axis=1), masks["feature"].any(axis=(1, 2)))
