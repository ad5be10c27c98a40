"""Warp flow is what is left when the camera is held still."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ego.errors import BadRequest
from ego.extractors._base import Files, Network
from ego.extractors._camera import Camera
from ego.extractors.mean_rgb import MeanRgb
from ego.extractors.warp_flow import WarpFlow
from ego.sampling import Window
from ego.video import Array, Picture

PAIR = Window(frames=2, edge="drop")


class Search(nn.Module):
    def forward(self, look: torch.Tensor) -> dict[str, torch.Tensor]:
        search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        greys = [[cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in pair] for pair in look.numpy()]
        found = [search.calc(*pair, None).transpose(2, 0, 1) for pair in greys]
        return {"feature": torch.from_numpy(np.stack(found))}


@dataclass(frozen=True)
class Plain(Network):
    """A flow as small as can be: what a test may hold."""

    window: Window = PAIR

    def needs(self) -> dict[str, Picture]:
        return {"look": Picture("height", 256)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((2, 0, 0), "float16", "flow", compress=True)}

    def build(self, files: Files) -> nn.Module:
        return Search().eval()


@dataclass(frozen=True)
class Palms(MeanRgb):
    """Stands for an extractor of hands."""


def run(spec: WarpFlow, pictures: Any, **hands: torch.Tensor) -> dict[str, torch.Tensor]:
    frames = torch.from_numpy(np.stack([pictures[:-1], pictures[1:]], 1))
    assert isinstance(spec.flow, Network)
    with torch.inference_mode():
        flow = spec.flow.build({})(frames)["feature"]
        found = spec.build({})(frames=frames, flow=flow, **hands)
    assert isinstance(found, dict)
    return found


def test_it_asks_for_its_flow_and_that_flows_picture() -> None:
    spec = WarpFlow(flow=Plain())
    assert spec.needs() == {"frames": Picture("height", 256), "flow": Plain()}
    declared = spec.rows({})
    assert declared["feature"] == Plain().rows({})["feature"]
    assert (declared["homography"].shape, declared["inliers"].shape) == ((3, 3), ())
    held = WarpFlow(flow=Plain(), hands=Palms())
    assert held.needs()["hands"] == Palms()
    assert held.digest != spec.digest != WarpFlow(flow=Plain(), camera=Camera(features="orb")).digest


def test_what_is_no_flow_is_refused() -> None:
    with pytest.raises(BadRequest, match="got mean_rgb as the flow of warp_flow"):
        WarpFlow(flow=MeanRgb())
    with pytest.raises(BadRequest, match="give both the same"):
        WarpFlow(flow=Plain(Window(frames=2, interval=2, edge="drop")))


def test_a_turning_camera_leaves_no_flow(worlds: ModuleType) -> None:
    pictures, to_frame = worlds.turning(9, 256, 456)
    found = run(WarpFlow(flow=Plain()), pictures)
    size = np.hypot(*found["feature"].numpy()[:, :, 8:-8, 8:-8].swapaxes(0, 1))
    assert np.median(size) < 0.2
    assert np.percentile(size, 95) < 0.5
    for t in range(8):
        true = to_frame[t + 1] @ np.linalg.inv(to_frame[t])
        assert worlds.corner_error(found["homography"][t].double().numpy(), true, 456, 256) < 0.5
    assert (found["inliers"] > 500).all()


def test_each_pair_stands_alone(worlds: ModuleType) -> None:
    pictures, _ = worlds.turning(5, 256, 456)
    spec = WarpFlow(flow=Plain())
    whole, again = run(spec, pictures), run(spec, pictures)
    last = run(spec, pictures[3:])
    for name, rows in whole.items():
        assert torch.equal(rows, again[name])
        assert torch.equal(rows[3:], last[name])


def test_a_still_camera_changes_nothing(worlds: ModuleType) -> None:
    pictures = np.repeat(worlds.shifted(1, (0, 0), 256, 456), 2, axis=0)
    found = run(WarpFlow(flow=Plain()), pictures)
    assert float(found["feature"].abs().max()) < 1e-3
    assert found["homography"][0].numpy() == pytest.approx(np.eye(3), abs=1e-4)
    blank = run(WarpFlow(flow=Plain()), np.full((2, 256, 456, 3), 90, np.uint8))
    assert torch.equal(blank["homography"][0], torch.eye(3))
    assert int(blank["inliers"][0]) == 0


def test_hands_that_fill_the_view_are_left_out(worlds: ModuleType) -> None:
    still = worlds.shifted(2, (0, 0), 256, 456)
    hand = worlds.shifted(2, (6, -4), 256, 456, 8)
    pictures = still.copy()
    pictures[:, 40:, 60:400] = hand[:, 40:, 60:400]
    boxes = torch.zeros(1, 2, 2, 4)
    boxes[:, :, 1] = torch.tensor([50 / 456, 30 / 256, 410 / 456, 1.0])
    visible = torch.tensor([[[False, True], [False, True]]])
    spec = WarpFlow(flow=Plain(), hands=Palms())
    fooled = run(spec, pictures, hands_boxes=boxes, hands_visible=torch.zeros_like(visible))
    right = run(spec, pictures, hands_boxes=boxes, hands_visible=visible, hands_score=torch.zeros(1, 2, 2))
    assert abs(float(fooled["homography"][0, 0, 2]) - 6) < 1
    assert right["homography"][0].numpy() == pytest.approx(np.eye(3), abs=0.3)
    inside = right["feature"][0, :, 80:-20, 120:340].median(dim=1).values.median(dim=1).values
    assert inside.numpy() == pytest.approx([6, -4], abs=0.5)


def test_still_areas_of_the_kitchen_do_not_flow(worlds: ModuleType) -> None:
    cook = worlds.kitchen(0, 3, 2.5, (456, 256), False)
    pairs = range(40, 74, 3)
    sizes, moved = [], []
    for t in pairs:
        found = run(WarpFlow(flow=Plain()), cook.pictures[t : t + 2])
        still = cv2.dilate((cook.mask[t] | cook.mask[t + 1]).astype(np.uint8), np.ones((31, 31), np.uint8)) == 0
        sizes.append(np.median(np.hypot(*found["feature"][0].numpy())[still]))
        moved.append(worlds.corner_error(found["homography"][0].double().numpy(), cook.camera(t), 456, 256))
    assert max(sizes) < 0.3
    assert np.median(moved) < 0.5
