"""What holds for every head: its spec travels, what is masked changes nothing, it learns, its weights are saved.

A head without a sample here fails: add one, as a recipe would write it, with the features it is shown.
"""

import pickle
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from ego.errors import BadRequest
from ego.heads._base import Head, steps
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.spec import find, make, names, rebuild
from ego.tasks.classify import Classify
from ego.video import Array

VECTOR, TOKENS = Array((6,)), Array((5, 6), kind="tokens")
MAP, VIDEO, CAM = Array((6, 3, 3), kind="map"), Array((16, 2, 3, 3), kind="map"), Array((3, 3), kind="map")
ROWS = {"rgb": 4, "flow": 6, "cam": 4, "nbn": 4}
# name -> (recipe table, features, step tasks by their shapes)
SAMPLES = {
    "linear": [("", {"rgb": VECTOR, "flow": MAP}, {}), ('norm = "batch"\ndropout = 0.5', {"rgb": VECTOR}, {})],
    "mlp": [("hidden = [8]", {"rgb": VECTOR, "flow": MAP}, {})],
    "ridge": [("", {"rgb": VECTOR, "flow": MAP}, {}), ('held_out = 0.3\nnorm = "batch"', {"rgb": VECTOR}, {})],
    "logistic": [("", {"rgb": VECTOR, "flow": MAP}, {})],
    "multitask": [
        ("", {"rgb": VIDEO, "flow": VECTOR}, {"gaze": (1, 3, 3), "map": (3, 3), "moment": (4,)}),
        ("dropout = 0.3", {"rgb": MAP}, {"hands": (2, 3, 3)}),
    ],
    "convlstm": [
        ("channels = 5", {"nbn": MAP, "cam": CAM}, {}),
        ('channels = 5\npool = "h"\n[motion]\nchannels = 3', {"rgb": VIDEO, "flow": MAP}, {"moves": (2, 3, 3)}),
        ('channels = 5\n[motion]\nfeatures = ["rgb"]', {"nbn": MAP, "cam": CAM, "rgb": MAP}, {"moves": (1, 3, 3)}),
    ],
    "lsta": [
        ("pool_classes = 4", {"nbn": MAP, "cam": CAM}, {}),
        ("soft_pool = true\n[motion]\nchannels = 3", {"nbn": MAP, "cam": CAM}, {"moves": (2, 3, 3)}),
    ],
    "stam": [
        ("", {"rgb": VIDEO}, {"gaze": (3, 3)}),
        ('attention = "sigmoid"\nnormalised = true', {"rgb": MAP}, {"gaze": (3, 3)}),
    ],
    "motion_segmentation": [("channels = 4\nkernel = 3", {"rgb": VIDEO}, {"moves": (2, 3, 3)})],
    "two_stream": [
        ('[first]\nname = "linear"\nfeatures = ["rgb"]\n[second]\nname = "mlp"\nfeatures = ["flow"]\nhidden = [8]',
         {"rgb": VECTOR, "flow": MAP}, {}),
        ('fuse = "joint"\n[first]\nname = "lstm"\nwidth = 4\nfeatures = ["rgb"]\n[second]\nname = "stam"\n'
         'features = ["flow"]', {"rgb": VECTOR, "flow": VIDEO}, {}),
    ],
    "lstm": [
        ("width = 7", {"rgb": VECTOR, "flow": VIDEO}, {"moment": (4,)}),
        ('width = 7\nbidirectional = true\nlayers = 2\npool = "mean"', {"rgb": TOKENS}, {}),
    ],
    "tcn": [
        ("width = 7\nlayers = 2", {"rgb": VECTOR, "flow": TOKENS}, {"moment": (4,)}),
        ("causal = true", {"rgb": MAP}, {}),
    ],
    "attentive_probe": [
        ("heads = 2", {"rgb": TOKENS, "flow": VIDEO}, {}),
        ("width = 4\nheads = 2", {"rgb": VECTOR}, {}),
    ],
}  # fmt: skip
EACH = [(name, *sample) for name, samples in SAMPLES.items() for sample in samples]
VERB = Classify(label="verb", classes=("open", "put", "take"))


def head_of(name, table):
    return make("heads", name, tomllib.loads(table))


