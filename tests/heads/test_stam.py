"""STAM end to end as published, in the paper's form and the released one; its attention in closed form."""

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.grammar import NOUNS, PORTABLE
from ego.errors import BadRequest
from ego.extractors.i3d import I3D
from ego.extractors.tvl1 import TVL1
from ego.heads._stam import from_published
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.stam import STAM
from ego.layers.inception import InceptionI3d
from ego.sampling import Window
from ego.tasks.classify import Classify
from ego.tasks.heatmap import Heatmap
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
    heads = [sum(x.numel() for x in one.parameters()) for one in (module, flat)]
    i3d_of_flow, googlenet = 12_373_962 - 106 * 1025, {3: 5_599_904, 20: 5_653_216}
    assert i3d_of_flow + heads[0] == 15_304_108
    assert {channels: trunk + heads[1] for channels, trunk in googlenet.items()} == {3: 7_201_004, 20: 7_254_316}


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


def painted(films):
    """Maps (clips, 4, 64, 6, 6) in which things and hands stand out a little, the gaze of each step, and nouns.

    What a network that knows things would give, made from the kitchen's truth alone.
    """
    rng, mixing = np.random.default_rng(0), np.random.default_rng(1).normal(size=(64, len(PORTABLE) + 2))
    maps, gazes, nouns = [], [], []
    for film in films:
        known = truth.known(film)
        for span, (_, noun, _) in zip(known["segments"], known["segment_classes"], strict=True):
            at = np.searchsorted(known["seconds"], np.linspace(*span[:2], 9)[1::2]).clip(max=len(film.times) - 1)
            if NOUNS[noun] in PORTABLE and np.isfinite(known["gaze"][at]).all():
                cells = np.zeros((4, len(PORTABLE) + 2, 6, 6))
                names = [PORTABLE.index(str(name)) for name in known["object_names"]]
                for step, frame in enumerate(at):
                    boxes = np.concatenate([known["object_boxes"][frame], known["hand_boxes"][frame]])
                    for channel, box in zip([*names, -2, -1], boxes / np.tile(known["size"], 2), strict=True):
                        if np.isfinite(box).all():
                            x, y = (box[:2] + box[2:]) / 2 * 6
                            cells[step, channel, min(5, int(y)), min(5, int(x))] = 1
                maps.append(np.einsum("ck,skhw->schw", mixing, cells) + rng.normal(size=(4, 64, 6, 6)))
                gazes.append(known["gaze"][at])
                nouns.append(PORTABLE.index(NOUNS[noun]))
    return torch.tensor(np.stack(maps)).float().relu(), torch.tensor(np.stack(gazes)), torch.tensor(nouns)


@pytest.mark.slow
def test_gaze_teaches_where_to_look_and_anothers_does_not(toy):
    trained, tested = (
        painted([direct(Order(5, i, split, 20.0, 5.0, (320, 180))) for i in range(first, first + 20)])
        for first, split in ((0, "train"), (50, "test"))
    )
    other = torch.randperm(len(trained[2]), generator=torch.Generator().manual_seed(1))
    head, training = STAM(normalised=True, standard=True), Training(epochs=30, batch=32, lr=3e-3)

    def right(weight, gaze):
        """The share of right nouns after training with gaze of this weight."""
        noun, eyes = Classify(label="noun", classes=PORTABLE), Heatmap(size=(6, 6), sigma=0.7, weight=weight)
        tasks = {"noun": noun, "eyes": eyes}
        module = begin(head, {"look": Array((64, 6, 6), kind="map")}, tasks, training)
        clips = [
            toy({"look": maps}, {"look": torch.ones(maps.shape[:2], dtype=torch.bool)}, labels)
            for maps, labels in ((trained[0], {"noun": trained[2], "eyes": gaze}), (tested[0], {"noun": tested[2]}))
        ]
        list(train(module, head, tasks, [Stream(clips[0], tuple(tasks))], training))
        found = predict(module, clips[1], ("noun",))["noun"].predictions
        return float((found.argmax(1) == tested[2].numpy()).mean())

    untaught, taught, control = right(0.0, trained[1]), right(30.0, trained[1]), right(30.0, trained[1][other])
    assert taught > untaught + 0.2
    assert control < untaught + 0.1
