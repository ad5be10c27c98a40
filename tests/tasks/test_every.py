"""What holds for every task: its spec travels, nothing labelled teaches nothing, masks and order do what they say.

A task without a sample here fails: add one as a recipe would write it.
"""

import json
import pickle
import subprocess
import sys
import tomllib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ego.spec import make, names, rebuild
from ego.tasks._base import Judged, Task
from ego.tasks.classify import Classify

CLASSES = {"verb": ("open", "put", "take"), "noun": ("cup", "pan", "lid", "jar")}
PARTS = {name: Classify(label=name, classes=classes) for name, classes in CLASSES.items()}
# name -> recipe tables
SAMPLES = {
    "classify": [
        'label = "verb"',
        'label = "verb"\nclass_weights = "balanced"\nsmoothing = 0.1\nmany = 1\nabsent = "zero"\nrounded = true',
        'label = "verb"\nfocal = 2.0\nclass_weights = [1, 2, 0.5]\nweight = 2.0',
    ],
    "action": ["", 'space = "seen"\nmany = 1', 'space = "given"\nactions = [["put", "cup"], ["take", "lid"]]'],
    "point": ["", 'who = "hands"\nterms = "sum"', 'frames = "fixation"\nmissing = "legacy"\nthorough = true'],
    "heatmap": ["", 'sigma = 3.0\ncentres = "whole"\npoint = "peak"\nthorough = true\nsize = [4, 6]'],
    "motion": [
        *("", 'learns = "bce49"\nsize = 14', 'learns = "softmax49"', 'learns = "legacy_softmax_frames"'),
        *(f'learns = "{way}"' for way in ("l1", "smooth_l1", "mse", "soft_margin")),
        'learns = "kl"\nresize = "bilinear"\nthreshold = 0.5',
    ],
}
EVERY = [(name, place) for name, tables in SAMPLES.items() for place in range(len(tables))]
TRAINED = [one for one in EVERY if one[0] != "action"]
CLIPS, STEPS = 6, 4
TRAINED_LABELS = {"classify": np.array([0, 0, 1, 1, 2]), "action": np.array([[1, 0], [1, 0], [2, 2], [0, 3]])}


def written(name: str, place: int) -> Task:
    """The task as the recipe says it."""
    task = make("tasks", name, tomllib.loads(SAMPLES[name][place]))
    assert isinstance(task, Task)
    return task


def ready(name: str, place: int) -> Task:
    """The task as it is trained."""
    task = written(name, place).over(CLASSES).among(PARTS)
    return task.fitted(TRAINED_LABELS[name]) if name in TRAINED_LABELS else task