@pytest.fixture
def setting(steps_task, toy):
    """`setting(shapes, step shapes, count)`: tasks, and toy clips of different lengths whose rows tell the verb."""

    def give(shapes, dense, count=12):
        generator = np.random.default_rng(0)
        labels = {"verb": np.arange(count) % 3}
        features, masks = {}, {}
        for feature, array in shapes.items():
            rows = generator.normal(size=(count, ROWS[feature], *array.shape)).astype(np.float32)
            rows += 2 * (labels["verb"] - 1).reshape(-1, *(1,) * (rows.ndim - 1)).astype(np.float32)
            features[feature] = rows
            lengths = 1 + np.arange(count) * 7 % ROWS[feature]
            masks[feature] = np.arange(ROWS[feature]) < lengths[:, None]
        tasks = {name: steps_task(*sides) for name, sides in dense.items()}
        for name, sides in dense.items():
            labels[name] = generator.normal(size=(count, 0, *sides)).astype(np.float32)
        return {"verb": VERB, **tasks}, features, masks, labels

    return give


def prepared(setting, name, table, shapes, dense):
    """The head, its tasks and toy clips: of a task of steps one label at each step of the head's leading feature."""
    head = head_of(name, table)
    tasks, features, masks, labels = setting(shapes, dense)
    if name == "motion_segmentation":
        del tasks["verb"], labels["verb"]
    count = ROWS[head.lead(shapes)] * steps(shapes[head.lead(shapes)])
    generator = np.random.default_rng(1)
    for task, sides in dense.items():
        labels[task] = generator.normal(size=(12, count, *sides)).astype(np.float32)
    return head, tasks, features, masks, labels


def module_of(head, shapes, tasks, data):
    if head.solves:
        return head.solve(data.whole(), shapes, tasks)
    return begin(head, shapes, tasks, Training())


def test_every_head_has_a_sample():
    assert set(SAMPLES) == set(names("heads"))


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_a_head_is_its_fields(name, table, shapes, dense):
    head = head_of(name, table)
    assert isinstance(head, Head)
    assert find("heads", name).__bases__ == (Head,)
    assert pickle.loads(pickle.dumps(head)) == head
    assert rebuild(head.describe()) == head
    assert head.digest == rebuild(head.describe()).digest


