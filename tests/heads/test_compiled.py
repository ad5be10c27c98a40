"""A compiled head learns the same; what is tested of it is not compiled; without a compiler there is one sentence."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from ego.heads._deal import Stream
from ego.heads._train import Loop, begin
from ego.heads._training import Training
from ego.heads.convlstm import ConvLSTM
from ego.heads.mlp import MLP
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("a", "b", "c"))}
TRAINING = Training(epochs=3, batch=8, lr=1e-2)


def losses(head, array, toy, compiled):
    """The losses of a training, whose last batch of an epoch is smaller and whose clips are of several lengths."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(20, 4, *array.shape)).astype(np.float32)
    mask = np.arange(4) < generator.integers(1, 5, 20)[:, None]
    clips = toy({"rgb": rows}, {"rgb": mask}, {"verb": generator.integers(0, 3, 20)})
    module = begin(head, {"rgb": array}, TASKS, TRAINING)
    loop = Loop(module, head, TASKS, [Stream(clips, ("verb",))], TRAINING, compiled=compiled)
    found = [float(step.loss) for step in loop]
    return found, module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "array"),
    [(MLP(hidden=(16,), dropout=0.0), Array((12,))), (ConvLSTM(channels=8, dropout=0.0), Array((6, 3, 3), kind="map"))],
)
def test_losses_are_those_of_the_plain_head(toy, head, array):
    plain, one = losses(head, array, toy, compiled=False)
    compiled, other = losses(head, array, toy, compiled=True)
    assert compiled == pytest.approx(plain, rel=1e-4)
    assert list(other.state_dict()) == list(one.state_dict())  # names as without
    for name, value in one.state_dict().items():
        assert torch.allclose(other.state_dict()[name].float(), value.float(), atol=1e-3), name


@pytest.mark.slow
def test_without_a_compiler_the_flag_is_refused_in_one_sentence():
    code = (
        "import torch\nfrom ego.errors import BadRequest\nfrom ego.heads._compiled import Compiled\n"
        "class Head(torch.nn.Module):\n"
        "    def forward(self, features, masks, tasks, labels=None):\n"
        "        return {'verb': features['rgb'].relu() * 2}\n"
        "try:\n    Compiled(Head(), 'cpu')({'rgb': torch.ones(2, 3)}, {}, ('verb',))\n"
        "except BadRequest as error:\n    print(error)\n"
    )
    env = {**os.environ, "CXX": "/nowhere/c++", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "the head cannot be compiled here" in done.stdout
    assert "leave --compile out" in done.stdout
