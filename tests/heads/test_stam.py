"""STAM end to end as published, in the paper's form and the released one; its attention in closed form."""

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

from ego.errors import BadRequest
from ego.extractors.i3d import I3D
from ego.extractors.tvl1 import TVL1
from ego.heads._stam import from_published
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.stam import STAM
from ego.layers.inception import InceptionI3d
from ego.sampling import Window
from ego.tasks.classify import Classify
from ego.video import Array, Picture

MAP = Array((1024, 2, 7, 7), kind="map")
TASKS = {"action": Classify(label="action", classes=tuple(map(str, range(106))))}
SMALL = Array((32, 2, 3, 3), kind="map")
PIN = "b2_t16_h224_w224"


def clips(pin, channels):
    seeds = pin["inputs"]["x"]["seeds"]
    drawn = [
        np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (16, 224, 224, channels), np.uint8)
        for seed in seeds
    ]
    return torch.from_numpy(np.stack(drawn))


def mixed_5c(published, keep, name):
    """The rows (B, 1, 1024, 2, 7, 7) of the extractor that the published network stands on, and its parameters."""
    weights, files = keep(published.state(), f"{name}.pt")
    common = {"weights": weights, "taps": ("Mixed_5c",), "precision": "float32", "window": Window(frames=16, stride=16)}
    if name == "stam_rgb":
        module = I3D(picture=Picture("squash", 224), **common).build(files)
        shown = {"frames": clips(published.pins[PIN], 3)}
    else:
        flow = TVL1(picture=Picture("squash", 224))
        module = I3D(sees=flow, **common).build(files)
        pixels = (clips(published.pins[PIN], 2).double() / 255 * 40 - 20).float()
        shown = {"flow": pixels.permute(0, 1, 4, 2, 3)}
    trunk = sum(x.numel() for name, x in module.named_parameters() if ".logits." not in name)
    with torch.inference_mode():
        return module(**shown)["feature"][:, None], trunk


FLOW = pytest.param("stam_flow", 15_304_108, marks=pytest.mark.slow)


@pytest.mark.parametrize(("name", "count"), [("stam_rgb", 15_326_060), FLOW])
def test_published_numbers(name, count, pins, keep, filled, steps_task):
    published = pins(name)
    rows, trunk = mixed_5c(published, keep, name)
    published.check_tap(PIN, "Mixed_5c", rows[:, 0])
    tasks, mask = {**TASKS, "gaze": steps_task(7, 7)}, {"rgb": torch.ones(2, 1, dtype=torch.bool)}
    for attention in ("release", "minmax"):
        module = STAM(attention=attention).build({"rgb": MAP}, tasks)
        module = filled(module, from_published(published.state(), "action"))
        assert trunk + sum(x.numel() for x in module.parameters()) == count
        with torch.inference_mode():
            published.check_tap(PIN, "a_raw", module.raw(rows[:, 0])[:, None])
            found = module({"rgb": rows}, mask, tuple(tasks))
            pooled = module.embed({"rgb": rows}, mask)
        published.check_tap(PIN, f"a_{attention}", found["gaze"][:, None])
        published.check_tap(PIN, f"pooled_{attention}", pooled[..., None, None, None])
        published.check_tap(PIN, f"logits_{attention}", found["action"][..., None, None, None])
        for sigma in ("3",) if attention == "release" else ("3", "3.5"):
            target = torch.from_numpy(published.arrays[f"{PIN}/target_sigma{sigma}"])
            loss = mse_loss(found["gaze"], target)[None]
            published.check_tap(PIN, f"gaze_mse_{attention}_sigma{sigma}", loss)


def test_counts():
    with torch.device("meta"):
        module = STAM().build({"rgb": MAP}, TASKS)
        flat = STAM().build({"rgb": Array((1024, 7, 7), kind="map")}, TASKS)
    assert sum(x.numel() for x in module.attention_inc.parameters()) == 2_929_120
    assert sum(x.numel() for x in module.attention_pred.parameters()) == 1_026
    assert sum(x.numel() for x in flat.attention_inc.parameters()) == 1_491_424
    assert sum(x.numel() for x in flat.attention_pred.parameters()) == 1_026


def small(tasks=TASKS, **fields):
    module = begin(STAM(**fields), {"rgb": SMALL}, tasks, Training()).eval()
    rows = torch.randn(3, 2, *SMALL.shape, generator=torch.Generator().manual_seed(1)).relu()
    return module, rows, torch.ones(3, 2, dtype=torch.bool)


