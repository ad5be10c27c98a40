"""Actions from verbs and nouns: products of softmaxes, ranked in an action space."""

import csv

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.tasks._base import Judged
from ego.tasks.action import Action
from ego.tasks.classify import Classify
from ego.tasks.point import Point

VERBS, NOUNS = ("take", "put"), ("cup", "pan", "lid")
PARTS = {
    "verb": Classify(label="verb_class", classes=VERBS),
    "noun": Classify(label="noun_class", classes=NOUNS),
}


def action(**fields):
    return Action(**fields).among(PARTS)


def judged(task, verbs, nouns, labels, trained=None):
    scores = task.combine({"verb": np.log(verbs), "noun": np.log(nouns)})
    return Judged(scores, np.array(labels), np.ones(len(labels), bool), np.arange(len(labels)), trained)


def test_scores_are_the_product_of_both_softmaxes():
    task = action()
    scores = task.combine({"verb": np.array([[0.0, np.log(3)]]), "noun": np.array([[0.0, 0.0, np.log(2)]])})
    assert task.shape == (5,)
    assert scores[0] == pytest.approx([0.25, 0.75, 0.25, 0.25, 0.5])
    assert task.say(scores[0]) == ["put", "lid"]


def test_the_likeliest_pairs_of_the_action_space_with_their_products():
    scores = action().combine({"verb": np.log([[0.6, 0.4]]), "noun": np.log([[0.5, 0.3, 0.2]])})[0]
    found = action().likeliest(scores, 3)
    assert [pair for pair, _ in found] == [["take", "cup"], ["put", "cup"], ["take", "pan"]]
    assert [share for _, share in found] == pytest.approx([0.3, 0.2, 0.18])
    seen = action(space="seen").fitted(np.array([[1, 1], [1, 2]])).likeliest(scores, 5)
    assert [pair for pair, _ in seen] == [["put", "pan"], ["put", "lid"]]
    assert [share for _, share in seen] == pytest.approx([0.12, 0.08])


def test_top_one_and_five_over_all_pairs():
    # products: take .6 (cup .3, pan .18, lid .12), put .4 (cup .2, pan .12, lid .08)
    verbs, nouns = np.tile([0.6, 0.4], (3, 1)), np.tile([0.5, 0.3, 0.2], (3, 1))
    task = action(top=(1, 3, 5))
    found = task.metrics(judged(task, verbs, nouns, [[0, 0], [1, 1], [1, 2]]))
    assert next(iter(found)) == "accuracy"
    assert found == pytest.approx(
        {"accuracy": 1 / 3, "top1_accuracy": 1 / 3, "top3_accuracy": 1 / 3, "top5_accuracy": 2 / 3}
    )


def test_pairs_that_are_not_in_the_space_are_passed_over():
    verbs, nouns = np.array([[0.6, 0.4]]), np.array([[0.5, 0.3, 0.2]])
    given = action(space="given", actions=(("put", "pan"), ("put", "lid")))
    assert given.metrics(judged(given, verbs, nouns, [[1, 1]]))["accuracy"] == 1
    seen, trained = action(space="seen"), np.array([[1, 1], [1, 2], [1, 1]])
    assert seen.metrics(judged(seen, verbs, nouns, [[1, 1]], trained))["accuracy"] == 1
    assert seen.metrics(judged(seen, verbs, nouns, [[0, 0]], trained))["top5_accuracy"] == 0
    assert seen.metrics(judged(seen, verbs, nouns, [[0, 0]], trained[:0]))["accuracy"] == 1  # none was seen: all
    assert seen.fitted(trained).say(seen.combine({"verb": np.log(verbs), "noun": np.log(nouns)})[0]) == ["put", "pan"]


def test_many_shot_actions_are_seen_pairs_of_many_shot_verbs_and_nouns():
    trained = np.array([[0, 0]] * 3 + [[0, 1]] + [[1, 1]] * 3 + [[1, 2]] * 2)
    # verbs: take 4, put 5; nouns: cup 3, pan 4, lid 2; with more than 2: pairs (0, 0), (0, 1), (1, 1)
    task = action(many=2)
    labels = [[0, 0], [0, 1], [1, 1], [1, 2]]
    verbs = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.9, 0.1]])
    nouns = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    found = task.metrics(judged(task, verbs, nouns, labels, trained))
    assert found["many_shot_classes"] == 3
    assert found["many_shot_recall"] == pytest.approx(2 / 3)
    assert found["many_shot_precision"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert found["many_shot_precision_trimmed"] == pytest.approx((0.5 + 0 + 1) / 3)


def test_the_published_many_shot_actions(shared_data):
    with np.load(shared_data / "parity" / "classification_metrics.npz") as pins:
        trained = ~np.isin(pins["many_shot/participant"], [9, 11, 18, 30, 31])
        pairs = np.stack([pins["many_shot/verb_class"], pins["many_shot/noun_class"]], 1)[trained]
        expected = pins["many_shot/action_pairs"][pins["many_shot/many_shot_actions"]]
    parts = {"verb": Classify(label="v", classes=tuple(map(str, range(12))))}
    parts["noun"] = Classify(label="n", classes=tuple(map(str, range(15))))
    found = Action(many=99).among(parts)._many_shot(pairs)
    assert sorted(found.tolist()) == sorted(expected.tolist())


def test_the_official_many_shot_actions(shared_data):
    with (shared_data / "annotations" / "epic55" / "EPIC_train_action_labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = np.array([[int(row["verb_class"]), int(row["noun_class"])] for row in rows])
    early = np.array([int(row["participant_id"][1:]) <= 29 for row in rows])
    parts = {
        name: Classify(label=name, classes=tuple(map(str, range(count))))
        for name, count in (("verb", 125), ("noun", 352))
    }
    task = Action(many=100).among(parts)
    assert len(task._many_shot(pairs)) == 819
    assert len(task._many_shot(pairs[early])) == 757
    assert len(np.unique(pairs, axis=0)) == 2513


def test_labels_become_pairs_and_words_again():
    task = action()
    assert task.encode({"verb_class": "put", "noun_class": "pan"}).tolist() == [1, 1]
    assert task.encode({"verb_class": "put"}) is None
    assert task.say_label(np.array([1, 2])) == ["put", "lid"]
    with pytest.raises(
        BadRequest, match="got 'bowl' as 'noun_class' of an action, expected one of: 'cup', 'pan', 'lid'"
    ):
        task.encode({"verb_class": "put", "noun_class": "bowl"})
    given = action(space="given", actions=(("put", "pan"),))
    with pytest.raises(BadRequest, match="expected one of the 1 in"):
        given.encode({"verb_class": "put", "noun_class": "cup"})


def test_what_is_tested_must_have_been_seen_where_only_that_is_ranked():
    trained, tested = np.array([[0, 0], [1, 1]]), np.array([[0, 0], [0, 2]])
    assert "tests 1 actions without a training clip (take lid)" in action(space="seen").unlearnable(trained, tested)
    assert action(space="seen", unseen="count").unlearnable(trained, tested) is None
    assert action().unlearnable(trained, tested) is None


def test_what_an_action_cannot_be_of():
    with pytest.raises(BadRequest, match="two tasks that classify, got: classify, point"):
        Action().among(PARTS | {"noun": Point()})
    with pytest.raises(BadRequest, match="got 'bowl' as 'noun_class'"):
        action(space="given", actions=(("put", "bowl"),))
    for fields in ({"space": "given"}, {"actions": (("a", "b"),)}, {"noun": "verb"}, {"top": (0,)}):
        with pytest.raises(BadRequest):
            Action(**fields)
