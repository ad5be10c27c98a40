"""LSTA's RGB model end to end as published; order, counts and what it needs to see."""

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.resnet import ResNet
from ego.heads._lsta import from_published
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.lsta import LSTA
from ego.tasks.classify import Classify
from ego.video import Array

SMALL = {"rgb.nbn": Array((4, 3, 3), kind="map"), "rgb.cam_raw": Array((3, 3), kind="map")}
WHOLE = {"rgb.nbn": Array((512, 7, 7), kind="map"), "rgb.cam_raw": Array((7, 7), kind="map")}


def classes(count):
    return {"action": Classify(label="action", classes=tuple(map(str, range(count))))}


@pytest.mark.slow
def test_published_numbers(pins, keep, frames, filled):
    published, pin = pins("lsta_rgb"), "n3_b1_h224_w224"
    weights, files = keep({"model_state_dict": published.state()}["model_state_dict"], "lsta.pth")
    spec = ResNet(depth=34, weights=weights, taps=("nbn", "cam_raw", "logits"), precision="float32")
    seeds = [one for [one] in published.pins[pin]["inputs"]["x"]["seeds_by_frame"]]
    module = filled(LSTA().build(WHOLE, classes(61)), from_published(published.state(), "action"))
    backbone = spec.build(files)
    with torch.inference_mode():
        found = backbone(frames=frames(seeds))
        features = {f"rgb.{name}": found[name][None] for name in ("nbn", "cam_raw")}
        masks = {name: torch.ones(1, 3, dtype=torch.bool) for name in features}
        unrolled = list(module.lsta_cell.unroll(features["rgb.nbn"], features["rgb.cam_raw"]))
        feature = module.embed(features, masks)
        logits = module(features, masks, ("action",))["action"]
    for step, (attended, memory) in enumerate(unrolled):
        taps = {"imagenet_logits": found["logits"][step : step + 1], "F_nbn": found["nbn"][step : step + 1],
                "class_idx": found["logits"][step : step + 1].argmax(1), "cam": found["cam_raw"][None, step : step + 1],
                "x_att": attended, "a": memory.a, "s": memory.s, "c": memory.c, "o": memory.o}  # fmt: skip
        for name, value in taps.items():
            published.check_tap(pin, f"{name}_{step}", value)
    published.check_tap(pin, "feature", feature)
    published.check_tap(pin, "logits", logits)
    assert sum(x.numel() for part in (backbone, module) for x in part.parameters()) == 40_807_857


@pytest.mark.parametrize(("count", "model", "stage_1"), [(61, 40_807_857, 19_010_185), (106, 40_830_942, 19_033_270)])
def test_counts(count, model, stage_1):
    with torch.device("meta"):
        module = LSTA().build(WHOLE, classes(count))
    own = sum(x.numel() for x in module.parameters())
    assert own == stage_1
    assert own + 21_797_672 == model
    kept = sum(x.numel() for x in module.parameters() if not x.requires_grad)
    assert kept == 51_200 == module.lsta_cell.coupling_fc.weight.numel()


def clips(count=2):
    generator = torch.Generator().manual_seed(1)
    features = {name: torch.randn(count, 4, *array.shape, generator=generator) for name, array in SMALL.items()}
    return features, {name: torch.ones(count, 4, dtype=torch.bool) for name in features}


def test_order_counts():
    features, masks = clips()
    module = begin(LSTA(pool_classes=5), SMALL, classes(6), Training()).eval()
    there, again = (
        module(some, masks, ("action",))["action"] for some in (features, {k: x.flip(1) for k, x in features.items()})
    )
    assert not torch.allclose(there, again, atol=1e-7)


@pytest.mark.slow
def test_it_learns_a_few_clips_by_heart(toy):
    features, masks = clips(8)
    data, tasks = toy(features, masks, {"action": torch.arange(8)}), classes(8)
    head, training = LSTA(pool_classes=5, dropout=0.0), Training(lr=0.05, epochs=80, batch=8)
    module = begin(head, SMALL, tasks, training)
    before = module.lsta_cell.coupling_fc.weight.clone()
    losses = [float(step.loss) for step in train(module, head, tasks, [Stream(data, ("action",))], training)]
    assert losses[-1] < losses[0] / 10
    assert (predict(module, data, ("action",))["action"].predictions.argmax(1) == range(8)).all()
    assert torch.equal(module.lsta_cell.coupling_fc.weight, before)


@pytest.mark.parametrize("names", [("rgb.nbn",), ("rgb.nbn", "rgb.bn", "rgb.cam_raw")])
def test_it_needs_one_map_and_its_activations(names):
    shapes = {**SMALL, "rgb.bn": SMALL["rgb.nbn"]}
    with pytest.raises(BadRequest, match=r'expected a map and its class activations; name features such as \["rgb'):
        LSTA(features=names).build(shapes, classes(3))


def test_attention_is_what_its_maps_are_weighted_by():
    features, masks = clips()
    module = begin(LSTA(pool_classes=5), SMALL, classes(6), Training()).eval()
    with torch.inference_mode():
        found = module.attention_maps(features, masks)
        name = next(name for name, array in SMALL.items() if len(array.shape) == 3)
        cam = next(name for name, array in SMALL.items() if len(array.shape) == 2)
        attended = [x for x, _ in module.lsta_cell.unroll(features[name], features[cam], masks[name])]
    assert torch.allclose(found.sum(dim=(2, 3)), torch.ones(2, 4), atol=1e-6)
    assert torch.allclose(features[name] * found[:, :, None], torch.stack(attended, 1), atol=1e-6)


def test_standard_maps_and_activations_have_no_scale():
    features, masks = clips(8)
    far = {name: 500 * x + 300 for name, x in features.items()}
    scale, saturated = {}, {}
    for standard in (True, False):
        module = begin(LSTA(pool_classes=5, dropout=0.0, standard=standard), SMALL, classes(6), Training()).train()
        found = [module(some, masks, ("action",))["action"] for some in (features, far)]
        scale[standard] = float((found[0] - found[1]).detach().abs().max())
        saturated[standard] = float(module.attention_maps(far, masks).flatten(2).amax(2).mean())
    assert scale[True] < 1e-4 < 1e-2 < scale[False]
    assert saturated[True] < 0.6 < 0.99 < saturated[False]
