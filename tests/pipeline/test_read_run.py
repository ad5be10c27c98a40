"""Runs read back: the same module and the same specs, and what is no run."""

import json
import shutil

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.pipeline.fit import Workplace
from ego.pipeline.read_run import open_run
from ego.pipeline.weights import WeightFinder


@pytest.fixture
def copied(fitted, tmp_path):
    return shutil.copytree(fitted, tmp_path / "run")


def test_a_run_gives_its_recipe_back_without_the_weights_it_named(fitted, colours):
    from ego.pipeline.recipe import read

    run, recipe = open_run(fitted), read(colours.recipe, (), WeightFinder([]))
    assert run.recipe.extractors == recipe.extractors
    assert run.recipe.dataset == recipe.dataset
    assert (run.recipe.head, run.recipe.sampling, run.recipe.training) == (
        recipe.head, recipe.sampling, recipe.training
    )  # fmt: skip
    assert run.recipe.tasks["verb"].classes == ("b", "g", "r")
    assert list(run.folds) == ["one", "three", "two"]
    assert run.digest[:16] == fitted.name
    assert run.figures.parent == fitted


def test_a_fold_knows_what_it_was_trained_on(fitted):
    run = open_run(fitted)
    assert len(run.trained_on("one")) == 12
    assert sorted(map(int, run.trained_labels("one")["verb"].values())) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    tested = {clip["video"] for clip in run.clips("one", "validation")}
    assert tested.isdisjoint(digest for digest, _ in run.trained_on("one"))
    assert run.clips("one", "test") is None


def test_a_module_has_its_weights(fitted):
    from safetensors.torch import load_file

    run = open_run(fitted)
    for fold, path in run.folds.items():
        module = run.module(fold, {})
        assert not module.training
        for name, tensor in load_file(path).items():
            assert np.array_equal(module.state_dict()[name].numpy(), tensor.numpy())


def test_what_is_no_run_is_said_in_one_sentence(copied, tmp_path):
    with pytest.raises(BadRequest, match=r"no-such is no run: it has no run\.json; .*`ego runs` lists them"):
        open_run(tmp_path / "no-such")
    about = json.loads((copied / "run.json").read_text())
    about["plan"]["training"]["fields"]["lr"] = 0.5
    (copied / "run.json").write_text(json.dumps(about))
    with pytest.raises(BadRequest, match=r"is damaged: run\.json was changed"):
        open_run(copied)
    (copied / "run.json").write_text("{")
    with pytest.raises(BadRequest, match=r"is damaged: run\.json cannot be read"):
        open_run(copied)


def test_weights_that_are_gone_or_torn_are_named(copied):
    path = copied / "weights-2.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadRequest, match=r"weights-2\.safetensors do not fit the run"):
        open_run(copied).module("three", {})
    path.unlink()
    with pytest.raises(BadRequest, match=r"damaged: weights-2\.safetensors is gone"):
        open_run(copied)


def test_folds_are_picked_by_name(fitted):
    assert open_run(fitted).pick_folds(("two",)) == ["two"]
    with pytest.raises(BadRequest, match=r"got fold 'four', .* has: 'one', 'three', 'two'"):
        open_run(fitted).pick_folds(("four",))


def test_a_workplace_says_nothing_unless_told_to():
    assert Workplace.__dataclass_fields__["tell"].default("words") is None
