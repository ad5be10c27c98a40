"""Views of a window: what each shows is what a crop by hand shows, and their axis comes after the rows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from ego.errors import BadRequest
from ego.extractors._backbone import Backbone
from ego.extractors._views import check_views, views_of
from ego.extractors.resnet import ResNet
from ego.spec import find, make, rebuild
from ego.video import Box, Picture

SMALL = {"weights": "random:1", "size": 32, "picture": {"fit": "short", "size": 40}, "precision": "float32"}
VIEWS = ["centre", "top_left", "bottom_right flipped", "right 1.25", "left 0.75"]


def made(**fields: object) -> Backbone:
    spec = make("extractors", "resnet", {**SMALL, **fields})
    assert isinstance(spec, ResNet)
    return spec


@pytest.fixture
def frames() -> torch.Tensor:
    """Two frames of 48 x 40 pixels."""
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 1, 40, 48, 3), np.uint8))


def by_hand(frames: torch.Tensor, left: int, top: int, side: int, flip: bool = False) -> torch.Tensor:
    cut = frames[:, :, top : top + side, left : left + side]
    if side != 32:
        planes = cut[:, 0].permute(0, 3, 1, 2).double()
        scaled = functional.interpolate(planes, size=(32, 32), mode="bilinear", antialias=True)
        cut = scaled.round().to(torch.uint8).permute(0, 2, 3, 1)[:, None]
    return cut.flip(3) if flip else cut


def test_each_view_is_a_crop_of_its_own(frames: torch.Tensor) -> None:
    several, one = made(views=VIEWS), made()
    cuts = [(8, 4, 32), (0, 0, 32), (16, 8, 32, True), (8, 0, 40), (0, 8, 24)]
    with torch.inference_mode():
        network = one.build({})
        found = several.build({})(frames=frames)["feature"]
        for place, cut in enumerate(cuts):
            expected = network(frames=by_hand(frames, *cut))["feature"]
            limit = 1e-5 if cut[2] == 32 else 5e-3  # a grey level between two may be rounded either way
            assert float((found[:, place] - expected).norm() / expected.norm()) < limit, VIEWS[place]
    array = several.rows({})["feature"]
    assert (array.shape, array.kind) == ((5, 512), "vector")
    assert tuple(found.shape) == (2, 5, 512)


def test_the_entry_says_each_box_and_flip() -> None:
    views = made(views=VIEWS).rows({})["feature"].views
    assert views[0] == (0.1, 0.1, 0.9, 0.9, 0.0)
    assert views[1] == (0.0, 0.0, 0.8, 0.8, 0.0)
    assert views[2] == pytest.approx((0.2, 0.2, 1.0, 1.0, 1.0))
    assert views[3] == (0.0, 0.0, 1.0, 1.0, 0.0)
    assert made().rows({})["feature"].views == ()
    assert "views" not in made().rows({})["feature"].describe()["fields"]


def test_one_view_has_no_axis_and_the_centre_keeps_its_digest(frames: torch.Tensor) -> None:
    assert made(views=["centre"]).digest == made().digest
    assert "views" not in made().describe()["fields"]
    assert made(views=["centre flipped"]).digest != made().digest
    spec = made(views=["top_left"], taps=["conv5_x"])
    assert spec.rows({})["feature"].shape == (512, 1, 1)
    assert spec.rows({})["feature"].box == (0.0, 0.0, 0.8, 0.8)
    assert spec.box(96, 80) == Box(0.0, 0.0, 32 / 48, 0.8)
    with torch.inference_mode():
        found = spec.build({})(frames=frames)["feature"]
        expected = made(taps=["conv5_x"]).build({})(frames=by_hand(frames, 0, 0, 32))["feature"]
    assert torch.allclose(found, expected, atol=1e-5)
    assert rebuild(spec.describe()) == spec


def test_a_tail_goes_on_from_every_view(frames: torch.Tensor) -> None:
    spec = made(views=VIEWS, taps=["conv4_x", "pool"])
    with torch.inference_mode():
        rows = spec.build({})(frames=frames)
        again = spec.tail("conv4_x", {})(rows["conv4_x"])
    assert torch.allclose(again["feature" if "feature" in again else "pool"], rows["pool"], atol=1e-5)


@pytest.mark.parametrize("views", [[], ["middle"], ["centre", "centre"], ["centre 1.3"], ["centre -1"], ["flipped"]])
def test_views_that_are_none(views: list[str]) -> None:
    with pytest.raises(BadRequest, match="view"):
        made(views=views)


def test_ten_crops_are_those_of_the_field() -> None:
    places = ["top_left", "top_right", "bottom_left", "bottom_right", "centre"]
    ten = [*places, *(f"{place} flipped" for place in places)]
    check_views(ten, "x", Picture("short", 256), 224)
    cuts = [view.cut(224, 340, 256) for view in views_of(ten, "x")]
    assert cuts[:5] == [(0, 0, 224), (116, 0, 224), (0, 32, 224), (116, 32, 224), (58, 16, 224)]
    assert [view.flip for view in views_of(ten, "x")] == [False] * 5 + [True] * 5


def test_flow_has_the_same_with_its_vectors(frames: torch.Tensor) -> None:
    sees = {"name": "farneback", "picture": {"fit": "squash", "size": 48}, "window": {"frames": 2, "fps": 25.0}}
    views = ["centre", "top_left flipped", "right 0.5"]
    table = {"weights": "random:3", "sees": sees, "size": 32, "precision": "float32", "taps": ["Mixed_4b"]}
    table |= {"window": {"frames": 9, "fps": 25.0}}
    one, several = make("extractors", "i3d", table), make("extractors", "i3d", {**table, "views": views})
    flow = torch.randn(2, 9, 2, 48, 48, generator=torch.Generator().manual_seed(1)) * 4
    corner = flow[..., :32, :32].flip(-1)
    corner[:, :, 0] *= -1
    half = torch.nn.functional.interpolate(flow[..., 16:32, 32:].flatten(0, 1), size=(32, 32), mode="bilinear")
    half = half.unflatten(0, (2, 9)) * 2  # pixels are twice as small
    with torch.inference_mode():
        found = several.build({})(flow=flow)["feature"]  # type: ignore[attr-defined]
        alone = one.build({})  # type: ignore[attr-defined]
        for place, shown in enumerate((flow, corner, half)):
            expected = alone(flow=shown)["feature"]
            assert (found[:, place] - expected).norm() < 1e-4 * expected.norm()
    array = several.rows({})["feature"]  # type: ignore[attr-defined]
    assert array.shape == (3, 512, 3, 2, 2) == tuple(found.shape[1:])
    assert array.views[1] == pytest.approx((0, 0, 32 / 48, 32 / 48, 1))
    corner_alone = make("extractors", "i3d", {**table, "views": views[1:2]})
    assert corner_alone.box(640, 480) == pytest.approx((0, 0, 32 / 48, 32 / 48))  # type: ignore[attr-defined]


def test_transformers_have_the_same(frames: torch.Tensor, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    config = (
        '{"model_type": "vit", "image_size": 32, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 2, '
        '"num_attention_heads": 2, "intermediate_size": 64}'
    )
    table = {**SMALL, "config": config, "output": "grid"}
    one, several = make("extractors", "hf", table), make("extractors", "hf", {**table, "views": VIEWS})
    assert find("extractors", "hf") is type(one)
    with torch.inference_mode():
        found = several.build({})(frames)["feature"]  # type: ignore[attr-defined]
        expected = one.build({})(by_hand(frames, 16, 8, 32, True))["feature"]  # type: ignore[attr-defined]
    assert torch.allclose(found[:, 2], expected, atol=1e-5)
    array = several.rows({})["feature"]  # type: ignore[attr-defined]
    assert array.shape == (5, 32, 2, 2) == tuple(found.shape[1:])
    assert array.views[2][4] == 1.0


def test_boxes_in_a_wide_frame_are_those_of_its_scaled_picture():
    """Of 1920x1080 the picture is 71x40: a crop of 32 is no square of the frame, and its corners lie elsewhere."""
    own = made(views=["centre", "bottom_right flipped"])
    (left, top, right, bottom, mirrored), corner = own.view_boxes(1920, 1080)
    assert (left, top, right, bottom, mirrored) == pytest.approx((19 / 71, 4 / 40, 51 / 71, 36 / 40, 0))
    assert corner == pytest.approx((39 / 71, 8 / 40, 1, 1, 1))
    assert own.view_boxes(100, 100) == own.rows({})["feature"].views
    assert made().view_boxes(1920, 1080) == ()
