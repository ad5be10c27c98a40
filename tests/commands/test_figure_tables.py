"""Figures of runs as they are read: whole words at any width, each figure in its own unit."""

import pytest

from ego.commands._figures import show
from ego.commands._sweeping import told
from ego.pipeline.intervals import Interval

NAMES = ["accuracy", "mean_class_accuracy", "pixel_error_left", "auc_judd_release", "many_shot_precision_trimmed", "kl"]


@pytest.mark.parametrize("width", [80, 100, 300])
def test_every_figure_is_told_in_full_whatever_the_width(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    figures = dict.fromkeys(NAMES, 0.125) | {"many_shot_classes": 22, "pixel_error": 92.523}
    rows = [
        {"fold": "[one]", "split": split, "task": "eyes", "clips": 4, "figures": figures} for split in ("train", "test")
    ]
    show(rows)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said
    assert said.count("92.52") == 2
    assert all(word in said for name in figures for word in name.split("_"))
    assert said.count("[one]") == 2 * said.count("┡")
    assert (said.count("┡") == 1) == (width == 300)


def test_a_mean_over_seeds_is_told_in_the_unit_of_its_figure():
    assert told("accuracy", Interval(0.5, 0.0625, 3)) == "50.0% +-6.2"
    assert told("pixel_error", Interval(92.523, 3.0, 3)) == "92.52 +-3"
    assert told("many_shot_classes", Interval(22, None, 1)) == "22"