@pytest.mark.parametrize("attention", ["minmax", "release", "sigmoid"])
def test_the_range_of_attention(attention):
    module, rows, _ = small(attention=attention)
    module.attention_pred.bn.bias.data.fill_(2.0)  # so that the ReLU lets every cell through
    found = module.attend(rows[:, 0]).detach()
    low, high = found.amin((1, 2, 3)), found.amax((1, 2, 3))
    if attention == "sigmoid":
        assert 0 < float(low.min()) < float(high.max()) < 1
    else:
        assert torch.equal(low, torch.zeros(3))
        assert torch.equal(high, torch.ones(3)) == (attention == "minmax")


def test_a_constant_map_has_no_attention_and_a_finite_gradient():
    module, rows, _ = small()
    module.attention_pred.conv3d.weight.data.zero_()
    x = rows[:, 0].clone().requires_grad_(True)
    found = module.attend(x)
    assert float(found.detach().abs().max()) == 0
    found.sum().backward()
    assert bool(torch.isfinite(x.grad).all())


def test_attention_of_one_everywhere_is_the_plain_network():
    whole = InceptionI3d(classes=106).eval()
    plain = STAM(attention="none").build({"rgb": MAP}, TASKS).eval()
    assert set(plain.state_dict()) == {"layers.of_action.weight", "layers.of_action.bias"}
    conv = whole.get_submodule("logits").conv3d
    plain.layers["of_action"].weight.data = conv.weight.data.flatten(1)
    plain.layers["of_action"].bias.data = conv.bias.data
    rows = torch.randn(2, *MAP.shape, generator=torch.Generator().manual_seed(1)).relu()
    above = InceptionI3d(classes=106, after="Mixed_5c").eval()
    above.load_state_dict({key: x for key, x in whole.state_dict().items() if key.startswith("logits")})
    with torch.inference_mode():
        expected = above(rows, ("logits",))["logits"][..., 0, 0, 0]
        found = plain({"rgb": rows[:, None]}, {"rgb": torch.ones(2, 1, dtype=torch.bool)}, ("action",))["action"]
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_normalised_mean_is_of_weights_that_sum_to_one():
    module, rows, mask = small(normalised=True)
    weights = module.attend(rows[:, 0])
    expected = (weights[:, None] * rows[:, 0]).sum((2, 3, 4)) / weights.sum((1, 2, 3))[:, None]
    assert torch.allclose(module.embed({"rgb": rows[:, :1]}, {"rgb": mask[:, :1]}), expected, atol=1e-5)


def test_in_space_alone_the_order_of_frames_changes_nothing_and_in_time_it_does():
    flat = begin(STAM(), {"rgb": Array((32, 3, 3), kind="map")}, TASKS, Training()).eval()
    rows, mask = torch.rand(2, 5, 32, 3, 3), torch.ones(2, 5, dtype=torch.bool)
    there, again = (flat({"rgb": x}, {"rgb": mask}, ("action",))["action"] for x in (rows, rows.flip(1)))
    assert torch.allclose(there, again, atol=1e-6)
    assert flat({"rgb": rows[:, :1]}, {"rgb": mask[:, :1]}, ("action",))["action"].shape == (2, 106)
    timed, rows, mask = small()
    there, again = (timed({"rgb": x}, {"rgb": mask}, ("action",))["action"] for x in (rows, rows.flip(3)))
    assert not torch.allclose(there, again, atol=1e-6)


def test_norms_learn_from_what_is_there_alone():
    _, rows, mask = small()
    mask[2, 1] = False
    statistics = []
    for garbage in (0.0, 1e4):
        again = begin(STAM(), {"rgb": SMALL}, TASKS, Training()).train()
        rows[2, 1] = garbage
        again({"rgb": rows}, {"rgb": mask}, ("action",))
        statistics.append(again.attention_inc.b0.bn.running_mean.clone())
    assert torch.equal(*statistics)


def test_only_maps_are_predicted(steps_task):
    with pytest.raises(BadRequest, match="predicts a map"):
        STAM().build({"rgb": SMALL}, {"gaze": steps_task(1, 3, 3)})


def test_attention_has_the_cells_of_the_map_whatever_the_task_says(steps_task):
    module, rows, mask = small({"gaze": steps_task(14, 14)})
    assert module({"rgb": rows}, {"rgb": mask}, ("gaze",))["gaze"].shape == (3, 4, 3, 3)


def test_attention_is_told_whether_a_task_wants_it_or_not(steps_task):
    module, rows, mask = small({**TASKS, "gaze": steps_task(3, 3)})
    said = module({"rgb": rows}, {"rgb": mask}, ("gaze",))["gaze"]
    assert torch.equal(module.attention_maps({"rgb": rows}, {"rgb": mask}), said)
    plain, rows, mask = small(attention="none")
    assert plain.attention_maps({"rgb": rows}, {"rgb": mask}) is None