def test_digests_are_equal_in_another_process():
    tables = [(name, table) for name, table, _, _ in EACH]
    code = (
        "import tomllib\nfrom ego.spec import make\n"
        f"for name, table in {tables!r}: print(make('heads', name, tomllib.loads(table)).digest)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [head_of(name, table).digest for name, table in tables]


def test_a_head_is_light_to_import():
    code = (
        "import sys\nfrom ego.spec import find, names\n"
        "for name in names('heads'): find('heads', name)\n"
        "print([one for one in ('torch', 'sklearn', 'scipy', 'zarr', 'av') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_predictions_have_their_declared_shape_and_are_asked_for_by_name(name, table, shapes, dense, setting, toy):
    head, tasks, features, masks, labels = prepared(setting, name, table, shapes, dense)
    data = toy(features, masks, labels)
    module, batch = module_of(head, shapes, tasks, data).eval(), data.whole()
    lead = head.lead(shapes)
    count = batch.masks[lead].shape[1] * steps(shapes[lead])
    with torch.no_grad():
        found = module(batch.features, batch.masks, tuple(tasks))
        assert set(found) == set(tasks)
        for task, prediction in found.items():
            assert tuple(prediction.shape) == (12, *((count,) if tasks[task].reads else ()), *tasks[task].shape)
            alone = module(batch.features, batch.masks, (task,))
            assert set(alone) == {task}
            assert torch.allclose(alone[task], prediction, atol=1e-5)


class Program(torch.nn.Module):
    """A head as it is exported: features and masks in, scores out."""

    def __init__(self, module, tasks):
        super().__init__()
        self.module, self.tasks = module, tasks

    def forward(self, features, masks):
        return self.module(features, masks, self.tasks)


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_an_exported_head_says_the_same_whichever_rows_are_there(name, table, shapes, dense, setting, toy):
    head, tasks, features, masks, labels = prepared(setting, name, table, shapes, dense)
    data = toy(features, masks, labels)
    module, batch = module_of(head, shapes, tasks, data).eval(), data.whole()
    program, everywhere = Program(module, tuple(tasks)), {key: torch.ones_like(x) for key, x in batch.masks.items()}
    if getattr(head, "bidirectional", False):
        with pytest.raises(BadRequest, match="a bidirectional lstm begins where each clip ends"):
            torch.export.export(program, (dict(batch.features), everywhere))
        return
    exported = torch.export.export(program, (dict(batch.features), everywhere)).module()
    with torch.no_grad():
        for there in (everywhere, dict(batch.masks)):
            found, expected = exported(dict(batch.features), there), program(batch.features, there)
            for task, said in expected.items():
                assert torch.allclose(found[task], said, atol=1e-4, rtol=1e-4), task


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_what_is_masked_changes_nothing(name, table, shapes, dense, setting, toy):
    head, tasks, features, masks, labels = prepared(setting, name, table, shapes, dense)
    dirty = {key: np.where(masks[key].reshape(*masks[key].shape, *(1,) * (x.ndim - 2)), x, 6e4).astype(np.float32)
             for key, x in features.items()}  # fmt: skip
    module = module_of(head, shapes, tasks, toy(features, masks, labels)).eval()
    again = module_of(head, shapes, tasks, toy(dirty, masks, labels)).eval()
    clean, dirt = toy(features, masks, labels).whole(), toy(dirty, masks, labels).whole()
    with torch.no_grad():
        found = module(clean.features, clean.masks, tuple(tasks))
        others = again(dirt.features, dirt.masks, tuple(tasks))
    for task, prediction in found.items():
        there = clean.labelled[task]
        assert torch.allclose(prediction[there], others[task][there], atol=1e-5), task


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_one_clip_alone_or_in_company_is_told_the_same(name, table, shapes, dense, setting, toy):
    head, tasks, features, masks, labels = prepared(setting, name, table, shapes, dense)
    data = toy(features, masks, labels)
    module, batch = module_of(head, shapes, tasks, data).eval(), data.whole()
    with torch.no_grad():
        whole = module(batch.features, batch.masks, tuple(tasks))
        for clip in (0, 5):
            one = data.batch(np.array([clip]))
            alone = module(one.features, one.masks, tuple(tasks))
            for task in tasks:
                assert torch.allclose(alone[task][0], whole[task][clip], atol=1e-4), task


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_a_clip_of_which_nothing_is_there_has_finite_predictions(name, table, shapes, dense, setting, toy):
    head, tasks, features, masks, labels = prepared(setting, name, table, shapes, dense)
    module = module_of(head, shapes, tasks, toy(features, masks, labels)).eval()
    batch = toy(features, {key: x & False for key, x in masks.items()}, labels).whole()
    with torch.no_grad():
        found = module(batch.features, batch.masks, tuple(tasks))
    assert all(bool(torch.isfinite(x).all()) for x in found.values())


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_it_learns_and_its_weights_are_saved(name, table, shapes, dense, setting, toy):
    head, tasks, features, masks, labels = prepared(setting, name, table, shapes, dense)
    data, training = toy(features, masks, labels), Training(lr=0.02, epochs=15, batch=12)
    module = module_of(head, shapes, tasks, data)
    before = measure(head, module if not head.solves else begin(head, shapes, tasks, training), data, tasks)
    if not head.solves:
        list(train(module, head, tasks, [Stream(data, tuple(tasks))], training))
    after = measure(head, module, data, tasks)
    assert after < before
    again = begin(head, shapes, tasks, training)
    saved = save({key: x.contiguous() for key, x in module.state_dict().items()})
    again.load_state_dict(load(saved))
    first, second = (predict(one, data, tuple(tasks)) for one in (module, again))
    assert all(np.array_equal(first[task].predictions, second[task].predictions) for task in tasks)


def measure(head, module, data, tasks):
    """The head's loss on all clips, in eval mode."""
    batch = data.whole()
    with torch.no_grad():
        found = module.eval()(batch.features, batch.masks, tuple(tasks))
        return float(head.loss(found, batch.labels, batch.labelled, tasks))


@pytest.mark.parametrize(("name", "table", "shapes", "dense"), EACH)
def test_the_same_seed_begins_alike_and_a_task_whatever_stands_beside_it(name, table, shapes, dense, setting, toy):
    head, tasks, _, _, _ = prepared(setting, name, table, shapes, dense)
    first, second = (begin(head, shapes, tasks, Training(seed=3)).state_dict() for _ in range(2))
    assert all(torch.equal(x, second[key]) for key, x in first.items())
    # the linear module draws its layers one after another
    if "verb" in tasks and name not in ("ridge", "logistic") and "linear" not in name + table:
        more = {"noun": Classify(label="noun", classes=tuple("abcd")), **tasks}
        beside = begin(head, shapes, more, Training(seed=3)).state_dict()
        assert all(torch.equal(x, beside[key]) for key, x in first.items() if "of_verb" in key)
