"""Predictions of videos that nobody annotated: which clips, by whose weights, and where points lie."""

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.media.decode import Decoder
from ego.pipeline.fit import Workplace
from ego.pipeline.predict import Sliding, predict, usual_seconds
from ego.pipeline.read_run import open_run
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder
from ego.tasks.classify import Classify


def predicted(colours, fitted, *names, sliding=Sliding(1.0, 1.0), folds=()):  # noqa: B008
    with Decoder() as decoder:
        at = Workplace(colours.data, FeatureStore(colours.store), WeightFinder([]), decoder, fitted.parent)
        videos = list(scan([colours.data / "videos" / f"{name}.mp4" for name in names], decoder))
        return predict(open_run(fitted), videos, at, sliding, folds)


@pytest.mark.parametrize(
    ("window", "stride", "stop", "spans"),
    [
        (2, 1, 4, [(0, 2), (1, 3), (2, 4)]),
        (2, 1, 4.5, [(0, 2), (1, 3), (2, 4), (2.5, 4.5)]),
        (2, 3, 4, [(0, 2), (2, 4)]),
        (2, 1, 1.5, [(0, 1.5)]),
        (2, 2, 2, [(0, 2)]),
    ],
)
def test_clips_slide_to_the_very_end(window, stride, stop, spans):
    assert Sliding(window, stride).spans(0.0, stop) == spans


def test_a_window_without_length_is_refused():
    with pytest.raises(BadRequest, match="got clips of 0 s every 1 s, expected both above 0"):
        Sliding(0.0, 1.0)


def test_every_second_is_said_to_have_its_colour(colours, fitted):
    found = predicted(colours, fitted, "two")
    assert [(one.start, one.stop, one.said) for one in found] == [
        (float(second), second + 1.0, letter) for second, letter in enumerate("bbggrr")
    ]
    assert all(one.top[0] == (one.said, one.score) and one.score > 0.5 for one in found)
    assert usual_seconds(open_run(fitted)) == 1.0


def test_a_video_is_judged_by_folds_that_never_saw_it(colours, fitted):
    (one, *_), (three, *_) = (predicted(colours, fitted, name) for name in ("one", "three"))
    assert (one.folds, one.trained) == (("one",), False)
    assert (three.folds, three.trained) == (("three",), False)
    (seen, *_) = predicted(colours, fitted, "one", folds=("two",))
    assert (seen.folds, seen.trained) == (("two",), True)


def test_the_scores_are_those_of_the_run_on_the_same_clips(colours, fitted):
    from pyarrow import parquet

    rows = [row for row in parquet.read_table(fitted / "predictions.parquet").to_pylist()
            if row["split"] == "validation" and row["video"] == "two"]  # fmt: skip
    task = Classify(label="verb", classes=("b", "g", "r"))
    for one, row in zip(predicted(colours, fitted, "two"), rows, strict=True):
        expected = task.likeliest(np.array(row["scores"]), 5)
        assert [name for name, _ in one.top] == [name for name, _ in expected]
        assert [share for _, share in one.top] == pytest.approx([share for _, share in expected], abs=1e-5)
