"""MFNet's multitask network end to end as published; what each task's layer learns from."""

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.mfnet import MFNet
from ego.heads._multitask import from_published
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.multitask import Multitask
from ego.tasks.classify import Classify
from ego.video import Array, Picture

TAIL = Array((768, 8, 7, 7), kind="map")
SMALL = Array((6, 2, 3, 3), kind="map")


def classes(count):
    return Classify(label="x", classes=tuple(map(str, range(count))))


def published_tasks(steps_task):
    named = {"action": classes(106), "verb": classes(19), "noun": classes(53)}
    return {**named, "gaze": steps_task(1, 7, 7), "hands": steps_task(2, 7, 7)}


def test_published_numbers(pins, keep, filled, steps_task):
    published, pin = pins("mfnet3d_multitask"), "b2_t16_h224_w224"
    weights, files = keep({"state_dict": published.state()}, "multitask.pth")
    spec = MFNet(weights=weights, taps=("tail",), precision="float32", picture=Picture("squash", 224))
    seeds = published.pins[pin]["inputs"]["x"]["seeds"]
    shown = [np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (16, 224, 224, 3), np.uint8) for seed in seeds]
    tasks = published_tasks(steps_task)
    renamed = from_published(published.state(), ("action", "verb", "noun"), {"gaze": 1, "hands": 2})
    module = filled(Multitask().build({"rgb": TAIL}, tasks), renamed)
    backbone = spec.build(files)
    with torch.inference_mode():
        rows = backbone(frames=torch.from_numpy(np.stack(shown)))["feature"][:, None]
        found = module({"rgb": rows}, {"rgb": torch.ones(2, 1, dtype=torch.bool)}, tuple(tasks))
    for place, name in enumerate(("action", "verb", "noun")):
        published.check_tap(pin, f"logits_{place}", found[name])
    points = torch.cat([found["gaze"], found["hands"]], dim=2)
    assert points.shape == (2, 8, 3, 7, 7)
    heatmaps = points.flatten(3).softmax(3).view_as(points)
    published.check_tap(pin, "heatmaps", heatmaps)
    grid = (2 * torch.arange(7) + 1) / 7 - 1
    coords = torch.stack([(heatmaps.sum(3) * grid).sum(-1), (heatmaps.sum(4) * grid).sum(-1)], dim=-1)
    published.check_tap(pin, "coords", coords)
    own = (x for part in (backbone, module) for x in part.parameters())
    assert sum(x.numel() for x in own) == 7_827_954


@pytest.mark.parametrize("names", [("action",), ("action", "gaze"), ("verb", "noun", "hands"), ("gaze", "hands")])
def test_any_of_the_tasks_may_be_left_out(names, steps_task):
    tasks = {name: task for name, task in published_tasks(steps_task).items() if name in names}
    with torch.device("meta"):
        module = Multitask().build({"rgb": TAIL}, tasks)
        found = module({"rgb": torch.empty(3, 2, *TAIL.shape)}, {"rgb": torch.ones(3, 2, dtype=torch.bool)}, names)
    numbers = {"action": 769 * 106, "verb": 769 * 19, "noun": 769 * 53, "gaze": 768, "hands": 2 * 768}
    assert sum(x.numel() for x in module.parameters()) == sum(numbers[name] for name in names)
    shapes = {name: tuple(x.shape) for name, x in found.items()}
    assert shapes == {name: (3, *((16,) if task.reads else ()), *task.shape) for name, task in tasks.items()}


def setting(steps_task):
    tasks = {"verb": classes(4), "noun": classes(3), "gaze": steps_task(1, 3, 3), "moment": steps_task(5)}
    module = begin(Multitask(), {"rgb": SMALL}, tasks, Training())
    rows = torch.randn(2, 2, *SMALL.shape, requires_grad=True)
    mask = torch.tensor([[True, True], [True, False]])
    return module, rows, mask, tasks


def test_each_task_teaches_its_own_layer_and_all_teach_what_they_share(steps_task):
    module, rows, mask, tasks = setting(steps_task)
    found = module({"rgb": rows}, {"rgb": mask}, tuple(tasks))
    shared = {}
    for name, prediction in found.items():
        module.zero_grad()
        shared[name] = torch.autograd.grad(prediction.square().sum(), rows, retain_graph=True)[0]
        prediction.square().sum().backward(retain_graph=True)
        taught = {key for key, x in module.named_parameters() if x.grad is not None and float(x.grad.abs().sum()) > 0}
        assert all(f".of_{name}." in key for key in taught)
        assert taught
    whole = torch.autograd.grad(sum(x.square().sum() for x in found.values()), rows)[0]
    assert torch.allclose(whole, sum(shared.values()), atol=1e-5)


