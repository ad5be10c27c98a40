"""Classification: label space, loss and metrics against values worked out by hand."""

import math

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.tasks._base import Judged
from ego.tasks.classify import Classify

VERBS = Classify(label="verb", classes=("open", "put", "take"), top=(2,))
SCORES = np.array([[3.0, 1, 2], [1, 3, 2], [2, 3, 1], [0, 1, 5]], np.float32)
LABELS = np.array([0, 1, 0, 0])


def judged(scores, labels):
    return Judged(scores, labels, np.ones(len(labels), bool), np.arange(len(labels)))


def test_metrics_by_hand():
    # found: open, put, put, take; right: the first two; open is found 1 of 3 times, put 1 of 1
    found = VERBS.metrics(judged(SCORES, LABELS))
    assert found == pytest.approx({"accuracy": 0.5, "mean_class_accuracy": (1 / 3 + 1) / 2, "top2_accuracy": 0.75})
    assert next(iter(found)) == "accuracy"


def test_top_k_reaches_one_and_agrees_with_accuracy_at_one():
    task = Classify(label="verb", classes=("open", "put", "take"), top=(1, 3, 5))
    found = task.metrics(judged(SCORES, LABELS))
    assert (found["top1_accuracy"], found["top3_accuracy"], found["top5_accuracy"]) == (0.5, 1.0, 1.0)


def test_two_classes():
    task = Classify(label="verb", classes=("open", "put"), top=(1, 2))
    found = task.metrics(judged(SCORES[:, :2], np.array([0, 1, 0, 1])))
    assert found["top1_accuracy"] == found["accuracy"] == 0.75


def test_loss_by_hand_over_labelled_clips_only():
    scores = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [9.0, 0.0]])
    task = Classify(label="verb", classes=("open", "put"))
    loss = task.loss(scores, torch.tensor([0, 1, 1]), torch.tensor([True, True, False]))
    assert loss.item() == pytest.approx((-math.log(3 / 4) - math.log(1 / 2)) / 2, rel=1e-6)
    assert task.loss(scores, torch.tensor([0, 1, 1]), torch.zeros(3, dtype=torch.bool)).item() == 0


def test_labels_become_numbers_and_words_again():
    assert VERBS.encode({"verb": "take", "noun": "cup"}).tolist() == 2
    assert VERBS.encode({"noun": "cup"}) is None
    assert (VERBS.say(SCORES[3]), VERBS.say_label(np.asarray(1))) == ("take", "put")
    with pytest.raises(BadRequest, match="got 'stir' as 'verb', expected one of: 'open', 'put', 'take'"):
        VERBS.encode({"verb": "stir"})


def test_the_data_set_fills_the_label_space_unless_the_recipe_does():
    filled = Classify(label="verb").over({"verb": ("a", "b"), "noun": ()})
    assert (filled.classes, filled.shape) == (("a", "b"), (2,))
    assert VERBS.over({"verb": ("a", "b")}) == VERBS
    with pytest.raises(BadRequest, match="got the label 'verb', the data set has: noun"):
        VERBS.over({"noun": ("cup",)})


@pytest.mark.parametrize(
    ("fields", "message"),
    [({}, "label"), ({"label": "v", "classes": ("a", "a")}, "twice"), ({"label": "v", "top": (0,)}, "at least 1")],
)
def test_fields_that_cannot_mean_anything(fields, message):
    with pytest.raises(BadRequest, match=message):
        Classify(**fields)
