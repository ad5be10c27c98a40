"""Ego-RNN end to end as published, from pictures and from cached maps below the last stage; order; motion beside it."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from ego.errors import BadRequest
from ego.extractors.resnet import ResNet
from ego.heads._convlstm import from_published
from ego.heads._rows import Standard
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.convlstm import ConvLSTM
from ego.heads.motion_segmentation import MotionSegmentation
from ego.heads.stam import STAM
from ego.spec import Weights
from ego.tasks.classify import Classify
from ego.video import Array

CLASSES = Classify(label="action", classes=tuple(map(str, range(61))))
MAP, CAM = Array((512, 7, 7), kind="map"), Array((7, 7), kind="map")
SMALL = {"rgb.nbn": Array((4, 3, 3), kind="map"), "rgb.cam": Array((3, 3), kind="map")}
TAPS = ("nbn", "bn", "cam")


def rows(found, batch):
    """{feature: (B, N, ...)} of what an extractor gives of frames that lie time before clip."""
    return {f"rgb.{tap}": x.unflatten(0, (-1, batch)).transpose(0, 1) for tap, x in found.items()}


def all_there(features):
    return {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}


def seen(published, pin, weights, files, frames, batch, taps=TAPS):
    spec = ResNet(depth=34, weights=weights, taps=taps, precision="float32")
    seeds = [one for some in published.pins[pin]["inputs"]["x"]["seeds_by_frame"] for one in some]
    with torch.inference_mode():
        return rows(spec.build(files)(frames=frames(seeds)), batch)


def test_ego_rnn_as_published(pins, keep, frames, filled):
    published, pin = pins("egornn_rgb"), "n2_b1_h224_w224"
    weights, files = keep({"state_dict": published.state()}, "ego_rnn.pth")
    features = seen(published, pin, weights, files, frames, 1)
    shapes = {"rgb.nbn": MAP, "rgb.cam": CAM}
    head = ConvLSTM(features=tuple(shapes))
    module = filled(head.build(shapes, {"action": CLASSES}), from_published(published.state(), "action"))
    with torch.inference_mode():
        x = features["rgb.nbn"] * features["rgb.cam"][:, :, None]
        for step, (h, c) in enumerate(module.lstm_cell.unroll(x)):
            published.check_tap(pin, f"attended_{step}", x[:, step])
            published.check_tap(pin, f"h_{step}", h)
            published.check_tap(pin, f"c_{step}", c)
        published.check_tap(pin, "feature", module.embed(features, all_there(features)))
        published.check_tap(pin, "logits", module(features, all_there(features), ("action",))["action"])


@pytest.mark.slow
def test_motion_segmentation_beside_it_as_published(pins, keep, frames, filled, steps_task):
    published, pin = pins("fpar_ms_task"), "n2_b2_h224_w224"
    weights, files = keep({"state_dict": published.state()}, "fpar.pth")
    features = seen(published, pin, weights, files, frames, 2)
    shapes = {"rgb.nbn": MAP, "rgb.cam": CAM, "rgb.bn": MAP}
    motion = MotionSegmentation(features=("rgb.bn",), before="sigmoid", after="none")
    head, tasks = ConvLSTM(motion=motion), {"action": CLASSES, "moves": steps_task(1, 7, 7)}
    assert head.lead(shapes) == "rgb.bn"
    module = filled(head.build(shapes, tasks), from_published(published.state(), "action", "moves"))
    assert sum(x.numel() for x in module.motion.parameters()) == 291_449
    with torch.inference_mode():
        found = module(features, all_there(features), tuple(tasks))
        feature = module.embed(features, all_there(features))
    published.check_tap(pin, "feature", feature)
    published.check_tap(pin, "logits", found["action"])
    assert found["moves"].shape == (2, 2, 1, 7, 7)
    cells = found["moves"].flatten(2)
    published.check_tap(pin, "ms_logits", cells)
    published.check_tap(pin, "ms_softmax_over_cells", cells.softmax(2))
    published.check_tap(pin, "ms_softmax_over_frames", cells.softmax(1))


def test_counts(steps_task):
    tasks = {"action": CLASSES, "moves": steps_task(2, 7, 7)}
    shapes = {"rgb.nbn": MAP, "rgb.cam": CAM}
    with torch.device("meta"):
        alone = ConvLSTM().build(shapes, {"action": CLASSES})
        both = ConvLSTM(motion=MotionSegmentation()).build({"rgb": MAP}, tasks)
    count = sum(x.numel() for x in alone.parameters())
    assert count == 18_876_416 + 31_293 == 18_907_709  # stage 1 of Ego-RNN
    assert sum(x.numel() for x in both.parameters()) == count + 531_598
    verb_noun = {"verb": Classify(label="v", classes=tuple(map(str, range(125)))),
                 "noun": Classify(label="n", classes=tuple(map(str, range(352))))}  # fmt: skip
    with torch.device("meta"):
        trunk = ResNet(depth=34, weights=Weights("random:0"), taps=("conv5_x",)).network(
            {"fc.bias": torch.empty(0)}, None
        )
        epic = ConvLSTM().build({"rgb": MAP}, verb_noun)
    backbone = sum(x.numel() for x in trunk.parameters())
    assert backbone == 21_284_672
    assert backbone + count == 40_192_381
    assert backbone + 513_000 + count == 40_705_381  # Ego-RNN, with ImageNet's classes
    assert backbone + sum(x.numel() for x in epic.parameters()) == 40_405_789


def clips(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = {name: torch.randn(count, 4, *array.shape, generator=generator) for name, array in SMALL.items()}
    features["rgb.cam"] = features["rgb.cam"].flatten(2).softmax(2).view(count, 4, 3, 3)
    return features, all_there(features)


def test_order_counts_and_by_the_mean_it_would_not():
    features, masks = clips(2)
    module = begin(ConvLSTM(channels=8), SMALL, {"action": CLASSES}, Training()).eval()
    back = {name: x.flip(1) for name, x in features.items()}
    there, again = (module(some, masks, ("action",))["action"] for some in (features, back))
    assert not torch.allclose(there, again, atol=1e-6)
    means = [some["rgb.nbn"].mean((1, 3, 4)) for some in (features, back)]
    assert torch.allclose(*means, atol=1e-6)


def test_uniform_attention_is_the_map_divided_by_its_places():
    features, masks = clips(2)
    module = begin(ConvLSTM(channels=8), SMALL, {"action": CLASSES}, Training()).eval()
    bare = begin(ConvLSTM(features=("rgb.nbn",), channels=8), SMALL, {"action": CLASSES}, Training()).eval()
    bare.load_state_dict(module.state_dict())
    features["rgb.cam"] = torch.full_like(features["rgb.cam"], 1 / 9)
    scaled = {"rgb.nbn": features["rgb.nbn"] / 9}
    expected = bare(scaled, all_there(scaled), ("action",))["action"]
    assert torch.allclose(module(features, masks, ("action",))["action"], expected, atol=1e-6)


def test_its_attention_is_the_map_beside_its_maps():
    features, masks = clips(2)
    module = begin(ConvLSTM(channels=8), SMALL, {"action": CLASSES}, Training()).eval()
    assert torch.equal(module.attention_maps(features, masks), features["rgb.cam"])
    bare = begin(ConvLSTM(features=("rgb.nbn",), channels=8), SMALL, {"action": CLASSES}, Training()).eval()
    assert bare.attention_maps(features, masks) is None


def test_what_it_shows_is_bounded_and_what_it_keeps_is_not():
    features, masks = clips(2)
    shown, kept = (
        begin(ConvLSTM(channels=8, pool=pool), SMALL, {"action": CLASSES}, Training()).eval() for pool in ("h", "c")
    )
    for module in (shown, kept):
        for gate in "ic":
            module.lstm_cell.get_parameter(f"conv_{gate}_xx.bias").data.fill_(9.0)
        module.lstm_cell.get_parameter("conv_f_xx.bias").data.fill_(9.0)
    assert float(shown.embed(features, masks).detach().max()) <= 1
    assert float(kept.embed(features, masks).detach().min()) > 3


def test_without_its_motion_head_it_says_the_same(steps_task):
    shapes, tasks = {"rgb": Array((4, 3, 3), kind="map")}, {"action": CLASSES, "moves": steps_task(2, 3, 3)}
    both = begin(ConvLSTM(channels=8, motion=MotionSegmentation(channels=5)), shapes, tasks, Training()).eval()
    alone = begin(ConvLSTM(channels=8), shapes, {"action": CLASSES}, Training()).eval()
    alone.load_state_dict({key: x for key, x in both.state_dict().items() if not key.startswith("motion.")})
    features = {"rgb": torch.randn(2, 3, 4, 3, 3)}
    found = both(features, all_there(features), tuple(tasks))
    assert torch.equal(found["action"], alone(features, all_there(features), ("action",))["action"])
    assert found["moves"].shape == (2, 3, 2, 3, 3)
    cross_entropy(found["action"], torch.tensor([0, 1])).backward()
    assert all(x.grad is None for x in both.motion.parameters())


def test_it_learns_a_few_clips_by_heart(toy):
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(8, 3, 4, 3, 3, generator=generator)
    labels = torch.arange(8)
    data = toy({"rgb": rows}, {"rgb": torch.ones(8, 3, dtype=torch.bool)}, {"action": labels})
    head, training = ConvLSTM(channels=16, dropout=0.0), Training(lr=0.01, epochs=60, batch=8)
    module = begin(head, {"rgb": Array((4, 3, 3), kind="map")}, {"action": CLASSES}, training)
    losses = [
        float(one.loss) for one in train(module, head, {"action": CLASSES}, [Stream(data, ("action",))], training)
    ]
    assert losses[0] == pytest.approx(np.log(61), abs=0.3)
    assert (predict(module, data, ("action",))["action"].predictions.argmax(1) == labels.numpy()).all()


@pytest.mark.parametrize(
    ("head", "shapes", "words"),
    [
        (ConvLSTM(), {"rgb": Array((512,))}, r"needs a map .* it got: rgb \[512\]"),
        (ConvLSTM(), {"a": Array((4, 3, 3), kind="map"), "b": Array((4, 7, 7), kind="map")}, "maps of different sizes"),
        (ConvLSTM(), {**SMALL, "cam": Array((3, 3), kind="map")}, "expected one at most"),
    ],
)
def test_features_that_it_cannot_read(head, shapes, words):
    with pytest.raises(BadRequest, match=words):
        head.build(shapes, {"action": CLASSES})


def test_a_task_of_steps_needs_a_motion_head(steps_task):
    with pytest.raises(BadRequest, match=r"set head\.motion"):
        ConvLSTM().build(SMALL, {"moves": steps_task(2, 3, 3)})


def test_standard_channels_have_one_scale_and_masked_steps_no_say():
    generator = torch.Generator().manual_seed(2)
    x = 5 + 3 * torch.randn(6, 4, 3, 2, 2, generator=generator)
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[0, 2:] = False
    x[~mask] = 1e4
    found = Standard(3)(x, mask)
    assert found[mask].mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert (found[mask].std(dim=(0, 2, 3)) - 1).abs().max() < 0.02
    assert not found[~mask].any()
    assert not Standard(3)(x, torch.zeros_like(mask)).any()


@pytest.mark.parametrize("head", [ConvLSTM(channels=4, dropout=0.0, standard=True), STAM(dropout=0.0, standard=True)])
def test_heads_of_standard_maps_do_not_see_their_scale(head):
    tasks = {"verb": Classify(label="verb", classes=("open", "put"))}
    shapes = {"rgb": Array((16, 3, 3), kind="map")}
    x = torch.rand(5, 4, 16, 3, 3, generator=torch.Generator().manual_seed(1))
    masks = {"rgb": torch.ones(5, 4, dtype=torch.bool)}
    module = begin(head, shapes, tasks, Training()).train()
    small, large = (module({"rgb": one}, masks, ("verb",))["verb"] for one in (x, 300 * x + 40))
    assert torch.allclose(small, large, atol=1e-2)
    assert small.std() > 1e-3