def drawn(task: Task, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(predictions, labels, mask) of a batch, all labelled."""
    random = np.random.default_rng(seed)
    lead = (CLIPS, STEPS) if task.reads else (CLIPS,)
    prediction = torch.from_numpy(random.standard_normal((*lead, *task.shape)).astype(np.float32))
    if not task.reads:
        labels = np.stack([task.encode(one) for one in words(task, random)])
        return prediction, torch.from_numpy(labels), torch.ones(lead, dtype=torch.bool)
    labels, mask = task.encode_steps(*targets(task, random))
    shaped = (torch.from_numpy(part.reshape(*lead, *part.shape[1:])) for part in (labels, mask))
    return prediction, *shaped


def words(task: Task, random: np.random.Generator) -> list[dict[str, str]]:
    given = getattr(task, "actions", ())
    if given:
        return [dict(zip(("verb", "noun"), given[i % len(given)], strict=True)) for i in range(CLIPS)]
    return [{label: str(random.choice(some)) for label, some in CLASSES.items()} for _ in range(CLIPS)]


def targets(task: Task, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = CLIPS * STEPS
    stored = {
        "gaze.point": random.uniform(0, 1, (rows, 2)).astype(np.float32),
        "gaze.type": np.ones(rows, np.int8),
        "hands.points": random.uniform(0, 1, (rows, 2, 2)).astype(np.float32),
        "hands.visible": np.ones((rows, 2), bool),
        "motion_map": random.uniform(0, 1, (rows, 28, 28)) > 0.7,
    }
    found = task.target({name: stored[name] for name in task.reads})
    assert found.values.shape[: found.valid.ndim] == found.valid.shape
    return found.values, found.valid


def judged(name: str, prediction: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, task: Task) -> Judged:
    clips = np.arange(CLIPS)
    if not task.reads:
        scores = prediction.numpy()
        if task.of:
            scores = task.combine(dict(zip(task.of, np.split(scores, [len(CLASSES["verb"])], axis=1), strict=True)))
        return Judged(scores, labels.numpy(), mask.numpy(), clips, TRAINED_LABELS[name])
    flat = (part.flatten(0, 1).numpy() for part in (prediction, labels, mask))
    return Judged(*flat, np.repeat(clips, STEPS))


def test_every_task_has_a_sample() -> None:
    assert sorted(SAMPLES) == names("tasks")


@pytest.mark.parametrize(("name", "place"), EVERY)
def test_a_task_travels(name: str, place: int) -> None:
    for task in (written(name, place), ready(name, place)):
        assert pickle.loads(pickle.dumps(task)) == task
        assert rebuild(json.loads(json.dumps(task.describe()))) == task
        assert replace(task, weight=3.0).digest != task.digest
        hash(task)


def test_digests_are_equal_in_another_process() -> None:
    described = [written(name, place).describe() for name, place in EVERY]
    code = (
        "import json, sys; from ego.spec import rebuild\nprint(*[rebuild(one).digest for one in json.load(sys.stdin)])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(described), capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [written(name, place).digest for name, place in EVERY]


def test_a_task_is_light() -> None:
    code = "import sys; from ego.spec import find, names\n[find('tasks', one) for one in names('tasks')]\n"
    code += "assert not {'torch', 'zarr', 'scipy', 'sklearn'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("name", "place"), TRAINED)
def test_nothing_labelled_teaches_nothing(name: str, place: int) -> None:
    task = ready(name, place)
    prediction, labels, mask = drawn(task)
    prediction.requires_grad_()
    loss = task.loss(prediction, labels, torch.zeros_like(mask))
    loss.backward()
    assert loss.item() == 0
    assert not prediction.grad.any()


@pytest.mark.parametrize(("name", "place"), TRAINED)
def test_what_is_masked_has_no_part(name: str, place: int) -> None:
    task = ready(name, place)
    prediction, labels, mask = drawn(task)
    other = prediction.clone()
    mask[CLIPS // 2 :] = False
    other[CLIPS // 2 :] = 7
    half = CLIPS // 2
    found = [
        task.loss(one, labels, mask).item() for one in (prediction, other)
    ] + [task.loss(prediction[:half], labels[:half], mask[:half]).item()]  # fmt: skip
    assert found == pytest.approx([found[0]] * 3, rel=1e-6)
    assert found[0] > 0


@pytest.mark.parametrize(("name", "place"), TRAINED)
def test_the_order_of_a_batch_does_not_matter(name: str, place: int) -> None:
    task = ready(name, place)
    batch = drawn(task)
    order = torch.randperm(CLIPS, generator=torch.manual_seed(0))
    mixed = task.loss(*(part[order] for part in batch))
    assert mixed.item() == pytest.approx(task.loss(*batch).item(), rel=1e-5)


@pytest.mark.parametrize(("name", "place"), TRAINED)
def test_a_step_down_its_gradient_lowers_the_loss(name: str, place: int) -> None:
    task = ready(name, place)
    prediction, labels, mask = drawn(task)
    prediction.requires_grad_()
    before = task.loss(prediction, labels, mask)
    before.backward()
    after = task.loss(prediction - 0.1 * prediction.grad, labels, mask)
    assert torch.isfinite(prediction.grad).all()
    assert after < before


@pytest.mark.parametrize("value", [1e4, -1e4])
@pytest.mark.parametrize(("name", "place"), TRAINED)
def test_large_scores_are_finite(name: str, place: int, value: float) -> None:
    task = ready(name, place)
    prediction, labels, mask = drawn(task)
    prediction = (prediction * value).requires_grad_()
    loss = task.loss(prediction, labels, mask)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(prediction.grad).all()


@pytest.mark.parametrize(("name", "place"), EVERY)
def test_figures_are_finite_and_nothing_labelled_has_none(name: str, place: int) -> None:
    task = ready(name, place)
    prediction, labels, mask = drawn(task)
    whole = judged(name, prediction, labels, mask, task)
    found = task.metrics(whole)
    assert found
    assert all(isinstance(value, int | float) and np.isfinite(value) for value in found.values())
    assert json.loads(json.dumps(found)) == found
    assert task.metrics(replace(whole, mask=np.zeros_like(whole.mask))) == {}
    assert all(isinstance(table, np.ndarray) for table in task.tables(whole).values())
    one = np.zeros_like(whole.mask)
    one[0] = True
    assert all(np.isfinite(value) for value in task.metrics(replace(whole, mask=one)).values())


@pytest.mark.parametrize(("name", "place"), EVERY)
def test_predictions_and_labels_are_said_in_plain_json(name: str, place: int) -> None:
    task = ready(name, place)
    one = judged(name, *drawn(task), task)
    said: list[Any] = [task.say(one.predictions[0]), task.say_label(one.labels[0])]
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert type(said[0]) is type(said[1])


@pytest.mark.parametrize(("name", "place"), EVERY)
def test_a_blank_label_is_like_any_other(name: str, place: int) -> None:
    task = ready(name, place)
    if not task.reads:
        label = task.encode(words(task, np.random.default_rng(0))[0])
        assert (task.blank.shape, task.blank.dtype) == (label.shape, label.dtype)
        assert task.encode({}) is None
