"""Charts: the pictures hold what they say, whatever the number of classes."""

import numpy as np
import pytest
from PIL import Image

from ego.report import charts


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def share(path, colour, slack=12):
    return (np.abs(pixels(path) - colour).max(axis=2) <= slack).mean()


def test_pearson_by_hand():
    rows = np.array([[1.0, 2, 3], [2, 4, 6], [3, 2, 1], [5, 5, 5]])
    found = charts.pearson(rows)
    assert found[:3, :3] == pytest.approx(np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]]))
    assert found[3].tolist() == [0, 0, 0, 0]
    noise = np.random.default_rng(0).normal(size=(6, 40))
    assert charts.pearson(noise) == pytest.approx(np.corrcoef(noise))


def test_right_and_wrong_answers_are_drawn_in_other_places(tmp_path):
    labels = np.repeat(np.arange(4), 5)
    charts.confusion(labels, labels, list("abcd"), tmp_path / "right.png", "verb")
    charts.confusion(labels, (labels + 1) % 4, list("abcd"), tmp_path / "wrong.png", "verb")
    dark = (8, 48, 107)  # what matplotlib's Blues ends with
    assert share(tmp_path / "right.png", dark) == pytest.approx(share(tmp_path / "wrong.png", dark), rel=0.2)
    assert not np.array_equal(pixels(tmp_path / "right.png"), pixels(tmp_path / "wrong.png"))


def test_what_is_predicted_and_never_true_has_a_column(tmp_path):
    labels = np.repeat(np.arange(3), 4)
    charts.confusion(labels, labels, list("abcd"), tmp_path / "three.png", "verb")
    charts.confusion(labels, np.where(labels == 2, 3, labels), list("abcd"), tmp_path / "four.png", "verb")
    dark = (8, 48, 107)
    # three of 4 x 4 cells are dark, not two of 3 x 3
    assert share(tmp_path / "four.png", dark) == pytest.approx(share(tmp_path / "three.png", dark) * 9 / 16, rel=0.1)


def test_likenesses_that_are_all_high_are_told_apart(tmp_path):
    features = 100 + np.random.default_rng(0).normal(size=(40, 30)) + np.arange(30) * 2
    charts.correlation(features, np.repeat(np.arange(4), 10), list("abcd"), tmp_path / "like.png")
    assert charts.pearson(features).min() > 0.9
    square = pixels(tmp_path / "like.png")[200:600, 200:600]
    assert square.reshape(-1, 3).std(axis=0).max() > 20


@pytest.mark.parametrize("count", [1, 2, 61, 106])
def test_any_number_of_classes_is_drawn(tmp_path, count):
    generator = np.random.default_rng(0)
    labels, said = generator.integers(0, count, 200), generator.integers(0, count, 200)
    names = [f"class number {one}" for one in range(count)]
    charts.confusion(labels, said, names, tmp_path / "confusion.png", "verb")
    charts.bars(dict.fromkeys(names, 0.5), dict.fromkeys(names, 1), tmp_path / "bars.png", "Found")
    features = generator.normal(size=(200, 8)).astype(np.float32)
    charts.correlation(features, labels, names, tmp_path / "like.png")
    charts.scatter(features[:, :2], labels, names, tmp_path / "map.png", "Map")
    for name in ("confusion", "bars", "like", "map"):
        picture = pixels(tmp_path / f"{name}.png")
        assert min(picture.shape[:2]) > 100
        assert picture.std() > 5


def test_curves_show_every_series(tmp_path):
    steps = np.arange(100.0)
    charts.curves({"a": (steps, steps), "b": (steps, 100 - steps)}, tmp_path / "two.png", "Loss", "step", "loss")
    for colour in ((37, 99, 235), (217, 119, 6)):
        assert share(tmp_path / "two.png", colour) > 0.001