def test_a_map_of_one_moment_has_one_step(steps_task):
    tasks = {"verb": classes(4), "gaze": steps_task(3, 3), "moment": steps_task(5)}
    module = begin(Multitask(), {"rgb": Array((6, 3, 3), kind="map"), "sound": Array((4,))}, tasks, Training())
    features = {"rgb": torch.randn(2, 5, 6, 3, 3), "sound": torch.randn(2, 7, 4)}
    masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}
    found = module(features, masks, tuple(tasks))
    assert {name: tuple(x.shape) for name, x in found.items()} == {
        "verb": (2, 4),
        "gaze": (2, 5, 3, 3),
        "moment": (2, 5, 5),
    }
    assert module.layers["of_verb"].weight.shape == (4, 10)


def test_a_task_learns_alike_whatever_is_learnt_beside_it(toy, steps_task):
    generator = torch.Generator().manual_seed(1)
    rows, labels = torch.randn(20, 2, *SMALL.shape, generator=generator), torch.arange(20) % 4
    masks = {"rgb": torch.ones(20, 2, dtype=torch.bool)}
    training, head = Training(lr=0.01, epochs=5, batch=5), Multitask()

    def learn(tasks, given):
        data = toy({"rgb": rows}, masks, given)
        module = begin(head, {"rgb": SMALL}, tasks, training)
        list(train(module, head, tasks, [Stream(data, tuple(tasks))], training))
        return predict(module, data, ("verb",))["verb"].predictions

    alone = learn({"verb": classes(4)}, {"verb": labels})
    gaze = torch.randn(20, 4, 1, 3, 3, generator=generator)
    given = {"gaze": gaze, "noun": labels % 3, "verb": labels}
    beside = learn({"gaze": steps_task(1, 3, 3), "noun": classes(3), "verb": classes(4)}, given)
    assert np.abs(alone - beside).max() < 1e-6


def test_weights_begin_xavier_uniform_and_classes_equally_likely():
    torch.manual_seed(0)
    module = Multitask().build({"rgb": TAIL}, {"action": classes(106)})
    layer = module.layers["of_action"]
    assert float(layer.bias.detach().abs().max()) == 0
    assert float(layer.weight.detach().abs().max()) == pytest.approx((6 / (768 + 106)) ** 0.5, rel=1e-3)
    for count, loss in {106: 4.663, 19: 2.944, 53: 3.970, 2521: 7.832}.items():
        task = classes(count)
        zeros = torch.zeros(4, count)
        found = task.loss(zeros, torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.bool))
        assert float(found) == pytest.approx(loss, abs=1e-3)


def test_points_have_the_cells_of_the_map_whatever_the_task_says(steps_task):
    tasks = {"gaze": steps_task(1, 14, 14)}
    module = Multitask().build({"rgb": SMALL}, tasks)
    found = module({"rgb": torch.randn(2, 2, *SMALL.shape)}, {"rgb": torch.ones(2, 2, dtype=torch.bool)}, ("gaze",))
    assert found["gaze"].shape == (2, 4, 1, 3, 3)


def test_a_head_of_maps_needs_one():
    with pytest.raises(BadRequest, match=r"multitask needs a map .* it got: rgb \[768\]"):
        Multitask().build({"rgb": Array((768,))}, {"action": classes(3)})


def test_classes_may_see_where_points_are_and_when(steps_task):
    array = Array((2, 2, 2), kind="map")
    tasks = {"verb": classes(2), "hands": steps_task(2, 2, 2)}
    module = begin(Multitask(pieces=2), {"rgb": array}, tasks, Training())
    with torch.no_grad():
        module.points["of_hands"].weight.copy_(20 * torch.eye(2)[:, :, None, None])
        module.layers["of_verb"].weight.zero_()
        module.layers["of_verb"].weight[0, 2 + 3] = 1.0  # first piece, left hand, last cell
        module.layers["of_verb"].weight[1, 2 + 8 + 4] = 1.0  # second piece, right hand, first cell
    rows = torch.zeros(2, 5, 2, 2, 2)
    rows[:, :2, 0, 1, 1] = rows[:, 2:4, 1, 0, 0] = 1.0
    mask = torch.tensor([[True] * 4 + [False]] * 2)
    rows[1] = rows[1].flip(0).roll(-1, 0)
    found = module({"rgb": rows}, {"rgb": mask}, ("verb",))["verb"]
    assert torch.allclose(found, torch.tensor([[4.0, 4.0], [1.0, 1.0]]), atol=1e-5)


def test_what_classes_see_of_points_needs_points():
    with pytest.raises(BadRequest, match="no task of points"):
        Multitask(pieces=2).build({"rgb": SMALL}, {"verb": classes(2)})
    with pytest.raises(BadRequest, match="at least 0"):
        Multitask(pieces=-1)
