"""Controls: whose rows and labels a clip has, what order they have, and that a gain of theirs is gone end to end."""

import dataclasses
import sys

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.controls import others, with_controls, with_permuted_targets
from ego.pipeline.fit import Workplace, fit, planned, stored_clips
from ego.pipeline.targets import StepLabels
from ego.pipeline.weights import WeightFinder
from ego.samplers import Sampling

ONE = '[extractors.colour]\nname = "mean_rgb"\nwindow = { fps = 5.0 }\n'
TWO = ONE + '[extractors.slow]\nname = "mean_rgb"\nwindow = { fps = 2.0 }\n'


@pytest.fixture(scope="module")
def two(colours, tmp_path_factory):
    """The colours at two rates, extracted."""
    folder = tmp_path_factory.mktemp("controls")
    mine = dataclasses.replace(colours, recipe=folder / "two.toml", store=folder / "features")
    text = colours.recipe.read_text()
    mine.recipe.write_text(text.replace(ONE, TWO))
    sys.modules["colours"].fill(mine)
    return mine


@pytest.fixture
def clips(two, tmp_path):
    asked = recipe.read(two.recipe, ("head.name=lstm",), WeightFinder([]))  # which sees every row, not their mean
    with Decoder() as decoder:
        at = Workplace(two.data, FeatureStore(two.store), WeightFinder([]), decoder, tmp_path)
        plan, entries = planned("fit-heads", asked, at, ())
        yield stored_clips(plan, entries, at)


def rows(clips, name):
    batch = clips.batch(np.arange(len(clips)))
    return [one[there].tolist() for one, there in zip(batch.features[name], batch.masks[name], strict=True)]


def test_everyone_gets_anothers():
    for count in (2, 3, 50):
        assert sorted(others(count, 4)) == list(range(count))
        assert (others(count, 4) != np.arange(count)).all()
    assert (others(50, 4) != others(50, 5)).any()


def test_a_permuted_feature_is_another_clips_and_the_rest_stay(clips):
    found = with_controls(clips, Sampling(permuted=("slow",), control_seed=3))
    own, other = rows(clips, "slow"), others(len(clips), 3)
    assert rows(found, "slow") == [own[i] for i in other]
    assert rows(found, "colour") == rows(clips, "colour")


def test_shuffled_rows_are_the_same_rows_in_another_order(clips):
    before, after = rows(clips, "colour"), rows(with_controls(clips, Sampling(shuffled=True)), "colour")
    assert [sorted(one) for one in before] == [sorted(one) for one in after]
    assert sum(one != two for one, two in zip(before, after, strict=True)) > 14


def test_a_name_that_is_nothing_is_refused(clips):
    with pytest.raises(BadRequest, match=r"got 'hands' in sampling\.permuted, expected some of: colour, slow"):
        with_controls(clips, Sampling(permuted=("hands",)))


def test_clips_without_labels_of_steps_have_none_to_permute(clips):
    assert with_permuted_targets(clips, Sampling(permuted=("verb",))) is clips


def test_labels_of_steps_are_anothers_in_training(clips):
    column = clips.columns["colour"]
    numbers = np.arange(len(column.pack))[:, None]
    given = dataclasses.replace(clips, targets={"look": StepLabels(numbers, numbers >= 0)}, lead=column)
    train = given.only(np.array([0, 2, 5, 7]))
    found = with_permuted_targets(train, Sampling(permuted=("look",), control_seed=2))
    whole = np.arange(len(train))
    labels, own = found.batch(whole).labels["look"], train.batch(whole).labels["look"]
    assert labels.tolist() == own[others(4, 2)].tolist()
    assert found.looked().clips.batch(whole).features["colour"].equal(train.batch(whole).features["colour"])
    assert found.only(np.array([1])).batch(np.array([0])).labels["look"].tolist() == (
        given.only(np.array([1])).batch(np.array([0])).labels["look"].tolist()
    )


def test_what_a_feature_tells_is_gone_when_it_is_permuted(two, tmp_path):
    def accuracy(*settings):
        asked = recipe.read(two.recipe, ('head.features=["slow"]', *settings), WeightFinder([]))
        with Decoder() as decoder:
            at = Workplace(two.data, FeatureStore(two.store), WeightFinder([]), decoder, tmp_path / "runs")
            done = list(fit(asked, at))[-1]
        return done.metrics["pooled"]["validation"]["verb"]["accuracy"]

    assert accuracy() == 1
    assert accuracy('sampling.permuted=["slow"]', "sampling.control_seed=1") < 0.7
