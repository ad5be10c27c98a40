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


@pytest.mark.parametrize(("classes", "chance"), [(106, 4.663), (19, 2.944), (53, 3.970), (2521, 7.832), (61, 4.111)])
def test_an_untrained_head_has_the_loss_of_chance(classes, chance):
    task = Classify(label="c", classes=tuple(map(str, range(classes))))
    loss = task.loss(torch.zeros(3, classes), torch.tensor([0, 5, classes - 1]), torch.ones(3, dtype=torch.bool))
    assert loss.item() == pytest.approx(chance, abs=1e-3)


def test_weights_and_smoothing_are_torchs():
    scores, labels = torch.randn(6, 3, generator=torch.manual_seed(0)), torch.tensor([0, 1, 2, 0, 0, 1])
    task = Classify(label="v", classes=("a", "b", "c"), class_weights=(1.0, 2.0, 0.5), smoothing=0.1)
    cross = torch.nn.CrossEntropyLoss(torch.tensor(task.class_weights), label_smoothing=0.1)
    assert task.loss(scores, labels, torch.ones(6, dtype=torch.bool)).item() == pytest.approx(
        cross(scores, labels).item()
    )
    some = torch.tensor([True, False, True, True, False, True])
    expected = cross(scores[some], labels[some]).item()
    assert task.loss(scores, labels, some).item() == pytest.approx(expected)


def test_focal_loss_by_hand():
    scores = torch.tensor([[math.log(3.0), 0.0]])  # p = 3 / 4
    task = Classify(label="v", classes=("a", "b"), focal=2.0)
    loss = task.loss(scores, torch.tensor([0]), torch.tensor([True]))
    assert loss.item() == pytest.approx(0.25**2 * -math.log(0.75), rel=1e-5)


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 0, 0, 1, 2, 2])
    task = Classify(label="v", classes=("a", "b", "c", "d"), class_weights="balanced")
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert task.fitted(labels).class_weights == pytest.approx((*expected, 0.0))
    with pytest.raises(BadRequest, match="not known before"):
        task.loss(torch.zeros(1, 4), torch.tensor([0]), torch.tensor([True]))
    assert VERBS.fitted(labels) is VERBS


def test_a_batch_of_classes_that_weigh_nothing_has_no_loss():
    task = Classify(label="v", classes=("a", "b"), class_weights=(1.0, 0.0))
    assert task.loss(torch.randn(2, 2), torch.tensor([1, 1]), torch.ones(2, dtype=torch.bool)).item() == 0


def test_many_shot_figures_and_the_confusion_matrix():
    scores, labels = np.eye(3)[[0, 2, 1, 0, 0]], np.array([0, 0, 1, 1, 2])
    task = Classify(label="v", classes=("a", "b", "c"), many=2)
    trained = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    one = Judged(scores, labels, np.ones(5, bool), np.arange(5), trained)
    found = task.metrics(one)
    assert found["many_shot_classes"] == 2
    assert found["many_shot_precision"] == pytest.approx((1 / 3 + 1) / 2)
    assert found["many_shot_recall"] == pytest.approx(0.5)
    assert found["many_shot_precision_trimmed"] == pytest.approx(0.75)
    assert found["many_shot_recall_trimmed"] == pytest.approx(0.75)
    assert task.tables(one)["confusion"].tolist() == [[1, 0, 1], [1, 1, 0], [1, 0, 0]]
    assert "many_shot_recall" not in task.metrics(judged(scores, labels))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"smoothing": 1.0}, "a share below 1"),
        ({"smoothing": 0.1, "focal": 2.0}, "one of them"),
        ({"class_weights": (1.0, -1.0)}, "at least 0"),
        ({"classes": ("a", "b"), "class_weights": (1.0,)}, "got 1 classify.class_weights for the 2 classes"),
    ],
)
def test_losses_that_cannot_be_meant(fields, message):
    with pytest.raises(BadRequest, match=message):
        Classify(label="v", **fields)


def test_a_data_set_of_another_number_of_classes_than_weights():
    with pytest.raises(BadRequest, match="expected one each"):
        Classify(label="v", class_weights=(1.0, 2.0)).over({"v": ("a", "b", "c")})


def test_a_message_names_some_of_many_classes():
    task = Classify(label="noun", classes=tuple(f"n{i}" for i in range(352)))
    with pytest.raises(BadRequest, match=r"'n19' and 332 more$"):
        task.encode({"noun": "cup"})


def test_a_weight_below_zero():
    with pytest.raises(BadRequest, match="expected at least 0"):
        Classify(label="v", weight=-1.0)


@pytest.mark.parametrize("known", [1.0, 0.6, 0.0])
@pytest.mark.parametrize("settings", [1, 4])
@pytest.mark.parametrize("fields", [{}, {"smoothing": 0.2}, {"focal": 2.0}, {"class_weights": (1.0, 0.0, 2.5)}])
def test_slopes_are_the_gradients_of_the_losses(fields, settings, known):
    generator = torch.Generator().manual_seed(0)
    task = Classify(label="verb", classes=("a", "b", "c"), **fields)
    scores = torch.randn(8, 3, settings, generator=generator)
    label, mask = torch.randint(0, 3, (8,), generator=generator), torch.rand(8, generator=generator) < known
    losses, slopes = task.slopes(scores, label, mask)
    for place in range(settings):
        mine = scores[..., place].clone().requires_grad_()
        loss = task.loss(mine, label, mask)
        loss.backward()
        assert torch.allclose(losses[place], loss, atol=1e-6)
        assert torch.allclose(slopes[..., place], mine.grad, atol=1e-6)
